import ConvexOptimization
import LinearAlgebra

/// The linear map of the three-layer program: group r adds E Σ_j s_j D_j X w_j to its output for the pattern b of its
/// sub-network, w ∈ ℝ^{md}. Group r = (2b + s)·c + j is pattern b, sign (−1)ˢ, output j; both signs share the map.
///
/// It is that of gates on m vectors at once: A_r = [s_1 P_1 X, …, s_m P_m X] with P_j = E D_j, so that products and Gram
/// matrices are those of `GatedOperator` with Bm gates. A product costs 2ndm for each group.
struct SubnetworkOperator: GroupOperator {
  typealias Element = Double
  private let gated: GatedOperator<Double>
  /// s, or s_j√η_j in the coordinates w_j/√η_j: one row a pattern and sign, as the gates are.
  private let signs: Matrix<Double>

  /// - Parameters:
  ///   - places: the patterns that occur, nil for each once.
  ///   - scales: √η, one row for each of these, nil for ones.
  init(
    data x: Matrix<Double>, patterns: SubnetworkPatterns, outputs: Int, places: [Int]? = nil,
    scales: Matrix<Double>? = nil
  ) {
    let m = patterns.width
    let places = places ?? Array(0..<patterns.count)
    let twice = places.flatMap { [$0, $0] }
    gated = GatedOperator(
      data: x, gates: patterns.passing.selectingRows(twice.flatMap { $0 * m..<($0 + 1) * m }),
      outputs: outputs)
    var signs = patterns.signs.selectingRows(twice)
    if let scales {
      for row in 0..<signs.rows { for j in 0..<m { signs[row, j] *= scales[row / 2, j] } }
    }
    self.signs = signs
  }

  private init(_ gated: GatedOperator<Double>, signs: Matrix<Double>) {
    (self.gated, self.signs) = (gated, signs)
  }

  private var neurons: Int { signs.columns }
  var samples: Int { gated.samples }
  var outputs: Int { gated.outputs }
  var width: Int { neurons * gated.width }
  var groups: Int { signs.rows * outputs }
  func output(of group: Int) -> Int { group % outputs }
  func restricted(toOutput j: Int) -> SubnetworkOperator {
    SubnetworkOperator(gated.restricted(toOutput: j), signs: signs)
  }

  /// The groups of the gated map that make up some groups, m each.
  private func parts(_ groups: [Int]) -> [Int] {
    let (m, c) = (neurons, outputs)
    return groups.flatMap { r in
      let (row, j) = r.quotientAndRemainder(dividingBy: c)
      return (0..<m).map { (row * m + $0) * c + j }
    }
  }

  /// s_j w_j of some groups, one row each.
  private func signed(_ w: Matrix<Double>, _ groups: [Int]) -> Matrix<Double> {
    var vectors = Matrix(groups.count * neurons, gated.width, storage: w.storage)
    vectors.scaleRows(
      by: groups.flatMap { r in (0..<neurons).map { signs[r / outputs, $0] } })
    return vectors
  }

  func apply(_ w: Matrix<Double>, of groups: [Int], into f: inout Matrix<Double>) {
    gated.apply(signed(w, groups), of: parts(groups), into: &f)
  }

  func applyAdjoint(_ r: Matrix<Double>, to groups: [Int], into g: inout Matrix<Double>) {
    var images = Matrix<Double>(groups.count * neurons, gated.width)
    gated.applyAdjoint(r, to: parts(groups), into: &images)
    g = Matrix(groups.count, width, storage: images.storage)
    g = Matrix(groups.count, width, storage: signed(g, groups).storage)
  }

  func gram(
    of groups: [Int], scales α: [Double], updates: [GroupUpdate<Double>], into q: inout Matrix<Double>
  ) {
    let repeated = zip(groups, α).flatMap { group, α in
      (0..<neurons).map { α * signs[group / outputs, $0] * signs[group / outputs, $0] }
    }
    gated.gram(of: parts(groups), scales: repeated, updates: [], into: &q)
    let n = samples
    for update in updates where !update.groups.isEmpty {
      let images = images(of: update.groups, update.vectors)
      withPointers(images, images, &q.storage) { a, _, q in
        Parallel.gemm(
          .yes, .no, m: n, n: n, k: images.rows, alpha: update.sign, a: a, lda: n, b: a, ldb: n, beta: 1,
          c: q, ldc: n)
      }
    }
  }

  func normalMatrix(
    of groups: [Int], vectors v: Matrix<Double>, weights h: [Double], into t: inout Matrix<Double>
  ) {
    let (n, p) = (samples, groups.count)
    let images = images(of: groups, v)
    var weighted = images
    weighted.withMutablePointer { a in
      h.withPointer { h in for row in 0..<p { Double.multiply(n, h, a + row * n) } }
    }
    t = Matrix(p, p)
    withPointers(images, weighted, &t.storage) { a, b, t in
      Parallel.gemm(
        .no, .yes, m: p, n: p, k: n, alpha: 1, a: a, lda: max(n, 1), b: b, ldb: max(n, 1), beta: 0, c: t,
        ldc: max(p, 1))
    }
  }

  /// A_r v_p for some groups r, one row each: p × n. Cost 2ndmp.
  private func images(of groups: [Int], _ v: Matrix<Double>) -> Matrix<Double> {
    let (n, d, m, gates) = (samples, gated.width, neurons, gated.gates)
    let (vectors, parts) = (signed(v, groups), parts(groups))
    var products = Matrix<Double>(parts.count, n)
    var images = Matrix<Double>(groups.count, n)
    withPointers(gated.data, vectors, &products.storage) { x, v, products in
      Parallel.gemm(
        .no, .yes, m: parts.count, n: n, k: d, alpha: 1, a: v, lda: max(d, 1), b: x, ldb: max(d, 1),
        beta: 0, c: products, ldc: max(n, 1))
    }
    withPointers(products, products, &images.storage) { products, _, images in
      gates.words.withPointer { bits in
        for (row, part) in parts.enumerated() {
          Double.maskedAdd(
            images + row / m * n, products + row * n, bits + part / outputs * gates.wordsPerRow, n)
        }
      }
    }
    return images
  }
}
