import LinearAlgebra

/// Accelerated proximal gradients for the group lasso on a working set.
struct AcceleratedProximalGradient<Element: Scalar>: RestrictedMethod {
  private(set) var iterate: RestrictedIterate<Element>
  private var iteration: AcceleratedIteration<RestrictedProblem<Element>>

  init(
    _ problem: RestrictedProblem<Element>, from start: RestrictedIterate<Element>, curvature: Element?
  ) {
    iterate = start
    iteration = AcceleratedIteration(
      problem,
      from: .init(
        coefficients: start.coefficients, predictions: start.predictions, penalty: start.coefficientNorms),
      memory: start.projections, curvature: curvature ?? 0)
  }

  /// L.
  var curvature: Element { iteration.curvature }

  /// A lower estimate of L at the starting point, above zero. Cost of two products.
  func estimatedCurvature() -> Element {
    var copy = iteration
    return copy.differentiate() ? copy.curvature : 1
  }

  mutating func step() -> StepOutcome {
    let isFinite = iteration.differentiate()
    iterate.θ = iteration.slope
    iterate.θ.scale(by: -1)
    iterate.adjoint = iteration.gradient
    iterate.adjoint.scale(by: -1)
    guard isFinite else { return .failed }
    let outcome = iteration.advance()
    iterate.projections = iteration.memory
    guard outcome == .advanced else { return outcome }
    iterate.coefficients = iteration.point.coefficients
    iterate.coefficientNorms = iteration.point.penalty
    iterate.predictions = iteration.point.predictions
    return outcome
  }
}

extension RestrictedProblem: ProximalProblem {
  func apply(_ w: Matrix<Element>, _ norms: [Element], into f: inout Matrix<Element>) {
    predictions(w, norms: norms, into: &f)
  }

  func apply(_ v: Matrix<Element>, into f: inout Matrix<Element>) {
    whole.map.apply(v, of: groups, into: &f)
  }

  func applyAdjoint(_ r: Matrix<Element>, into g: inout Matrix<Element>) {
    whole.map.applyAdjoint(r, to: groups, into: &g)
  }

  func prox(
    of z: Matrix<Element>, step τ: Element, into w: inout Matrix<Element>,
    _ projections: inout [ConeProjection<Element>?]
  ) -> [Element] {
    prox(z, step: τ, into: &w, projections: &projections)
  }
}
