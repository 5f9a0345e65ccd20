import ConvexOptimization
import LinearAlgebra

/// Makes a sum of weighted parts smaller without raising ℓ(F) + λ Σ t_m, where F_o = Σ_{m: output o} t_m c_m with t ≥ 0: parts
/// are neurons or sub-networks of unit size, their weights t what these add to the penalty.
struct ContributionPruning {
  let loss: any Loss<Double>
  let λ: Double

  /// Whether pruning m parts, of n samples with d features and c outputs, takes hardly longer than a second: what is more is
  /// not done at the end of a run that was interrupted.
  static func isQuick(samples n: Int, features d: Int, outputs c: Int, parts m: Int) -> Bool {
    Double(n) * Double(m) * Double(d + 10 * c + m) <= 2e9
  }

  /// What parts of weight one contribute, each to one output.
  struct Parts {
    /// c_m, one column a part: n × m.
    var columns: Matrix<Double>
    var outputs: [Int]
  }

  /// ℓ(F) + λ Σ t_m.
  func objective(_ weights: [Double], _ parts: Parts) -> Double {
    loss.value(at: predictions(weights, parts)) + λ * weights.reduce(0, +)
  }

  private func predictions(_ weights: [Double], _ parts: Parts) -> Matrix<Double> {
    var f = Matrix<Double>(loss.samples, loss.outputs)
    for k in 0..<f.rows {
      for (m, weight) in weights.enumerated() { f[k, parts.outputs[m]] += weight * parts.columns[k, m] }
    }
    return f
  }

  /// The weights, with 0 for parts, smallest first, whose removal does not raise the objective. Cost: one evaluation of the
  /// loss for each.
  func removingUseless(_ weights: [Double], _ parts: Parts) -> [Double] {
    var kept = weights
    var f = predictions(weights, parts)
    var value = loss.value(at: f)
    for m in weights.indices.sorted(by: { (weights[$0], $0) < (weights[$1], $1) }) {
      var without = f
      for k in 0..<f.rows { without[k, parts.outputs[m]] -= weights[m] * parts.columns[k, m] }
      let trial = loss.value(at: without)
      guard trial <= value + λ * weights[m] else { continue }
      (f, value, kept[m]) = (without, trial, 0)
    }
    return kept
  }

  /// The weights after moving them along linear dependences of the columns until those of each output with a weight are
  /// independent: F stays to rounding, Σ t does not grow, and at most n parts are left for each output (Carathéodory). Where
  /// rounding would raise the objective by more than 10⁻¹² of it, they stay as they are. Cost n m² for m parts: half a QR
  /// decomposition where they are independent.
  func independent(_ weights: [Double], _ parts: Parts) throws(FactorisationError) -> [Double] {
    var result = weights
    for output in Set(parts.outputs).sorted() {
      let members = parts.outputs.indices.filter { parts.outputs[$0] == output && weights[$0] > 0 }
      let columns = Self.columns(members, of: parts.columns)
      guard !Self.areIndependent(columns) else { continue }
      for (m, weight) in zip(members, try reduce(members.map { weights[$0] }, columns)) { result[m] = weight }
    }
    let before = objective(weights, parts)
    return objective(result, parts) <= before + 1e-12 * abs(before) ? result : weights
  }

  private static func columns(_ members: [Int], of matrix: Matrix<Double>) -> Matrix<Double> {
    var columns = Matrix<Double>(matrix.rows, members.count)
    for k in 0..<matrix.rows { for (j, m) in members.enumerated() { columns[k, j] = matrix[k, m] } }
    return columns
  }

  /// Whether columns are certainly independent: the Gram matrix of the same of length one, less 10⁻⁶ I, is positive definite.
  /// Half the operations of a QR decomposition, by faster kernels.
  private static func areIndependent(_ columns: Matrix<Double>) -> Bool {
    guard columns.columns <= columns.rows else { return false }
    var gram = matrixProduct(columns, .yes, columns, .no)
    let scales = (0..<gram.rows).map { gram[$0, $0] > 0 ? 1 / gram[$0, $0].squareRoot() : 0 }
    gram.scaleRows(by: scales)
    gram = gram.transposed
    gram.scaleRows(by: scales)
    for j in 0..<gram.rows { gram[j, j] -= 1e-6 }
    return (try? Cholesky(gram)) != nil
  }

