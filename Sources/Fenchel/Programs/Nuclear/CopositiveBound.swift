import ConvexOptimization
import LinearAlgebra

/// Upper bounds on h = max_{u ∈ K, ‖u‖ ≤ 1} ‖Gᵀu‖ for the cone K = {u : A u ≥ 0} of a pattern,
///
///     h² ≤ λ_max(GGᵀ + AᵀMA)   for every symmetric M ≥ 0,
///
/// with M from the relaxation of the copositive program (`DoublyNonnegativeMethod`) over some rows of A. Any rows will do. Those
/// that matter are facets of K, some 2d of n: they are found as what rays from the inside of K hit first, along random
/// directions at the beginning, and then along those in which the relaxation's solution is wide.
///
/// Where steps lead no further the cone is cut in two, each of which has the cut as one row more.
struct CopositiveBound {
  private let strict: StrictDual
  private let pattern: Int
  /// ‖x_k‖.
  private let rowNorms: [Double]
  /// GGᵀ/scale, and a power of two near its trace.
  private let form: Matrix<Double>
  private let scale: Double
  /// Points of K, of length one: one inside, and some of its boundary.
  private let inside: [Double]
  private let boundary: [[Double]]
  /// The rows that M is for, in the order of M: some of A, and the cuts. Their lengths, and which of A there are.
  private var rows: Matrix<Double>
  private var lengths: [Double] = []
  private var isChosen: [Bool]
  private var method: DoublyNonnegativeMethod?
  private var rounds: UInt64 = 0
  /// The least bound so far.
  private(set) var bound = Double.infinity
  /// Multiplications so far, about.
  private(set) var work = 0.0

  /// Rays from each point, in each of two metrics.
  private static var rays: Int { 512 }
  /// Rows at most, as a multiple of d.
  private static var mostRows: Int { 6 }
  /// Points of the boundary from which rays start, halfway to them.
  private static var mostPoints: Int { 3 }

  /// - Parameters:
  ///   - images: Gᵀ: c × d.
  ///   - rowNorms: ‖x_k‖.
  init?(
    _ strict: StrictDual, cones: PatternCones<Double>, pattern: Int, images: Matrix<Double>,
    rowNorms: [Double]
  ) {
    (self.strict, self.pattern, self.rowNorms) = (strict, pattern, rowNorms)
    let columns = images.transposed
    var form = StrictArithmetic.product(columns, transposed: columns)
    let trace = (0..<form.rows).reduce(0) { $0 + form[$1, $1] }
    guard trace > 0, trace.isFinite else { return nil }
    scale = Double(sign: .plus, exponent: max(-1000, trace.exponent), significand: 1)
    form.scale(by: 1 / scale)
    self.form = form
    rows = Matrix(0, strict.x.columns)
    isChosen = [Bool](repeating: false, count: strict.x.rows)

    var state = ActiveSet(of: cones.rows)
    var (points, sum) = ([[Double]](), [Double](repeating: 0, count: images.columns))
    var touched: [Int] = []
    for z in Self.directions(images, seed: UInt64(pattern)) {
      let found = z.withPointer { cones.projection(of: $0, pattern: pattern, sign: 1, in: &state) }
      guard found.norm > 1e-7 * StrictArithmetic.norm(z), found.norm.isFinite else { continue }
      points.append(found.residual.map { $0 / found.norm })
      for j in sum.indices { sum[j] += found.residual[j] / found.norm }
      touched += found.support
    }
    let norm = StrictArithmetic.norm(sum)
    guard norm > 0 else { return nil }
    inside = sum.map { $0 / norm }
    boundary = Array(points.prefix(Self.mostPoints))
    take(touched)
    let middles = boundary.map { zip($0, inside).map { ($0 + $1) / 2 } }
    let isotropic: Matrix<Double> = Philox(seed: UInt64(pattern), stream: Self.stream).normalMatrix(
      Self.rays, images.columns)
    shoot(from: [inside] + middles, along: isotropic)
    if let metric = widths() { shoot(from: [inside] + middles, along: matrixProduct(isotropic, metric)) }
    guard let method = DoublyNonnegativeMethod(form, rows: unitRows(from: 0)) else { return nil }
    self.method = method
  }

