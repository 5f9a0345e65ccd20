/// The preconditioned conjugate gradient method for A X = B, A symmetric positive definite.
///
/// The columns of B are one system over ℝ^{n×c} with a common step, so all of them share each product with A.
/// In exact arithmetic it ends after as many iterations as M⁻¹A has distinct eigenvalues.
///
/// Source: M. R. Hestenes, E. Stiefel, *Methods of conjugate gradients for solving linear systems*, 1952.
public struct ConjugateGradient: Sendable {
  /// Stops when ‖B − A X‖_F ≤ tolerance · ‖B‖_F.
  public var tolerance: Double
  public var maximumIterations: Int

  public init(tolerance: Double = 1e-8, maximumIterations: Int = 1000) {
    self.tolerance = tolerance
    self.maximumIterations = maximumIterations
  }

  /// How a run ended.
  public enum Status: Sendable, Equatable {
    case converged
    case iterationLimit
    /// A direction p with pᵀAp ≤ 0 (or a preconditioner with rᵀM⁻¹r ≤ 0): not positive definite.
    case indefinite
    /// An iterate stopped being finite; the last finite one was kept.
    case notFinite
  }

  /// The last iterate, and how good it is by the recurrence for the residual.
  public struct Result<Element: Scalar>: Sendable {
    public var solution: Matrix<Element>
    public var status: Status
    public var iterations: Int
    /// ‖B − A X‖_F / ‖B‖_F, 0 when B = 0.
    public var relativeResidual: Double
  }

  /// Solves A X = B without preconditioner, from `start` (zero by default).
  public func solve<A: LinearOperator>(
    _ a: A, _ b: Matrix<A.Element>, start: Matrix<A.Element>? = nil
  ) -> Result<A.Element> {
    solve(a, b, preconditioner: IdentityOperator<A.Element>(a.rows), start: start)
  }

  /// Solves A X = B with `preconditioner` ≈ A⁻¹, symmetric positive definite, from `start` (zero by default).
  public func solve<A: LinearOperator, M: LinearOperator>(
    _ a: A, _ b: Matrix<A.Element>, preconditioner: M, start: Matrix<A.Element>? = nil
  ) -> Result<A.Element> where M.Element == A.Element {
    typealias T = A.Element
    precondition(a.rows == a.columns, "conjugate gradients need a square operator")
    precondition(b.rows == a.rows, "a right-hand side of \(b.rows) rows for an operator of \(a.rows)")
    var x = start ?? Matrix<T>(b.rows, b.columns)
    var (r, z, q) = (b, Matrix<T>(b.rows, b.columns), Matrix<T>(b.rows, b.columns))
    if start != nil {
      a.apply(x, into: &q)
      r.add(-1, q)
    }
    let scale = Double(b.frobeniusNorm)
    func finish(_ status: Status, _ iterations: Int) -> Result<T> {
      let residual = scale > 0 ? Double(r.frobeniusNorm) / scale : Double(r.frobeniusNorm)
      return Result(solution: x, status: status, iterations: iterations, relativeResidual: residual)
    }
    guard scale.isFinite, r.frobeniusNorm.isFinite else { return finish(.notFinite, 0) }
    preconditioner.apply(r, into: &z)
    var p = z
    var rz = r.inner(z)
    for iteration in 0... {
      if Double(r.frobeniusNorm) <= tolerance * scale { return finish(.converged, iteration) }
      if iteration >= maximumIterations { return finish(.iterationLimit, iteration) }
      a.apply(p, into: &q)
      let curvature = p.inner(q)
      guard curvature.isFinite, rz.isFinite else { return finish(.notFinite, iteration) }
      guard curvature > 0, rz > 0 else { return finish(.indefinite, iteration) }
      let step = rz / curvature
      guard step.isFinite else { return finish(.notFinite, iteration) }
      x.add(step, p)
      r.add(-step, q)
      preconditioner.apply(r, into: &z)
      let next = r.inner(z)
      p.scale(by: next / rz)
      p.add(1, z)
      rz = next
    }
    return finish(.iterationLimit, maximumIterations)
  }
}
