import ConvexOptimization
import LinearAlgebra

extension WeightBlock {
  /// The minimiser where f is quadratic, without the Gram matrix of all rows: conjugate gradients on
  ///
  ///     H Δ = ∇F(W),   H = L X̃ᵀX̃ + 2ρI + 2γI,   W − Δ
  ///
  /// with the H of a sketch S X̃ as preconditioner (sketching of Askari, Negiar, Sambharya & El Ghaoui 2018, §6.1; Rokhlin &
  /// Tygert 2008): its error costs steps, not exactness. For X̃: n × d and p outputs nd + sd² instead of nd², and 4ndp for
  /// each step, some five for s = 8d: so it pays where p is far below d, and n far above s.
  ///
  /// Ends where what is left to gain is some tolerance² of what there was.
  ///
  /// - Throws: `FactorisationError` where the sketched H is singular in this precision.
  package func solveSketched(
    from start: Matrix<Element>, by sketch: CountSketch<Element>, tolerance: Element, maximumSteps: Int
  ) throws -> Matrix<Element> {
    let factor = try majorant(gram: inputs.matrix.map { gramMatrix(sketch($0), .yes) } ?? inputs.gram)
    let t = image(of: start)
    var slope = t
    fit.gradient(at: t, into: &slope)
    var gradient = pullBack(slope)
    addRidgeGradient(at: start, to: &gradient)
    factor.solveTriangular(.no, inPlace: &gradient)
    let solver = ConjugateGradient(tolerance: Double(tolerance), maximumIterations: maximumSteps)
    var step = solver.solve(WhitenedHessian(block: self, factor: factor), gradient).solution
    factor.solveTriangular(.yes, inPlace: &step)
    var w = start
    w.add(-1, step)
    return w
  }
}

/// L⁻¹HL⁻ᵀ for a factor LLᵀ near H: its residuals are those of H in the metric of L, whose square bounds what is left to
/// gain.
private struct WhitenedHessian<Element: Scalar>: LinearOperator {
  let block: WeightBlock<Element>
  let factor: Cholesky<Element>
  var rows: Int { factor.order }
  var columns: Int { rows }

  func apply(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    var w = x
    factor.solveTriangular(.yes, inPlace: &w)
    y = block.pullBack(block.image(of: w))
    y.scale(by: block.fit.smoothness)
    block.addRidgeGradient(at: w, hasCenter: false, to: &y)
    factor.solveTriangular(.no, inPlace: &y)
  }

  func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) { apply(y, into: &x) }
}
