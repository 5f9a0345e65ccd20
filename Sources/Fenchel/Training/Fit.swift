import ConvexOptimization
import LinearAlgebra

/// A two-layer network fitted to a problem: the convex program that was solved, and its certified solution.
public struct Fit: Sendable {
  public var program: TwoLayerProgram
  public var solution: Solution<TwoLayerPoint>
  /// The least λ at which the zero network is optimal: exact over the program's patterns, or an upper bound where the
  /// time limit came first; found by search where patterns are refined; 0 where all that is found is rounding.
  public var λMax: Double
  /// Arithmetic that the solver began with; Double goes on where single precision ends early.
  public var precision = Precision.double
  /// Whether neurons of a gated network feed all outputs: then the solution is one of the `NuclearProgram`.
  public var sharesNeurons = false
  /// Largest relative violation that a search over all patterns found, where one was made: an estimate.
  public var heuristicViolation: Double?
  /// Objective of the local training that refinement began with.
  public var localObjective: Double?
  /// Where the time of a refinement went.
  public var phases: RefinementPhases?
  /// A bound over networks of any width, where one was looked for and found.
  public var globalBound: GlobalBound?
}

/// Solves training problems as convex programs: chooses patterns, λ and solver as the settings say.
public struct Fitting {
  public let problem: TrainingProblem
  public let settings: TrainingSettings
  public var cancellation: Cancellation?
  public var progress: ProgressHandler?

  public init(
    _ problem: TrainingProblem, settings: TrainingSettings, cancellation: Cancellation? = nil,
    progress: ProgressHandler? = nil
  ) {
    self.problem = problem
    self.settings = settings
    self.cancellation = cancellation
    self.progress = progress
  }

  private var isConstrained: Bool { settings.model.hasCones }

  var limits: Limits {
    Limits(
      tolerance: settings.tolerance, maximumIterations: 100_000, seconds: settings.timeLimit,
      cancellation: cancellation)
  }

  /// Fits the problem. `earlier` is the fit of a neighbouring λ, whose groups start the working set.
  ///
  /// Errors: `PatternError` for gates that do not fit or too high a rank for all patterns; `ProgramError` where the
  /// memory limit is too low.
  public func fit(after earlier: Fit? = nil) throws -> Fit {
    guard !settings.sharesNeurons || settings.model == .gatedReLU else {
      throw TrainingError.sharedNeurons(settings.model)
    }
    if case .refine = settings.patterns, isConstrained { return try refine() }
    let deadline = limits.deadline
    let patterns = try earlier?.program.patterns ?? fixedPatterns(deadline)
    if settings.sharesNeurons {
      return try nuclearFit(program(patterns, λ: 1), after: earlier, deadline)
    }
    let λMax = try earlier?.λMax ?? largestUsefulλ(patterns, deadline)
    let program = try program(patterns, λ: λ(λMax))
    let solving = ProgramSolving(
      solver: settings.solver, precision: settings.precision, limits: limits.until(deadline),
      maximumBytes: settings.memoryLimit, progress: progress)
    let solution = try solving.solve(program, from: earlier?.solution.point)
    return Fit(
      program: program, solution: solution, λMax: λMax, precision: solving.precision(of: program))
  }

  private func refine() throws -> Fit {
    let (λMax, seconds) = timed(searchedλMax)
    var limits = limits
    limits.seconds = limits.seconds.map { $0 - seconds }
    var refinement = PatternRefinement(
      x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters, λ: λ(λMax),
      pooling: problem.pooling, limits: limits)
    refinement.progress = progress
    refinement.options.seed = settings.seed
    refinement.options.maximumBytes = settings.memoryLimit
    refinement.options.solver = settings.solver
    if settings.bound == .tight { refinement.options.closingWork = .infinity }
    var outcome = try refinement.run()
    outcome.phases.searchSeconds += seconds
    return Fit(
      program: outcome.program, solution: outcome.solution, λMax: λMax,
      heuristicViolation: outcome.heuristicViolation, localObjective: outcome.localObjective,
      phases: outcome.phases)
  }

  private func λ(_ λMax: Double) -> Double { settings.lambda.value(largest: λMax) }

  func program(_ patterns: ActivationPatterns, λ: Double) throws -> TwoLayerProgram {
    if settings.model == .threshold {
      return try ThresholdProgram(
        x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters, λ: λ,
        patterns: patterns
      ).lasso
    }
    return try TwoLayerProgram(
      x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters, λ: λ,
      patterns: patterns, isConstrained: isConstrained, pooling: problem.pooling)
  }

  /// The patterns that the settings name; where the deadline comes first, those found by then.
  func fixedPatterns(_ deadline: Deadline) throws -> ActivationPatterns {
    switch settings.patterns {
    case .exact: try .enumerated(problem.x, deadline: deadline)
    case .sampled(let count): try sampledPatterns(count, deadline)
    case .gates(let gates): try .given(widened(gates), for: problem.x, deduplicated: true)
    case .refine: try sampledPatterns(settings.sampleForRefinement ?? 200, deadline)
    }
  }

  /// As many as half of the time that is left allows.
  private func sampledPatterns(
    _ count: Int, _ deadline: Deadline
  ) throws(PatternError) -> ActivationPatterns {
    try .sampled(
      problem.x, count: count, seed: settings.seed, maximumBytes: settings.memoryLimit,
      deadline: deadline.after(0.5))
  }

  /// Gates in the width of X: a missing bias coordinate is 0.
  private func widened(_ gates: Matrix<Double>) -> Matrix<Double> {
    guard problem.hasBias, gates.columns == problem.x.columns - 1 else { return gates }
    var result = Matrix<Double>(gates.rows, gates.columns + 1)
    for i in 0..<gates.rows { for j in 0..<gates.columns { result[i, j] = gates[i, j] } }
    return result
  }

  /// −∇ℓ(0).
  private var residualAtZero: Matrix<Double> {
    let zero = Matrix<Double>(problem.loss.samples, problem.loss.outputs)
    var θ = zero
    problem.loss.gradient(at: zero, into: &θ)
    for i in 0..<θ.count { θ.storage[i] = -θ.storage[i] }
    return θ
  }

  /// λ_max over given patterns: the largest dual norm of −∇ℓ(0), or past the time limit an upper bound on it.
  private func largestUsefulλ(_ patterns: ActivationPatterns, _ deadline: Deadline) throws -> Double {
    let θ = residualAtZero
    let program = try program(patterns, λ: 1)
    let pricing = GroupPricing(program, deadline: deadline)
    return beyondRounding(pricing.largestNorm(θ: θ), θ: θ, program.x)
  }

  /// λ_max over all patterns, as far as a search finds it.
  private func searchedλMax() -> Double {
    let θ = residualAtZero
    let spread = problem.pooling.adjoint(θ)
    let deadline = limits.deadline
    var largest = 0.0
    for j in 0..<θ.columns {
      for sign in [1.0, -1.0] {
        var search = Pricing(x: problem.x)
        (search.seed, search.deadline) = (settings.seed, deadline)
        let maxima = search.maxima(θ: spread.column(j), sign: sign, starts: Matrix(0, problem.x.columns))
        largest = max(largest, maxima.first?.value ?? 0)
      }
    }
    return beyondRounding(largest, θ: θ, problem.x)
  }

  private func beyondRounding(_ norm: Double, θ: Matrix<Double>, _ x: Matrix<Double>) -> Double {
    StrictDual.beyondRounding(norm, θ: problem.pooling.adjoint(θ), x)
  }
}
