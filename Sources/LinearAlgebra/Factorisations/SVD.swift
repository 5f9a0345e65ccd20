/// The thin singular value decomposition A = U diag(σ) Vᵀ, for A: m × n and k = min(m, n): U: m × k and V: n × k
/// with orthonormal columns, σ not increasing and not negative. Cost about 6mnk + 20k³ (divide and conquer).
public struct SVD<Element: Scalar>: Sendable {
  /// U: m × k.
  public let u: Matrix<Element>
  /// σ: k values, largest first.
  public let values: [Element]
  /// Vᵀ: k × n.
  public let vTransposed: Matrix<Element>

  /// Throws when an entry is not finite, or when LAPACK's iteration does not converge.
  public init(_ a: Matrix<Element>) throws(FactorisationError) {
    try a.checkFinite()
    let (m, n, k) = (a.rows, a.columns, Swift.min(a.rows, a.columns))
    var (u, vt) = (Matrix<Element>(m, k), Matrix<Element>(k, n))
    var values = [Element](repeating: 0, count: k)
    if k > 0 {
      // Rows of A are columns of Aᵀ = V diag(σ) Uᵀ: LAPACK's U is our V, and both come out by rows.
      var work = a
      let info = Element.gesdd(n, m, &work.storage, &values, &vt.storage, &u.storage)
      guard info == 0 else { throw .noConvergence(routine: "gesdd") }
    }
    (self.u, self.values, vTransposed) = (u, values, vt)
  }

  /// The number of singular values above `tolerance` · σ_1; by default the tolerance is max(m, n) · ε.
  public func rank(tolerance: Element? = nil) -> Int {
    guard let largest = values.first, largest > 0 else { return 0 }
    let relative = tolerance ?? Element(Swift.max(u.rows, vTransposed.columns)) * Element.ulpOfOne
    return values.firstIndex { $0 <= relative * largest } ?? values.count
  }
}
