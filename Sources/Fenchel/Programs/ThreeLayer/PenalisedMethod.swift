import ConvexOptimization
import LinearAlgebra

/// Solves a `PenalisedProgram` without a matrix: accelerated proximal gradients on
///
///     ℓ(F) + λ Σ_g ‖u_g‖ + Σ_g Σ_k max_{0 ≤ β ≤ ρ} (−β (R_g u_g)_k − (μ/2)(β − α_gk)²),
///
/// and every `interval` steps α ← β at u: the method of multipliers, whose hinges are smooth for every μ and exact in the end,
/// so that μ is chosen for speed alone. The momentum is kept where α moves: to begin anew each time takes many times as many
/// steps. A step takes two products with X for each group, 4ndm, and a pass over its rows. Where α moves, β shows −∇ℓ(F) to be
/// nearly feasible, and so a lower bound.
///
/// The step 1/L is accepted where the smooth part lies below its parabola of curvature L; inputs of extrapolated points are
/// combined from those of the last two, so that this costs no product unless a step is refused.
struct PenalisedMethod {
  private let penalised: PenalisedProgram
  private let map: PenalisedMap
  /// Steps between two changes of α.
  private static let interval = 40

  /// u: G × md, and the point that a step starts from, both with X times their vectors and their predictions.
  private var current: PenalisedMap.Place
  private var extrapolated: PenalisedMap.Place
  private var multipliers: [Double]
  private var momentum = NesterovMomentum<Double>()
  private let μ: Double
  private var curvature: Double
  private(set) var iterations = 0
  /// The least value and the largest bound where α moved, by fast arithmetic, and what they are those of: the momentum carries
  /// both back and forth.
  private(set) var (primal, dual) = (Double.infinity, -Double.infinity)
  private var best: Matrix<Double>
  private var proof: (θ: Matrix<Double>, multipliers: [Double])

  private var program: ThreeLayerProgram { penalised.program }

  /// Begins at zero, or where a run over the first of these patterns ended.
  init(_ penalised: PenalisedProgram, from earlier: PenalisedMethod? = nil) {
    self.penalised = penalised
    map = PenalisedMap(penalised.program)
    let program = penalised.program
    let (groups, length) = (program.groups, program.width * program.features)
    var u = earlier?.current.coefficients.storage ?? []
    u += [Double](repeating: 0, count: groups * length - u.count)
    current = map.place(Matrix(groups, length, storage: u))
    extrapolated = current
    multipliers = earlier?.multipliers ?? []
    multipliers += [Double](repeating: 0, count: map.rows - multipliers.count)
    best = current.coefficients
    proof = (Matrix(program.samples, program.outputs), multipliers)
    let (steepest, square) = (map.curvature(of: program.loss), map.squareOfData)
    μ = steepest > 0 && square > 0 ? square / steepest : 1
    curvature = max(steepest / 4, .leastNormalMagnitude)  // a lower estimate, which steps raise
  }

  /// Bytes that the method takes, about, beside X: inputs of four points, multipliers of all rows of the cones twice, masks,
  /// and seven matrices of coefficients.
  static func bytes(_ program: ThreeLayerProgram) -> Int {
    let (n, d, m, c) = (program.samples, program.features, program.width, program.outputs)
    let (groups, patterns) = (Double(program.groups), Double(program.patterns.count))
    let rows = groups * Double((7 * m + 2) * n) + patterns * Double((m + 1) * n)
    let numbers = rows + 7 * groups * Double(m * d) + Double(n * (d + 8 * c))
    return Int(min(8 * numbers, 1e18))
  }

  /// Whether the method's program is over as many patterns as another.
  func covers(_ other: ThreeLayerProgram) -> Bool { program.patterns.count == other.patterns.count }

  /// (primal − dual)/max(1, |primal|), by fast arithmetic.
  var relativeGap: Double { (primal - dual) / max(1, abs(primal)) }

