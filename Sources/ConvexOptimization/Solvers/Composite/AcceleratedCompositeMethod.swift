import LinearAlgebra

/// Accelerated proximal gradients for a composite problem, judged by the duality gap, which is taken anew every
/// `pricingInterval` steps at the cost of Ω°.
public struct AcceleratedCompositeMethod<Problem: CompositeProblem>: Sendable {
  public typealias Element = Problem.Element

  public var problem: Problem { iteration.problem }
  /// W.
  public var coefficients: Matrix<Element> { iteration.point.coefficients }
  /// F of the best dual point so far, a multiple of θ = −∇ℓ(F): in Double such a θ lies in the domain of ℓ*.
  public private(set) var dualPredictions: Matrix<Element>
  /// ℓ(AW) + Ω(W) when the gap was last taken, and the best dual value.
  public private(set) var (primal, dual) = (Element.infinity, -Element.infinity)
  /// The relative gap at which `step` reports `.readyForCertificate`; quartered where it is called again.
  public private(set) var tolerance: Element

  private var iteration: AcceleratedIteration<Problem>
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
    self.tolerance = tolerance
    let (rows, columns) = problem.shape
    let coefficients = start?.coefficients ?? Matrix(rows, columns)
    var predictions = problem.zeroPredictions
    problem.apply(coefficients, into: &predictions)
    dualPredictions = predictions
    iteration = AcceleratedIteration(
      problem,
      from: .init(coefficients: coefficients, predictions: predictions, penalty: start?.penalty ?? 0),
      memory: problem.memory)
  }

  /// (primal − dual)/max(1, |primal|); not finite before it was first taken.
  public var relativeGap: Element { (primal - dual) / max(1, abs(primal)) }

  public mutating func step() -> StepOutcome {
    while tolerance > 0, relativeGap <= tolerance { tolerance /= 4 }
    guard iteration.differentiate() else { return .failed }
    if steps % Self.pricingInterval == 0 {
      takeGap()
      if relativeGap <= tolerance { return .readyForCertificate }
      if idle > Self.patience { return .stalled }
    }
    steps += 1
    guard iteration.advance() == .stalled else { return .advanced }
    takeGap()
    return relativeGap <= tolerance ? .readyForCertificate : .stalled
  }

  /// The gap between the value of W and the best dual point, −∇ℓ at the extrapolated point and those before.
  private mutating func takeGap() {
    primal = problem.loss.value(at: iteration.point.predictions) + iteration.point.penalty
    var (θ, image) = (iteration.slope, iteration.gradient)
    θ.scale(by: -1)
    image.scale(by: -1)
    let bound = problem.bestMultiple(of: θ, gauge: problem.dualGauge(image))
    if bound.value > dual { (dual, dualPredictions) = (bound.value, iteration.extrapolatedPredictions) }
    (least, idle) = primal - dual < 0.99 * least ? (primal - dual, 0) : (least, idle + 1)
  }
}
