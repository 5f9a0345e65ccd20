import LinearAlgebra

/// The proximal point method for the group lasso on a working set, its subproblems solved in the dual by
/// semismooth Newton steps (SSNAL: Li, Sun & Toh 2018; for the group lasso Zhang, Zhang, Sun & Toh 2020).
///
/// With centre W̄ and step σ a subproblem asks for predictions F such that F = A U(F), where
///
///     U = prox_{σλ‖·‖}(W̄ + σAᵀθ),  θ = −∇ℓ(F),
///
/// that is for the zero of ρ = A U − F, the gradient in θ of the convex ψ = ℓ*(−θ) + ‖U‖²/(2σ). The Newton
/// direction solves (I + QH) ΔF = ρ with H = ∇²ℓ and Q = σ A M Aᵀ, M the derivative of the prox: for every
/// active group (1 − τ)I + τ ẑẑᵀ, τ = σλ/‖z‖. With cones z is projected first, and I becomes the projector onto the
/// span of the face that holds z. See `NewtonDerivative` and `SampleNewtonSystem`.
///
/// Typically some 25 steps from W = 0 to a gap of 1e-6, and few from a solution nearby.
struct SemismoothNewton<Element: Scalar>: RestrictedMethod {
  let problem: RestrictedProblem<Element>
  private(set) var iterate: RestrictedIterate<Element>
  /// σ.
  private(set) var σ: Element
  private(set) var system: SampleNewtonSystem<Element>
  private var centre: Matrix<Element>
  private var centrePredictions: Matrix<Element>
  private var stage: NewtonStage<Element>
  private var stepsAtCentre = 0
  /// Whether the last step solved a subproblem, so that its end became the next centre.
  private(set) var hasMoved = false

  /// The residual ‖ρ‖ at which U becomes the next centre, relative to the move ‖A(U − W̄)‖ or, where that is less, to
  /// ‖U − W̄‖/√(Lσ) with ∇ℓ of Lipschitz constant L (criterion B of Li, Sun & Toh): along directions that A hardly sees the
  /// former is nothing but rounding.
  private static var inexactness: Element { 0.5 }
  /// Factor on σ after a subproblem that took few steps, and from it after one that took too many. Without cones its
  /// square after one that took one or two.
  private static var growth: Element { 4 }
  /// The rounding of σAᵀθ, relative to U, beyond which σ does not grow.
  private static var resolution: Element { 1e-5 }
  /// Steps after which a subproblem is given up for one with a smaller σ.
  private static var patience: Int { 10 }

  /// - Parameters:
  ///   - dualPredictions: the F of the first subproblem; the start's predictions where nothing better is known.
  ///   - σ: the first proximal step; some 50 divided by a Lipschitz constant of ∇(ℓ∘A) begins well at W = 0.
  ///   - system: keeps factorisations of earlier systems for use in later ones.
  init(
    _ problem: RestrictedProblem<Element>, from start: RestrictedIterate<Element>,
    dualPredictions: Matrix<Element>, σ: Element, system: SampleNewtonSystem<Element>
  ) {
    self.problem = problem
    self.σ = σ
    self.system = system
    iterate = start
    centre = start.coefficients
    centrePredictions = start.predictions
    stage = problem.newtonStage(
      at: dualPredictions, centre: centre, σ: σ, projections: start.projections)
  }

  /// The F with θ = −∇ℓ(F), which is A W only where a subproblem is solved exactly. The next working set begins there: a θ
  /// taken at A W may be far from feasible.
  var dualPredictions: Matrix<Element> { stage.predictions }

  mutating func step() -> StepOutcome {
    if hasMoved {
      stage = problem.newtonStage(
        at: stage.predictions, centre: centre, σ: σ, projections: stage.projections)
      hasMoved = false
    }
    guard let direction = system.direction(problem, stage, σ: σ) else { return .failed }
    let outcome = search(direction)
    iterate.coefficients = stage.u
    iterate.coefficientNorms = stage.norms
    iterate.predictions = stage.image
    iterate.θ = stage.θ
    iterate.adjoint = stage.adjoint
    iterate.projections = stage.projections
    stepsAtCentre += 1
    if outcome == .advanced { moveCentreIfSolved() }
    return outcome
  }

  private var hasCones: Bool { problem.whole.cones != nil }

  /// Moves the centre to U once the subproblem is solved well enough for that.
  private mutating func moveCentreIfSolved() {
    var (seenMove, move) = (stage.image, stage.u)
    seenMove.add(-1, centrePredictions)
    move.add(-1, centre)
    let size = max(seenMove.frobeniusNorm, move.frobeniusNorm / (problem.loss.smoothness * σ).squareRoot())
    let isSolved = stage.residual.frobeniusNorm <= Self.inexactness * size
    guard isSolved || stepsAtCentre >= Self.patience else { return }
    if !isSolved {
      σ /= Self.growth
    } else if stepsAtCentre <= 4 {
      let growth = stepsAtCentre <= 2 && !hasCones ? Self.growth * Self.growth : Self.growth
      σ = max(σ, min(growth * σ, largestσ))
    }
    stepsAtCentre = 0
    hasMoved = true
    guard isSolved else { return }
    centre = stage.u
    centrePredictions = stage.image
  }

