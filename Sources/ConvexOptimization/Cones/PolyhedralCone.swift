import LinearAlgebra

/// The matrices each of whose rows u (of ℝᵈ) has A u ≥ 0, for A: m × d.
///
/// Projection of each row by `NonnegativeLeastSquares`, exact to rounding.
public struct PolyhedralCone<Element: Scalar>: Cone {
  private let problem: NonnegativeLeastSquares<Element>

  /// The cone { u : A u ≥ 0 }.
  public init(_ a: Matrix<Element>) { problem = NonnegativeLeastSquares(a) }

  /// A.
  public var a: Matrix<Element> { problem.rows }

  public var projectionTolerance: Element { 4096 * .ulpOfOne }

  public func project(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    precondition(x.columns == a.columns, "points of \(x.columns) numbers for a cone in ℝ^\(a.columns)")
    var start: NonnegativeLeastSquares<Element>.Solution?
    for k in 0..<x.rows {
      let solution = problem.solve(x.row(k), start: start)
      for j in 0..<x.columns { y[k, j] = solution.residual[j] }
      start = solution
    }
  }
}