  private static let stream: UInt64 = 0x636f_7061

  /// Multiplications that so many steps take with 3d rows, about.
  static func work(steps: Int, dimension d: Int) -> Double {
    Double(steps) * DoublyNonnegativeMethod.work(rows: 3 * d, dimension: d)
  }

  /// Whether further steps may lower the bound: false where a factorisation has failed.
  var canImprove: Bool { method != nil }

  /// Some steps, the bound that they lead to, and further rows.
  mutating func improve(steps: Int) {
    guard method?.run(steps: steps) == true, let method else {
      self.method = nil
      return
    }
    work += Double(steps) * DoublyNonnegativeMethod.work(rows: rows.rows, dimension: form.rows)
    bound = min(bound, self.bound(method.multipliers))
    grow(method.solution)
  }

  /// Both sides of a plane through the middle of the relaxation's solution U, across its second eigenvector, which go on from
  /// where this cone has come; nil where it has come nowhere.
  func halves() -> [CopositiveBound]? {
    guard let method, let eigen = try? SymmetricEigen(method.solution), eigen.values.count > 1 else {
      return nil
    }
    let normal = eigen.vectorsTransposed.row(eigen.values.count - 2)
    let halves = [1.0, -1.0].compactMap { side in
      var half = self
      half.work = 0
      return half.append(Matrix(rows: [normal.map { side * $0 }])) ? half : nil
    }
    return halves.count == 2 ? halves : nil
  }

  /// √λ_max(GGᵀ + AᵀMA), rounding included.
  private func bound(_ m: Matrix<Double>) -> Double {
    var (weights, size) = (m, 0.0)
    for i in 0..<m.rows {
      for j in 0..<m.rows {
        weights[i, j] = max(m[i, j], 0) / lengths[i] / lengths[j]
        size += weights[i, j] * lengths[i] * lengths[j]
      }
    }
    let products = matrixProduct(rows, .yes, matrixProduct(weights, rows), .no)
    var sum = form
    for a in 0..<sum.rows { for b in 0..<sum.rows { sum[a, b] += (products[a, b] + products[b, a]) / 2 } }
    // Of the products (Higham 2002, §3.5), twice over, and of the form and the sum.
    let rounding = Double(2 * m.rows + sum.rows + 16) * Double.ulpOfOne * (size + 4)
    let top = SphereMaximum(linear: [Double](repeating: 0, count: sum.rows), quadratic: sum).sharpUpperBound
    let square = top + rounding
    return square.isNaN ? .infinity : (max(square, 0) * scale).squareRoot() * (1 + 4 * Double.ulpOfOne)
  }
}

// MARK: Rows

extension CopositiveBound {
  /// Directions whose projections are points of K: G's singular vectors with both signs, and random ones.
  private static func directions(_ images: Matrix<Double>, seed: UInt64) -> [[Double]] {
    let random: Matrix<Double> = Philox(seed: seed, stream: stream + 1).normalMatrix(16, images.columns)
    return ConeAscent.starts(images, above: 0, most: 8).map { ConeAscent.combination(images, $0) }
      + (0..<random.rows).map(random.row)
  }

  /// Takes up rows of A that are not there yet, as many as there is room for.
  private mutating func take(_ indices: [Int]) {
    var fresh: [Int] = []
    for k in indices
    where !isChosen[k] && rowNorms[k] > 0 && rows.rows + fresh.count < Self.mostRows * form.rows {
      isChosen[k] = true
      fresh.append(k)
    }
    guard !fresh.isEmpty else { return }
    var signed = strict.x.selectingRows(fresh)
    signed.scaleRows(by: fresh.map { strict.patterns[$0, pattern] ? 1 : -1 })
    if !append(signed) { method = nil }
  }