  /// The σ at which rows of W̄ + σAᵀθ, ‖u_r‖ + σλ long, carry the rounding that U may have.
  private var largestσ: Element {
    let active = stage.norms.filter { $0 > 0 }
    guard !active.isEmpty else { return .infinity }
    let mean = active.reduce(0, +) / Element(active.count)
    return Self.resolution / .ulpOfOne * mean / problem.λ
  }

  /// ⟨ρ, dθ⟩ for dF along the direction: the derivative of ψ, from below zero up.
  private func derivative(_ stage: NewtonStage<Element>, _ direction: Matrix<Element>) -> Element {
    let factor = problem.loss.hessianFactor(at: stage.predictions)
    var (left, right) = (stage.residual, direction)
    factor.applyTransposed(&left)
    factor.applyTransposed(&right)
    return -left.inner(right)
  }

  /// ψ = ⟨∇ℓ(F), F⟩ − ℓ(F) + ‖U‖²/(2σ), and the size of its terms.
  private func dualValue(_ stage: NewtonStage<Element>) -> (value: Element, size: Element) {
    let conjugate = (-stage.θ.inner(stage.predictions), -problem.loss.value(at: stage.predictions))
    let square = stage.norms.reduce(0) { $0 + $1 * $1 } / (2 * σ)
    return (conjugate.0 + conjugate.1 + square, abs(conjugate.0) + abs(conjugate.1) + square)
  }

  /// The whole step where ψ still falls there, or rises at most half as fast as it fell at the beginning (a condition free
  /// of the rounding of ψ's values). Otherwise one whose derivative is at most half of that in size, or one short of such
  /// by a factor of 2 at most. No step leads above where it began by more than rounding: where ∇ℓ saturates, ψ along
  /// the path of θ is flat beyond a rise.
  private mutating func search(_ direction: Matrix<Element>) -> StepOutcome {
    let initial = derivative(stage, direction)
    guard initial < 0 else { return .stalled }
    let begin = dualValue(stage)
    let highest = begin.value + Element.ulpOfOne.squareRoot() * begin.size
    var (t, short, long): (Element, Element, Element) = (1, 0, .infinity)
    var best: NewtonStage<Element>?
    for _ in 0..<20 {
      var f = stage.predictions
      f.add(t, direction)
      let trial = problem.newtonStage(at: f, centre: centre, σ: σ, projections: stage.projections)
      let slope = derivative(trial, direction)
      if slope.isFinite, slope <= -initial / 2, dualValue(trial).value <= highest {
        (short, best) = (t, trial)
        if t == 1 || slope >= initial / 2 { break }
      } else {
        long = t
      }
      if 2 * short >= long { break }
      let share = initial / (initial - slope)
      t = short > 0 ? (short + long) / 2 : t * (share > 0 ? min(max(share, 0.05), 0.7) : 0.1)
    }
    guard let best else { return .stalled }
    stage = best
    return .advanced
  }
}

/// Everything that follows from predictions F in a subproblem.
struct NewtonStage<Element: Scalar>: Sendable {
  var predictions: Matrix<Element>
  var θ: Matrix<Element>
  /// Aᵀθ.
  var adjoint: Matrix<Element>
  /// The prox U of W̄ + σAᵀθ, the norms of its rows, and with cones the projections in it.
  var u: Matrix<Element>
  var norms: [Element]
  var projections: [ConeProjection<Element>?]
  /// A U, and ρ = A U − F.
  var image: Matrix<Element>
  var residual: Matrix<Element>
}

extension RestrictedProblem {
  func newtonStage(
    at f: Matrix<Element>, centre: Matrix<Element>, σ: Element, projections: [ConeProjection<Element>?]
  ) -> NewtonStage<Element> {
    var θ = f
    loss.gradient(at: f, into: &θ)
    θ.scale(by: -1)
    var adjoint = centre
    whole.map.applyAdjoint(θ, to: groups, into: &adjoint)
    var z = centre
    z.add(σ, adjoint)
    var u = z
    var projections = projections
    let norms = prox(z, step: σ, into: &u, projections: &projections)
    var image = f
    predictions(u, norms: norms, into: &image)
    var residual = image
    residual.add(-1, f)
    return NewtonStage(
      predictions: f, θ: θ, adjoint: adjoint, u: u, norms: norms, projections: projections, image: image,
      residual: residual)
  }
}
