import LinearAlgebra

/// The accelerated proximal gradient method for the group lasso on a working set (FISTA: Beck & Teboulle 2009),
/// with the restart of O'Donoghue & Candès (2015, gradient scheme) and a step that adapts to the curvature met.
///
/// One product and one adjoint product an iteration, where no step is refused: predictions of the extrapolated
/// point are combined from those of the last two points. A step 1/L is accepted when the Bregman distance of
/// the loss satisfies D(F⁺, F) ≤ (L/2)‖W⁺ − Z‖²; where D drowns in rounding its mean over both directions,
/// ½⟨∇ℓ(F⁺) − ∇ℓ(F), F⁺ − F⟩, takes its place: the same for small steps, and for quadratic losses always.
struct AcceleratedProximalGradient<Element: Scalar>: RestrictedMethod {
  let problem: RestrictedProblem<Element>
  private(set) var iterate: RestrictedIterate<Element>
  /// L.
  private(set) var curvature: Element
  private var extrapolated: Matrix<Element>
  private var extrapolatedPredictions: Matrix<Element>
  private var gradient: Matrix<Element>
  private var momentum: Element = 1

  init(
    _ problem: RestrictedProblem<Element>, from start: RestrictedIterate<Element>, curvature: Element?
  ) {
    self.problem = problem
    iterate = start
    extrapolated = start.coefficients
    extrapolatedPredictions = start.predictions
    gradient = Matrix(problem.groups.count, problem.width)
    self.curvature = curvature ?? 0
  }

  /// A lower estimate of L at the starting point, above zero. Cost of two products.
  func estimatedCurvature() -> Element {
    var slope = problem.whole.zeroPredictions
    problem.loss.gradient(at: extrapolatedPredictions, into: &slope)
    var copy = self
    problem.whole.map.applyAdjoint(slope, to: problem.groups, into: &copy.gradient)
    let estimate = copy.firstCurvature(slope)
    return estimate > 0 && estimate.isFinite ? estimate : 1
  }

  mutating func step() -> StepOutcome {
    var slope = problem.whole.zeroPredictions
    let value = problem.loss.gradient(at: extrapolatedPredictions, into: &slope)
    problem.whole.map.applyAdjoint(slope, to: problem.groups, into: &gradient)
    iterate.θ = slope
    iterate.θ.scale(by: -1)
    iterate.adjoint = gradient
    iterate.adjoint.scale(by: -1)
    if curvature == 0 { curvature = firstCurvature(slope) }
    guard value.isFinite, curvature.isFinite else { return .failed }
    guard let next = acceptedStep(value, slope) else { return .stalled }
    if next.coefficients == iterate.coefficients, next.coefficients == extrapolated { return .stalled }
    extrapolate(to: next)
    return .advanced
  }

  /// The curvature along the gradient, a lower bound of the Lipschitz constant that backtracking raises.
  private func firstCurvature(_ slope: Matrix<Element>) -> Element {
    let size = gradient.frobeniusNorm
    guard size > 0 else { return 1 }
    var direction = gradient
    direction.scale(by: -1 / size)
    var image = problem.whole.zeroPredictions
    problem.whole.map.apply(direction, of: problem.groups, into: &image)
    let square = image.inner(image)
    if problem.loss.smoothness.isFinite { return square * problem.loss.smoothness }
    var h = problem.whole.zeroPredictions
    problem.loss.secondDerivative(at: extrapolatedPredictions, into: &h)
    return square * max(h.storage.max() ?? 1, .leastNormalMagnitude)
  }

  private struct Trial {
    var coefficients: Matrix<Element>
    var norms: [Element]
    var predictions: Matrix<Element>
  }

  /// The proximal step for the first curvature that passes the test; nil where none does.
  private mutating func acceptedStep(_ value: Element, _ slope: Matrix<Element>) -> Trial? {
    curvature *= 0.98
    for _ in 0..<60 {
      var z = extrapolated
      z.add(-1 / curvature, gradient)
      var trial = Trial(
        coefficients: z, norms: [], predictions: problem.whole.zeroPredictions)
      trial.norms = problem.prox(
        z, step: 1 / curvature, into: &trial.coefficients, projections: &iterate.projections)
      problem.predictions(trial.coefficients, norms: trial.norms, into: &trial.predictions)
      z = trial.coefficients
      z.add(-1, extrapolated)
      let square = z.inner(z)
      guard square > 0 else { return trial }
      let observed =
        problem.loss.twiceBregman(
          at: trial.predictions, from: extrapolatedPredictions, value: value, slope: slope) / square
      if observed <= curvature { return trial }
      curvature =
        observed.isFinite ? min(max(1.05 * observed, 1.1 * curvature), 4 * curvature) : 4 * curvature
    }
    return nil
  }

  private mutating func extrapolate(to next: Trial) {
    var forward = next.coefficients
    forward.add(-1, iterate.coefficients)
    var turn = extrapolated
    turn.add(-1, next.coefficients)
    if turn.inner(forward) > 0 { momentum = 1 }
    let following = (1 + (1 + 4 * momentum * momentum).squareRoot()) / 2
    let β = (momentum - 1) / following
    momentum = following
    extrapolated = next.coefficients
    extrapolated.add(β, forward)
    extrapolatedPredictions = next.predictions
    extrapolatedPredictions.scale(by: 1 + β)
    extrapolatedPredictions.add(-β, iterate.predictions)
    iterate.coefficients = next.coefficients
    iterate.coefficientNorms = next.norms
    iterate.predictions = next.predictions
  }
}
