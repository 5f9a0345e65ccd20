/// The QR factorisation with column pivoting A P = Q R, for A: m × n, k = min(m, n), Q: m × k with orthonormal
/// columns, R: k × n upper triangular (trapezoidal) with |R_ii| not increasing. Cost about 4mn² − 4n³/3.
///
/// The diagonal of R reveals the numerical rank (not against every matrix: Kahan's has a small singular value
/// that R hides, which data do not look like).
public struct QR<Element: Scalar>: Sendable {
  /// Q: m × k.
  public let q: Matrix<Element>
  /// R: k × n.
  public let r: Matrix<Element>
  /// Column j of A P is column `pivots[j]` of A.
  public let pivots: [Int]

  /// Throws when an entry is not finite.
  public init(_ a: Matrix<Element>) throws(FactorisationError) {
    try a.checkFinite()
    let (m, n, k) = (a.rows, a.columns, Swift.min(a.rows, a.columns))
    guard k > 0 else {
      (q, r, pivots) = (Matrix(m, 0), Matrix(0, n), Array(0..<n))
      return
    }
    var columns = a.transposed  // column-major A
    var order = [Int32](repeating: 0, count: n)
    var tau = [Element](repeating: 0, count: k)
    guard Element.geqp3(m, n, &columns.storage, &order, &tau) == 0 else {
      throw .noConvergence(routine: "geqp3")
    }
    var r = Matrix<Element>(k, n)
    for i in 0..<k { for j in i..<n { r[i, j] = columns[j, i] } }
    guard Element.orgqr(m, k, k, &columns.storage, tau) == 0 else {
      throw .noConvergence(routine: "orgqr")
    }
    q = Matrix(k, m, storage: Array(columns.storage[..<(k * m)])).transposed
    self.r = r
    pivots = order.map { Int($0) - 1 }
  }

  /// The number of |R_ii| above `tolerance` · |R_00|; by default the tolerance is max(m, n) · ε.
  public func rank(tolerance: Element? = nil) -> Int {
    let k = Swift.min(r.rows, r.columns)
    guard k > 0, r[0, 0] != 0 else { return 0 }
    let relative = tolerance ?? Element(Swift.max(q.rows, r.columns)) * Element.ulpOfOne
    let threshold = relative * abs(r[0, 0])
    return (0..<k).firstIndex { abs(r[$0, $0]) <= threshold } ?? k
  }

  /// A minimiser of ‖A X − B‖_F, for B: m × c, that is zero outside the first `rank` pivot columns.
  public func leastSquares(_ b: Matrix<Element>, tolerance: Element? = nil) -> Matrix<Element> {
    precondition(b.rows == q.rows, "a right-hand side of \(b.rows) rows for a matrix of \(q.rows)")
    let rank = rank(tolerance: tolerance)
    var x = Matrix<Element>(r.columns, b.columns)
    let projected = matrixProduct(q, .yes, b)
    for c in 0..<b.columns {
      for i in (0..<rank).reversed() {
        var value = projected[i, c]
        for j in i + 1..<Swift.max(rank, i + 1) { value -= r[i, j] * x[pivots[j], c] }
        x[pivots[i], c] = value / r[i, i]
      }
    }
    return x
  }
}
