import LinearAlgebra

/// The accelerated proximal gradient method (FISTA: Beck & Teboulle 2009) with the restart of O'Donoghue & Candès (2015,
/// gradient scheme) and a step that adapts to the curvature met, judged by the duality gap.
///
/// A step costs one product, one adjoint product and one prox where the step length is accepted; a step 1/L is, where the
/// Bregman distance of the loss satisfies D(F⁺, F) ≤ (L/2)‖W⁺ − Z‖². Every `pricingInterval` steps the gap is taken anew,
/// at the cost of Ω°.
public struct AcceleratedCompositeMethod<Problem: CompositeProblem>: Sendable {
  public typealias Element = Problem.Element

  public let problem: Problem
  /// W.
  public private(set) var coefficients: Matrix<Element>
  /// F of the best dual point so far, a multiple of θ = −∇ℓ(F): in Double such a θ lies in the domain of ℓ*.
  public private(set) var dualPredictions: Matrix<Element>
  /// ℓ(AW) + Ω(W) when the gap was last taken, and the best dual value.
  public private(set) var (primal, dual) = (Element.infinity, -Element.infinity)
  /// The relative gap at which `step` reports `.readyForCertificate`; quartered where it is called again.
  public private(set) var tolerance: Element

  private var predictions: Matrix<Element>
  private var extrapolated: Matrix<Element>
  private var extrapolatedPredictions: Matrix<Element>
  private var gradient: Matrix<Element>
  private var penalty: Element
  private var memory: Problem.Memory
  private var momentum = NesterovMomentum<Element>()
  private var curvature: Element = 0
  private var steps = 0
  /// The least gap so far, and how often it was taken since it fell by a hundredth.
  private var (least, idle) = (Element.infinity, 0)

  private static var pricingInterval: Int { 10 }
  /// Gaps taken in vain after which the arithmetic counts as exhausted.
  private static var patience: Int { 60 }

  /// - Parameters:
  ///   - start: W with Ω(W), to begin at; nil begins at 0.
  public init(
    _ problem: Problem, tolerance: Element, start: (coefficients: Matrix<Element>, penalty: Element)? = nil
  ) {
    precondition(!problem.loss.isPiecewiseLinear, "the loss has kinks: no gradient method solves this")
    (self.problem, self.tolerance) = (problem, tolerance)
    let (rows, columns) = problem.shape
    coefficients = start?.coefficients ?? Matrix(rows, columns)
    penalty = start?.penalty ?? 0
    predictions = problem.zeroPredictions
    problem.apply(coefficients, into: &predictions)
    (extrapolated, extrapolatedPredictions) = (coefficients, predictions)
    (gradient, memory, dualPredictions) = (Matrix(rows, columns), problem.memory, predictions)
  }

  /// (primal − dual)/max(1, |primal|); not finite before it was first taken.
  public var relativeGap: Element { (primal - dual) / max(1, abs(primal)) }

  public mutating func step() -> StepOutcome {
    while tolerance > 0, relativeGap <= tolerance { tolerance /= 4 }
    var slope = problem.zeroPredictions
    let value = problem.loss.gradient(at: extrapolatedPredictions, into: &slope)
    problem.applyAdjoint(slope, into: &gradient)
    if curvature == 0 { curvature = firstCurvature() }
    guard value.isFinite, curvature.isFinite else { return .failed }
    if steps % Self.pricingInterval == 0 {
      takeGap(slope)
      if relativeGap <= tolerance { return .readyForCertificate }
      if idle > Self.patience { return .stalled }
    }
    steps += 1
    guard let next = acceptedTrial(value, slope) else { return .stalled }
    if next.coefficients == coefficients, next.coefficients == extrapolated {
      takeGap(slope)
      return relativeGap <= tolerance ? .readyForCertificate : .stalled
    }
    extrapolate(to: next)
    return .advanced
  }

  /// The gap between the value of W and the best dual point, −∇ℓ at the extrapolated point and those before.
  private mutating func takeGap(_ slope: Matrix<Element>) {
    primal = problem.loss.value(at: predictions) + penalty
    var (θ, image) = (slope, gradient)
    θ.scale(by: -1)
    image.scale(by: -1)
    let bound = problem.bestMultiple(of: θ, gauge: problem.dualGauge(image))
    if bound.value > dual { (dual, dualPredictions) = (bound.value, extrapolatedPredictions) }
    (least, idle) = primal - dual < 0.99 * least ? (primal - dual, 0) : (least, idle + 1)
  }

  /// The curvature along the gradient, a lower bound of the Lipschitz constant that backtracking raises.
  private func firstCurvature() -> Element {
    let size = gradient.frobeniusNorm
    guard size > 0 else { return 1 }
    var direction = gradient
    direction.scale(by: -1 / size)
    var image = problem.zeroPredictions
    problem.apply(direction, into: &image)
    var h = problem.zeroPredictions
    problem.loss.secondDerivative(at: extrapolatedPredictions, into: &h)
    let steepest = problem.loss.smoothness.isFinite ? problem.loss.smoothness : h.storage.max() ?? 1
    let estimate = image.inner(image) * max(steepest, .leastNormalMagnitude)
    return estimate > 0 ? estimate : 1
  }

  private struct Trial {
    var coefficients: Matrix<Element>
    var penalty: Element
    var predictions: Matrix<Element>
  }

  /// The proximal step for the first curvature that passes the test; nil where none does.
  private mutating func acceptedTrial(_ value: Element, _ slope: Matrix<Element>) -> Trial? {
    curvature *= 0.98
    for _ in 0..<60 {
      var z = extrapolated
      z.add(-1 / curvature, gradient)
      var trial = Trial(coefficients: z, penalty: 0, predictions: problem.zeroPredictions)
      trial.penalty = problem.prox(of: z, step: 1 / curvature, into: &trial.coefficients, &memory)
      problem.apply(trial.coefficients, into: &trial.predictions)
      z = trial.coefficients
      z.add(-1, extrapolated)
      let square = z.inner(z)
      guard square > 0 else { return square.isNaN ? nil : trial }
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
    momentum.restartIfTurned(extrapolated: extrapolated, from: coefficients, to: next.coefficients)
    let β = momentum.advance()
    var (z, f) = (next.coefficients, next.predictions)
    z.scale(by: 1 + β)
    z.add(-β, coefficients)
    f.scale(by: 1 + β)
    f.add(-β, predictions)
    (extrapolated, extrapolatedPredictions) = (z, f)
    (coefficients, predictions, penalty) = (next.coefficients, next.predictions, next.penalty)
  }
}