  /// Runs until the gap, by fast arithmetic, is at most the tolerance, or limits end it; always to a change of α.
  mutating func run(
    _ limits: Limits, deadline: Deadline, progress: ((PenalisedMethod) -> Void)? = nil
  ) -> Status {
    while true {
      let isSettled = settle()
      progress?(self)
      guard isSettled else { return .numericalFailure }
      if relativeGap <= limits.tolerance { return .solved }
      if limits.cancellation?.isRequested == true { return .cancelled }
      if deadline.hasPassed { return .stoppedAtLimit(.time) }
      if iterations >= limits.maximumIterations { return .stoppedAtLimit(.iterations) }
      for _ in 0..<Self.interval where !deadline.hasPassed {
        guard step() else { break }
      }
    }
  }

  /// Takes the gradient at u, moves α, and measures the gap there; false where numbers leave their range.
  private mutating func settle() -> Bool {
    let found = map.differentiate(current, penalised.ρ, μ, &multipliers, movesMultipliers: true)
    let value =
      found.loss + program.λ * current.coefficients.rowNorms.reduce(0, +) + penalised.ρ * found.violation
    let norm = found.ascent.rowNorms.reduce(0, max)
    guard value.isFinite, norm.isFinite else { return false }
    if value < primal { (primal, best) = (value, current.coefficients) }
    let strict = program.strictLoss
    let limit = norm > 0 ? min(1, program.λ / norm) : 1
    let bound = strict.bestScale(strict.feasibleDirection(found.θ), upTo: limit).value
    if bound > dual { (dual, proof) = (bound, (found.θ, multipliers)) }
    iterations += 1
    return true
  }

  /// The proximal step from the extrapolated point, and the next one; false where none is short enough, or nothing moves.
  private mutating func step() -> Bool {
    let found = map.differentiate(extrapolated, penalised.ρ, μ, &multipliers, movesMultipliers: false)
    iterations += 1
    curvature *= 0.98
    let before = curvature
    for _ in 0..<60 {
      let next = map.place(stepped(along: found.ascent))
      var way = next.coefficients
      way.add(-1, extrapolated.coefficients)
      let square = way.inner(way)
      guard square > 0 else { break }
      let twice =
        program.loss.twiceBregman(
          at: next.predictions, from: extrapolated.predictions, value: found.loss, slope: found.slope)
        + map.twiceBregman(at: next, from: extrapolated, penalised.ρ, μ, multipliers)
      guard !(twice / square <= curvature) else {
        momentum.restartIfTurned(
          extrapolated: extrapolated.coefficients, from: current.coefficients, to: next.coefficients)
        extrapolated = next.beyond(from: current, momentum.advance())
        current = next
        return true
      }
      curvature =
        twice.isFinite ? min(max(1.05 * twice / square, 1.1 * curvature), 4 * curvature) : 4 * curvature
    }
    // What is left is rounding, or the end for this α: the next steps begin anew from u, as long as before.
    (curvature, extrapolated, momentum) = (before, current, NesterovMomentum())
    return false
  }

  /// The prox of (λ/L) Σ‖u_g‖ at z = v − ∇/L.
  private func stepped(along ascent: Matrix<Double>) -> Matrix<Double> {
    var z = extrapolated.coefficients
    z.add(1 / curvature, ascent)
    let threshold = program.λ / curvature
    z.scaleRows(by: z.rowNorms.map { $0 > threshold ? 1 - threshold / $0 : 0 })
    return z
  }

  /// The best point, with θ and the multipliers of the largest bound.
  var point: ThreeLayerPoint {
    let norms = best.rowNorms
    let live = norms.indices.filter { norms[$0] > 0 }
    var found: [TwoLayerGroup: SparseVector] = [:]
    for (r, α) in map.sparse(proof.multipliers).enumerated() where !α.indices.isEmpty {
      found[program.group(r)] = α
    }
    return ThreeLayerPoint(
      groups: live.map(program.group), coefficients: best.selectingRows(live), θ: proof.θ,
      multipliers: found)
  }
}
