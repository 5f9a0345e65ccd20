import LinearAlgebra

/// The largest value of a quadratic form on the unit vectors of a cone {u : A u ≥ 0}, relaxed to
///
///     max ⟨S, U⟩   over U ⪰ 0, tr U = 1, A U Aᵀ ≥ 0 (every entry),
///     min λ_max(S + AᵀMA)   over symmetric M ≥ 0 (every entry),
///
/// as U = uuᵀ is feasible for every such u (Parrilo 2000, *Structured semidefinite programs and semialgebraic geometry methods
/// in robustness and optimization*, §5). Any M ≥ 0 gives an upper bound.
///
/// By the alternating direction method of multipliers (Boyd et al. 2011, §3) on copies of U, one of them positive semidefinite,
/// and of A U Aᵀ, non-negative, over-relaxed. In the coordinates u = T y of a metric in which the cone is as wide in one
/// direction as in another, some hundred steps find the first two digits for cones however narrow; U and M come to full
/// accuracy slowly. Cost of a step: 4kd² + 4k²d + 25d³ for k rows in dimension d. Held: 3k² + 12d² numbers.
package struct DoublyNonnegativeMethod: Sendable {
  /// T: d × d.
  private let metric: Matrix<Double>
  /// TᵀST/‖TᵀST‖ and TᵀT/‖TᵀT‖.
  private let objective: Matrix<Double>
  private let trace: Matrix<Double>
  /// ‖TᵀST‖.
  private let objectiveScale: Double
  /// What rows times T are multiplied with.
  private let rowScale: Double
  /// The rows in the coordinates y, scaled: k × d.
  private var rows: Matrix<Double>
  /// (I + H ⊗ H)⁻¹ for H = rowsᵀ rows, by the eigenvectors of H, and what it makes of the trace's matrix.
  private var system: System
  private var u: Matrix<Double>
  private var semidefinite: Matrix<Double>
  private var nonnegative: Matrix<Double>
  /// Multipliers of U = `semidefinite` and rows U rowsᵀ = `nonnegative`, divided by the penalty.
  private var first: Matrix<Double>
  private var second: Matrix<Double>

  /// ε: directions of the metric are at most 1/√ε times as long as the shortest.
  private static var room: Double { 0.1 }
  /// ‖rowsᵀ rows‖ beside the identity of the other copy, the penalty, and the over-relaxation.
  private static var weight: Double { 4 }
  private static var penalty: Double { 0.3 }
  private static var relaxation: Double { 1.6 }

  /// Begins at U = 0, M = 0; nil where a factorisation fails.
  ///
  /// - Parameters:
  ///   - s: S: d × d, symmetric, not 0.
  ///   - rows: A: k × d, rows of length one.
  package init?(_ s: Matrix<Double>, rows a: Matrix<Double>) {
    precondition(s.rows == s.columns && a.columns == s.rows, "rows of another length")
    guard let eigen = try? SymmetricEigen(matrixProduct(a, .yes, a, .no)), let top = eigen.values.last,
      top > 0
    else { return nil }
    let weights = eigen.values.map { max($0, 0) / top }
    var directions = eigen.vectorsTransposed
    directions.scaleRows(by: weights.map { 1 / ($0 + Self.room).squareRoot() })
    metric = directions.transposed
    // In these coordinates the rows' Gram matrix is diagonal, with top·w/(w + ε).
    let largest = weights.reduce(0) { max($0, top * $1 / ($1 + Self.room)) }
    rowScale = (Self.weight / largest).squareRoot()
    var objective = Self.congruent(s, metric)
    var trace = matrixProduct(metric, .yes, metric, .no)
    objectiveScale = StrictArithmetic.norm(objective.storage)
    guard objectiveScale > 0, objectiveScale.isFinite else { return nil }
    objective.scale(by: 1 / objectiveScale)
    trace.scale(by: 1 / StrictArithmetic.norm(trace.storage))
    (self.objective, self.trace) = (objective, trace)
    rows = matrixProduct(a, metric)
    rows.scale(by: rowScale)
    guard let system = System(rows: rows, trace: trace) else { return nil }
    self.system = system
    let (d, k) = (s.rows, a.rows)
    (u, semidefinite, first) = (Matrix(d, d), Matrix(d, d), Matrix(d, d))
    (nonnegative, second) = (Matrix(k, k), Matrix(k, k))
  }

  /// Takes up further rows, of length one, without multipliers; false where a factorisation fails.
  package mutating func add(rows more: Matrix<Double>) -> Bool {
    var scaled = matrixProduct(more, metric)
    scaled.scale(by: rowScale)
    let (old, k) = (rows.rows, rows.rows + more.rows)
    rows = Matrix(k, rows.columns, storage: rows.storage + scaled.storage)
    guard let system = System(rows: rows, trace: trace) else { return false }
    self.system = system
    var grown = Matrix<Double>(k, k)
    for i in 0..<old { for j in 0..<old { grown[i, j] = second[i, j] } }
    second = grown
    nonnegative = Self.congruent(u, rows.transposed)
    for index in 0..<nonnegative.count { nonnegative.storage[index] = max(nonnegative.storage[index], 0) }
    return true
  }

  /// Makes some steps; false where a factorisation fails.
  package mutating func run(steps: Int) -> Bool {
    for _ in 0..<steps {
      guard step() else { return false }
    }
    return true
  }

  private mutating func step() -> Bool {
    var difference = nonnegative
    for index in 0..<difference.count { difference.storage[index] -= second.storage[index] }
    var right = Self.congruent(difference, rows)
    for index in 0..<right.count {
      right.storage[index] +=
        objective.storage[index] / Self.penalty + semidefinite.storage[index] - first.storage[index]
    }
    u = system.solve(right)
    // On the plane ⟨TᵀT, U⟩ = 1 of the scaled trace.
    let excess = (Self.inner(trace, u) - 1) / system.traceProduct
    for index in 0..<u.count { u.storage[index] -= excess * system.traceImage.storage[index] }

    let own = Self.relaxation
    for index in 0..<u.count {
      first.storage[index] += own * u.storage[index] + (1 - own) * semidefinite.storage[index]
    }
    guard let eigen = try? SymmetricEigen(first) else { return false }
    let positive = eigen.values.indices.filter { eigen.values[$0] > 0 }
    let vectors = eigen.vectorsTransposed.selectingRows(positive)
    var scaled = vectors
    scaled.scaleRows(by: positive.map { eigen.values[$0] })
    semidefinite = matrixProduct(scaled, .yes, vectors, .no)
    for index in 0..<u.count { first.storage[index] -= semidefinite.storage[index] }

    let images = Self.congruent(u, rows.transposed)
    for index in 0..<images.count {
      let sum = second.storage[index] + own * images.storage[index] + (1 - own) * nonnegative.storage[index]
      nonnegative.storage[index] = max(sum, 0)
      second.storage[index] = min(sum, 0)
    }
    return true
  }

  /// M ≥ 0: k × k.
  package var multipliers: Matrix<Double> {
    var m = second
    m.scale(by: -Self.penalty * objectiveScale * rowScale * rowScale)
    return m
  }

  /// U ⪰ 0 of trace one, or 0; A U Aᵀ ≥ 0 as far as the steps have come.
  package var solution: Matrix<Double> {
    var solution = Self.congruent(semidefinite, metric.transposed)
    let sum = (0..<solution.rows).reduce(0) { $0 + solution[$1, $1] }
    if sum > 0 { solution.scale(by: 1 / sum) }
    return solution
  }

  /// Multiplications of a step, about.
  package static func work(rows k: Int, dimension d: Int) -> Double {
    let (k, d) = (Double(k), Double(d))
    return 4 * k * d * (k + d) + 25 * d * d * d
  }

  /// BᵀAB.
  private static func congruent(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Matrix<Double> {
    matrixProduct(b, .yes, matrixProduct(a, b), .no)
  }

  fileprivate static func inner(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Double {
    a.storage.withPointer { a in b.storage.withPointer { Double.dot(b.count, a, $0) } }
  }

  /// The linear system of a step.
  private struct System {
    private let vectorsTransposed: Matrix<Double>
    private let values: [Double]
    let traceImage: Matrix<Double>
    let traceProduct: Double

    init?(rows: Matrix<Double>, trace: Matrix<Double>) {
      guard let eigen = try? SymmetricEigen(matrixProduct(rows, .yes, rows, .no)) else { return nil }
      (vectorsTransposed, values) = (eigen.vectorsTransposed, eigen.values.map { max($0, 0) })
      traceImage = Self.solve(trace, vectorsTransposed, values)
      traceProduct = DoublyNonnegativeMethod.inner(trace, traceImage)
    }

    func solve(_ right: Matrix<Double>) -> Matrix<Double> { Self.solve(right, vectorsTransposed, values) }

    private static func solve(
      _ right: Matrix<Double>, _ v: Matrix<Double>, _ values: [Double]
    ) -> Matrix<Double> {
      var turned = matrixProduct(v, .no, matrixProduct(right, .no, v, .yes), .no)
      for i in 0..<turned.rows {
        for j in 0..<turned.columns { turned[i, j] /= 1 + values[i] * values[j] }
      }
      return matrixProduct(v, .yes, matrixProduct(turned, v), .no)
    }
  }
}
