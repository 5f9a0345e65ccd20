import LinearAlgebra

/// The symmetric positive semidefinite matrices, n × n. Projection: V diag(max(λ, 0)) Vᵀ of the symmetric part
/// ½(X + Xᵀ). Cost about 10n³.
///
/// Where an entry is not finite, or LAPACK's iteration fails, the projection is NaN.
public struct SemidefiniteCone<Element: Scalar>: Cone {
  public init() {}

  public var projectionTolerance: Element { 1024 * .ulpOfOne }

  public func project(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    precondition(x.rows == x.columns, "a semidefinite matrix is square, not \(x.rows) × \(x.columns)")
    guard let eigen = try? SymmetricEigen(x.symmetricPart) else {
      y = Matrix(x.rows, x.columns, fill: .nan)
      return
    }
    y = eigen.positivePart
  }
}
