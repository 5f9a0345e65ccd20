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

  /// The residual ‖ρ‖ relative to the move ‖A(U − W̄)‖ at which U becomes the next centre.
  private static var inexactness: Element { 0.5 }
  /// Factor on σ after a subproblem that took few steps, and from it after one that took too many. Without cones its
  /// square after one that took one or two.
  private static var growth: Element { 4 }
  /// Steps after which a subproblem is given up for one with a smaller σ.
  private static var patience: Int { 10 }

  /// - Parameters:
  ///   - σ: the first proximal step; some 50 divided by a Lipschitz constant of ∇(ℓ∘A) begins well at W = 0.
  ///   - system: keeps factorisations of earlier systems for use in later ones.
  init(
    _ problem: RestrictedProblem<Element>, from start: RestrictedIterate<Element>, σ: Element,
    system: SampleNewtonSystem<Element>
  ) {
    self.problem = problem
    self.σ = σ
    self.system = system
    iterate = start
    centre = start.coefficients
    centrePredictions = start.predictions
    stage = problem.newtonStage(
      at: start.predictions, centre: centre, σ: σ, projections: start.projections)
  }

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
    var move = stage.image
    move.add(-1, centrePredictions)
    let isSolved = stage.residual.frobeniusNorm <= Self.inexactness * move.frobeniusNorm
    guard isSolved || stepsAtCentre >= Self.patience else { return }
    if !isSolved {
      σ /= Self.growth
    } else if stepsAtCentre <= 4 {
      σ *= stepsAtCentre <= 2 && !hasCones ? Self.growth * Self.growth : Self.growth
    }
    stepsAtCentre = 0
    hasMoved = true
    guard isSolved else { return }
    centre = stage.u
    centrePredictions = stage.image
  }

  /// ⟨ρ, dθ⟩ for dF along the direction: the derivative of ψ, from below zero up.
  private func derivative(_ stage: NewtonStage<Element>, _ direction: Matrix<Element>) -> Element {
    let factor = problem.loss.hessianFactor(at: stage.predictions)
    var (left, right) = (stage.residual, direction)
    factor.applyTransposed(&left)
    factor.applyTransposed(&right)
    return -left.inner(right)
  }

  /// A step at which ψ still falls, or its derivative is at most half of what it was below zero (a condition
  /// free of the rounding of ψ's values), found by false position.
  private mutating func search(_ direction: Matrix<Element>) -> StepOutcome {
    let initial = derivative(stage, direction)
    guard initial < 0 else { return .stalled }
    var t: Element = 1
    for _ in 0..<20 {
      var f = stage.predictions
      f.add(t, direction)
      let trial = problem.newtonStage(at: f, centre: centre, σ: σ, projections: stage.projections)
      let slope = derivative(trial, direction)
      if slope <= -initial / 2 {
        stage = trial
        return .advanced
      }
      t *= slope.isFinite ? min(max(initial / (initial - slope), 0.05), 0.7) : 0.1
    }
    return .stalled
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
