/// The eigenvalues and orthonormal eigenvectors of a symmetric matrix, A = V diag(λ) Vᵀ, λ not decreasing.
/// Cost about 9n³ (divide and conquer). Only the lower triangle of A is read.
public struct SymmetricEigen<Element: Scalar>: Sendable {
  /// λ: n values, smallest first.
  public let values: [Element]
  /// Vᵀ: row i is the eigenvector of `values[i]`.
  public let vectorsTransposed: Matrix<Element>

  /// V: column i is the eigenvector of `values[i]`.
  public var vectors: Matrix<Element> { vectorsTransposed.transposed }

  /// Throws when A is not square, when an entry is not finite, or when LAPACK's iteration does not converge.
  public init(_ a: consuming Matrix<Element>) throws(FactorisationError) {
    guard a.rows == a.columns else { throw .notSquare(rows: a.rows, columns: a.columns) }
    try a.checkFinite()
    let n = a.rows
    var values = [Element](repeating: 0, count: n)
    if n > 0 {
      guard Element.syevd(n, &a.storage, &values) == 0 else { throw .noConvergence(routine: "syevd") }
    }
    self.values = values
    vectorsTransposed = a
  }
}
