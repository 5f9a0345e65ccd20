import LinearAlgebra

/// The dual constraint of a two-layer program in plain Double arithmetic with compensated sums.
///
/// A dual point θ (n × c) is feasible when for every pattern D, sign σ and output j
///
///     without cones  ‖Xᵀ D θ_j‖ ≤ λ,
///     with cones     ‖σXᵀ D θ_j + Xᵀ(2D − I) α‖ ≤ λ   for some α ≥ 0 of that pattern, sign and output.
///
/// Any α ≥ 0 is a witness: the norm is an upper bound on the support function of the cone's unit ball at
/// σXᵀDθ_j, so that θ·min(1, λ/M) is feasible for M the largest of these norms.
struct StrictDual {
  let x: Matrix<Double>
  let patterns: BitMatrix
  let θ: Matrix<Double>

  /// Xᵀ D_i θ_j for one pattern and all outputs: c × d. Cost n d c, half of it where half the bits are set.
  func images(pattern i: Int) -> Matrix<Double> {
    let (d, c) = (x.columns, θ.columns)
    var total = Matrix<Double>(c, d)
    var error = Matrix<Double>(c, d)
    var partial = Matrix<Double>(c, d)
    let block = 64
    for start in stride(from: 0, to: x.rows, by: block) {
      for index in 0..<partial.count { partial.storage[index] = 0 }
      for k in start..<min(start + block, x.rows) where patterns[k, i] {
        for j in 0..<c { Self.add(θ[k, j], x, row: k, to: &partial, row: j) }
      }
      for index in 0..<total.count {
        Self.accumulate(partial.storage[index], &total.storage[index], &error.storage[index])
      }
    }
    for index in 0..<total.count { total.storage[index] += error.storage[index] }
    return total
  }

  /// For every output a bound on the rounding error of ‖XᵀD_iθ_j‖ in Double, in whatever order a product adds:
  /// γ_{n+d+4} ‖|X|ᵀ|θ_j|‖ with γ_m = m u/(1 − m u) (Higham 2002, §3.1), twice over for the rounding of the bound.
  func roundingOfProducts() -> [Double] {
    let (n, d) = (x.rows, x.columns)
    let m = Double(n + d + 4) * Double.ulpOfOne / 2
    return (0..<θ.columns).map { j in
      var sums = [Double](repeating: 0, count: d)
      for k in 0..<n {
        let size = abs(θ[k, j])
        guard size > 0 else { continue }
        for l in 0..<d { sums[l] += size * abs(x[k, l]) }
      }
      return 2 * m / (1 - m) * Self.norm(sums)
    }
  }

  /// A dual norm of θ, or 0 where the rounding of XᵀDθ in Double may be all there is to it: as where no feature
  /// tells the rows apart, so that no network is better than zero.
  static func beyondRounding(_ norm: Double, θ: Matrix<Double>, _ x: Matrix<Double>) -> Double {
    let strict = StrictDual(x: x, patterns: BitMatrix(x.rows, 0), θ: θ)
    return norm > strict.roundingOfProducts().max() ?? 0 ? norm : 0
  }

  /// The patterns, eight at most, whose bounds come within a billionth of the largest: those worth computing again.
  static func nearLargest(_ norms: [Double]) -> [Int] {
    let largest = norms.max() ?? 0
    let close = norms.indices.sorted { (norms[$0], $1) > (norms[$1], $0) }.prefix(8)
    return close.filter { norms[$0] >= largest * (1 - 1e-9) }
  }

  /// The same for what Σ_k α_k (2D_i − I)_k x_k adds to it: γ_{m+d+4} Σ_k α_k ‖x_k‖ for m entries and rows as wide as d, twice
  /// over.
  static func roundingOfWitness(_ α: SparseVector, rowNorms: [Double], width d: Int) -> Double {
    let m = Double(α.indices.count + d + 4) * Double.ulpOfOne / 2
    let size = zip(α.indices, α.values).reduce(0) { $0 + abs($1.1) * rowNorms[$1.0] }
    return 2 * m / (1 - m) * size
  }

  /// ‖σq + Σ_k α_k (2D_i − I)_k x_k‖ for a sparse α.
  func norm(_ q: [Double], sign σ: Double, pattern i: Int, multipliers: SparseVector) -> Double {
    Self.norm(combination(q, sign: σ, pattern: i, multipliers: multipliers))
  }

  /// σq + Σ_k α_k (2D_i − I)_k x_k for a sparse α; entries that are not positive do not count.
  func combination(
    _ q: [Double], sign σ: Double, pattern i: Int, multipliers: SparseVector
  ) -> [Double] {
    var sum = q.map { σ * $0 }
    var error = [Double](repeating: 0, count: q.count)
    for (k, α) in zip(multipliers.indices, multipliers.values) {
      guard α > 0, patterns.rows > k else { continue }
      let signed = patterns[k, i] ? α : -α
      for j in 0..<q.count { Self.accumulate(signed * x[k, j], &sum[j], &error[j]) }
    }
    return zip(sum, error).map { $0 + $1 }
  }

  /// ‖v‖, scaled against overflow, with a compensated sum of squares; +∞ where an entry is not finite.
  static func norm(_ v: [Double]) -> Double {
    guard v.allSatisfy(\.isFinite) else { return .infinity }
    let largest = v.reduce(0) { max($0, abs($1)) }
    guard largest > 0 else { return 0 }
    var sum = CompensatedSum()
    for entry in v { sum += (entry / largest) * (entry / largest) }
    return largest * sum.value.squareRoot()
  }

  /// row j of `sum` += factor · row k of `x`.
  private static func add(
    _ factor: Double, _ x: Matrix<Double>, row k: Int, to sum: inout Matrix<Double>, row j: Int
  ) {
    let d = x.columns
    x.storage.withUnsafeBufferPointer { x in
      sum.storage.withUnsafeMutableBufferPointer { sum in
        for i in 0..<d { sum[j * d + i] += factor * x[k * d + i] }
      }
    }
  }

  /// One Neumaier step.
  private static func accumulate(_ term: Double, _ sum: inout Double, _ error: inout Double) {
    let next = sum + term
    error += abs(sum) >= abs(term) ? (sum - next) + term : (term - next) + sum
    sum = next
  }
}

/// A vector of which most entries are zero.
public struct SparseVector: Sendable, Equatable, Codable {
  public var indices: [Int]
  public var values: [Double]

  public init(indices: [Int] = [], values: [Double] = []) {
    self.indices = indices
    self.values = values
  }
}
