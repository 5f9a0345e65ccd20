import LinearAlgebra

/// The iteration of accelerated proximal gradients (FISTA: Beck & Teboulle 2009), with the restart of O'Donoghue & Candès
/// (2015, gradient scheme) and a step that adapts to the curvature met.
///
/// One product and one adjoint product an iteration, where no step is refused: predictions of the extrapolated
/// point are combined from those of the last two points. A step 1/L is accepted when the Bregman distance of
/// the loss satisfies D(F⁺, F) ≤ (L/2)‖W⁺ − Z‖²; where D drowns in rounding its mean over both directions,
/// ½⟨∇ℓ(F⁺) − ∇ℓ(F), F⁺ − F⟩, takes its place: the same for small steps, and for quadratic losses always. Gradients,
/// lengths and L are those of the problem's metric.
struct AcceleratedIteration<Problem: ProximalProblem>: Sendable {
  typealias Element = Problem.Element
  let problem: Problem
  /// W, F = A W, and what its prox found.
  private(set) var point: Trial
  /// The point between the last two at which ∇ℓ was taken last, its predictions, ∇ℓ and Aᵀ∇ℓ there.
  private(set) var extrapolated: Matrix<Element>
  private(set) var extrapolatedPredictions: Matrix<Element>
  private(set) var slope: Matrix<Element>
  private(set) var gradient: Matrix<Element>
  /// L; 0 before the first step.
  private(set) var curvature: Element
  private(set) var memory: Problem.Memory
  private var value: Element = .nan
  private var momentum = NesterovMomentum<Element>()

  struct Trial: Sendable {
    var coefficients: Matrix<Element>
    var predictions: Matrix<Element>
    var penalty: Problem.Penalty
  }

  init(_ problem: Problem, from point: Trial, memory: Problem.Memory, curvature: Element = 0) {
    (self.problem, self.point, self.memory, self.curvature) = (problem, point, memory, curvature)
    (extrapolated, extrapolatedPredictions) = (point.coefficients, point.predictions)
    gradient = Matrix(point.coefficients.rows, point.coefficients.columns)
    slope = problem.zeroPredictions
  }

  /// Takes ∇ℓ at the extrapolated point; false where numbers leave their range.
  mutating func differentiate() -> Bool {
    value = problem.loss.gradient(at: extrapolatedPredictions, into: &slope)
    problem.applyAdjoint(slope, into: &gradient)
    if curvature == 0 { curvature = firstCurvature() }
    return value.isFinite && curvature.isFinite
  }

  /// The step from there; `.stalled` where it leads nowhere.
  mutating func advance() -> StepOutcome {
    guard let next = acceptedTrial() else { return .stalled }
    if next.coefficients == point.coefficients, next.coefficients == extrapolated { return .stalled }
    momentum.restartIfTurned(
      extrapolated: extrapolated, from: point.coefficients, to: next.coefficients, in: problem.metric)
    let β = momentum.advance()
    extrapolated = Self.beyond(next.coefficients, from: point.coefficients, β)
    extrapolatedPredictions = Self.beyond(next.predictions, from: point.predictions, β)
    point = next
    return .advanced
  }

  /// x₊ + β(x₊ − x), which loses no digits where the two are near.
  private static func beyond(_ x₊: Matrix<Element>, from x: Matrix<Element>, _ β: Element) -> Matrix<Element>
  {
    var step = x₊
    step.add(-1, x)
    var result = x₊
    result.add(β, step)
    return result
  }

  /// The gradient in the metric.
  private var steepestAscent: Matrix<Element> { problem.metric?.gradient(gradient) ?? gradient }

  private func square(_ step: Matrix<Element>) -> Element {
    problem.metric?.inner(step, step) ?? step.inner(step)
  }

  /// The curvature along the gradient, a lower bound of the Lipschitz constant that backtracking raises; above zero.
  private func firstCurvature() -> Element {
    var direction = steepestAscent
    let size = square(direction).squareRoot()
    guard size > 0 else { return 1 }
    direction.scale(by: -1 / size)
    var image = problem.zeroPredictions
    problem.apply(direction, into: &image)
    var steepest = problem.loss.smoothness
    if !steepest.isFinite {
      var h = problem.zeroPredictions
      problem.loss.secondDerivative(at: extrapolatedPredictions, into: &h)
      steepest = max(h.storage.max() ?? 1, .leastNormalMagnitude)
    }
    let estimate = image.inner(image) * steepest
    return estimate == 0 ? 1 : estimate
  }

  /// The proximal step for the first curvature that passes the test; nil where none does.
  private mutating func acceptedTrial() -> Trial? {
    curvature *= 0.98
    let ascent = steepestAscent
    for _ in 0..<60 {
      var z = extrapolated
      z.add(-1 / curvature, ascent)
      var w = z
      let penalty = problem.prox(of: z, step: 1 / curvature, into: &w, &memory)
      var trial = Trial(coefficients: w, predictions: problem.zeroPredictions, penalty: penalty)
      problem.apply(w, penalty, into: &trial.predictions)
      z = w
      z.add(-1, extrapolated)
      let square = square(z)
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
}