  /// Takes up further rows; false where the method fails for it.
  private mutating func append(_ more: Matrix<Double>) -> Bool {
    let old = rows.rows
    rows = Matrix(old + more.rows, more.columns, storage: rows.storage + more.storage)
    lengths += more.rowNorms
    guard method != nil else { return true }
    let unit = unitRows(from: old)
    return method?.add(rows: unit) == true
  }

  /// Takes up the rows that rays from some points along some directions (one row each) hit first, and those that have
  /// a point on their plane or behind it. Cost n d for each ray.
  private mutating func shoot(from points: [[Double]], along directions: Matrix<Double>) {
    let (x, n, count) = (strict.x, strict.x.rows, directions.rows)
    let slopes = matrixProduct(x, .no, directions, .yes)
    let heights = matrixProduct(x, .no, Matrix(rows: points), .yes)
    work += Double(n) * Double(x.columns) * Double(count + points.count)
    var found: [Int] = []
    for (p, point) in points.enumerated() {
      let length = StrictArithmetic.norm(point)
      var (nearest, row) = (
        [Double](repeating: .infinity, count: count), [Int](repeating: -1, count: count)
      )
      for k in 0..<n where rowNorms[k] > 0 {
        let sign: Double = strict.patterns[k, pattern] ? 1 : -1
        let height = sign * heights[k, p]
        guard height > 1e-9 * rowNorms[k] * length else {
          found.append(k)
          continue
        }
        for r in 0..<count {
          let fall = -sign * slopes[k, r]
          if fall > 0, height < nearest[r] * fall { (nearest[r], row[r]) = (height / fall, k) }
        }
      }
      found += row.filter { $0 >= 0 }
    }
    take(found)
  }

  /// The inverse root of Σ_k a_k a_kᵀ/(a_kᵀu)² at the inside point u, about the metric of the widths of K there: d × d.
  private func widths() -> Matrix<Double>? {
    let heights = matrixProduct(strict.x, .no, Matrix(column: inside), .no).storage
    var rows = strict.x
    rows.scaleRows(
      by: heights.indices.map { k in
        rowNorms[k] > 0 ? 1 / max(abs(heights[k]), 1e-6 * rowNorms[k]) : 0
      })
    guard let eigen = try? SymmetricEigen(matrixProduct(rows, .yes, rows, .no)), let top = eigen.values.last
    else { return nil }
    var scaled = eigen.vectorsTransposed
    scaled.scaleRows(by: eigen.values.map { 1 / max($0, 1e-12 * top).squareRoot() })
    return scaled
  }

  /// Rows that rays hit along random directions of covariance U, and from points towards its top eigenvector.
  private mutating func grow(_ u: Matrix<Double>) {
    guard let eigen = try? SymmetricEigen(u), eigen.values.count > 0 else { return }
    rounds += 1
    var vectors = eigen.vectorsTransposed
    let top = vectors.row(vectors.rows - 1)
    let sign: Double = zip(top, inside).reduce(0) { $0 + $1.0 * $1.1 } < 0 ? -1 : 1
    vectors.scaleRows(by: eigen.values.map { max($0, 0).squareRoot() })
    let normals: Matrix<Double> = Philox(seed: UInt64(pattern), stream: Self.stream + 1 + rounds)
      .normalMatrix(
        Self.rays, u.rows)
    let points = [0, 0.5, 2].map { share in zip(inside, top).map { $0 + share * sign * $1 } }
    shoot(from: points, along: matrixProduct(normals, vectors))
  }

  /// The rows from one of them on, of length one.
  private func unitRows(from first: Int) -> Matrix<Double> {
    var unit = rows.selectingRows(Array(first..<rows.rows))
    unit.scaleRows(by: lengths[first...].map { 1 / $0 })
    return unit
  }
}