  /// Weights t ≥ 0 with C t as before, Σ t not larger, and independent columns where t > 0.
  private func reduce(
    _ weights: [Double], _ columns: Matrix<Double>
  ) throws(FactorisationError) -> [Double] {
    let qr = try QR(columns)
    var dependences = Self.nullSpace(qr)
    guard !dependences.isEmpty else { return weights }
    var t = weights
    while let (place, leaving) = nextMove(along: &dependences, t) {
      let β = dependences.remove(at: place)
      let step = t[leaving] / β[leaving]
      for i in t.indices { t[i] = max(0, t[i] - step * β[i]) }
      t[leaving] = 0
      for d in dependences.indices where dependences[d][leaving] != 0 {
        let share = dependences[d][leaving] / β[leaving]
        for i in t.indices { dependences[d][i] -= share * β[i] }
        dependences[d][leaving] = 0
      }
    }
    return try corrected(t, Self.triangle(qr), weights)
  }

  /// The dependence to move along, and the part that it removes: of all the one with the largest divisor.
  private func nextMove(along dependences: inout [[Double]], _ t: [Double]) -> (place: Int, leaving: Int)? {
    var best: (place: Int, leaving: Int, share: Double)?
    for place in dependences.indices {
      guard let (part, share) = leaving(&dependences[place], t), share > best?.share ?? 0 else { continue }
      best = (place, part, share)
    }
    return best.map { ($0.place, $0.leaving) }
  }

  /// The part whose weight vanishes first along a dependence, turned so that Σ t falls, and its share of the largest entry:
  /// what others are divided by. Nil where none falls.
  private func leaving(_ β: inout [Double], _ t: [Double]) -> (part: Int, share: Double)? {
    if β.reduce(0, +) < 0 { β = β.map { -$0 } }
    let scale = β.reduce(0) { max($0, abs($1)) }
    let falling = β.indices.filter { β[$0] > 1e-10 * scale && t[$0] > 0 }
    let first = falling.min { (t[$0] / β[$0], $0) < (t[$1] / β[$1], $1) }
    return first.map { ($0, β[$0] / scale) }
  }

  /// Weights t, of independent columns, with C t nearest to what it was before: the moves along nearly parallel
  /// dependences magnify rounding.
  private func corrected(
    _ t: [Double], _ columns: Matrix<Double>, _ before: [Double]
  ) throws(FactorisationError) -> [Double] {
    let kept = t.indices.filter { t[$0] > 0 }
    let error = matrixProduct(columns, Matrix(column: zip(before, t).map { $0 - $1 }))
    let change = try QR(columns.transposed.selectingRows(kept).transposed).leastSquares(error)
    var result = t
    for (i, m) in kept.enumerated() { result[m] = max(0, t[m] + change[i, 0]) }
    return result
  }

  /// QᵀC: products with it are those with C in other coordinates.
  private static func triangle(_ qr: QR<Double>) -> Matrix<Double> {
    var triangle = qr.r
    for i in 0..<qr.r.rows { for (j, m) in qr.pivots.enumerated() { triangle[i, m] = qr.r[i, j] } }
    return triangle
  }

  /// Vectors β with C β = 0 that span the null space: one for each column beyond the rank.
  private static func nullSpace(_ qr: QR<Double>) -> [[Double]] {
    let (rank, m) = (qr.rank(tolerance: 1e-11), qr.r.columns)
    return (rank..<max(m, rank)).map { column in
      var β = [Double](repeating: 0, count: m)
      β[qr.pivots[column]] = 1
      for i in (0..<rank).reversed() {
        var value = -qr.r[i, column]
        for j in i + 1..<max(rank, i + 1) { value -= qr.r[i, j] * β[qr.pivots[j]] }
        β[qr.pivots[i]] = value / qr.r[i, i]
      }
      return β
    }
  }
}
