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
    let n = x.rows
    var symmetric = x
    for i in 0..<n { for j in 0..<n { symmetric[i, j] = x[i, j] / 2 + x[j, i] / 2 } }
    guard let eigen = try? SymmetricEigen(symmetric) else {
      y = Matrix(n, n, fill: .nan)
      return
    }
    let kept = (0..<n).filter { eigen.values[$0] > 0 }
    var scaled = eigen.vectorsTransposed.selectingRows(kept)
    for (i, k) in kept.enumerated() {
      let root = eigen.values[k].squareRoot()
      for j in 0..<n { scaled[i, j] *= root }
    }
    y = gramMatrix(scaled, .yes)
  }
}
