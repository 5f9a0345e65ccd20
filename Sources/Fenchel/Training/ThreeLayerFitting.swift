import ConvexOptimization
import LinearAlgebra

/// A network of parallel sub-networks fitted to a problem: the program that was solved, and its certified solution.
public struct ThreeLayerFit: Sendable {
  public var program: ThreeLayerProgram
  public var solution: Solution<ThreeLayerPoint>
  /// The least λ at which the zero network is optimal: over the program's patterns, or found by search where they are
  /// refined.
  public var λMax: Double
  /// Largest relative violation that a search over all patterns found, where one was made: an estimate.
  public var heuristicViolation: Double?
  /// Objective of the local training that refinement began with.
  public var localObjective: Double?
  /// Where the time of a refinement went.
  public var phases: RefinementPhases?
  /// The program that trained it, where that has hinges in place of cones; the solution is that of the program with cones.
  public var penalty: PenaltySummary?
  /// Which norm of first layers is one: `frobenius` makes the solution one of the `FrobeniusProgram`.
  public var norm = SubnetworkNorm.unit

  func certified(for problem: TrainingProblem) throws -> CertifiedNetwork {
    let network = try network(hasBias: problem.hasBias)
    let proof = [
      "theta": Tensor(solution.dualPoint.θ), "gates": Tensor(program.patterns.gates),
      "signs": Tensor(program.patterns.signs),
    ]
    let multipliers = penalty.map { _ in program.tensors(ofMultipliers: solution.dualPoint.multipliers) }
    let objective = ThreeLayerForm(network)?.objective(program.strictLoss, λ: program.λ, on: problem.inputs)
    // The network is a point of the program; pruning may have rounded its predictions.
    var certificate = solution.certificate
    certificate.primal = objective ?? certificate.primal
    return CertifiedNetwork(
      network: network, objective: objective,
      λ: program.λ, λMax: λMax, certificate: certificate, status: solution.status,
      iterations: solution.iterations,
      tensors: proof.merging(multipliers ?? [:]) { own, _ in own },
      patterns: .init(count: program.patterns.count, exact: program.patterns.isExact),
      heuristicViolation: heuristicViolation, phases: phases, penalty: penalty)
  }

  /// The decoded network, of no more sub-networks than needed: at most one a sample for each output, unless rounding takes
  /// these out of the program. Sums of sub-networks of one pattern may lie outside of the program's cones where that pattern is
  /// on the border of several; then the sub-networks stay apart. So they do where the run was interrupted and this takes long.
  func network(hasBias: Bool) throws -> Network {
    let pruning = SubnetworkPruning(x: program.x, loss: program.loss, λ: program.λ, norm: norm)
    let all = program.subnetworks(of: solution.point)
    let isQuick = ContributionPruning.isQuick(
      samples: program.samples, features: 2 * all.width * program.x.columns, outputs: program.outputs,
      parts: all.count)
    guard isQuick || !solution.status.isInterrupted else {
      return try program.decode(solution.point, hasBias: hasBias, norm: norm)
    }
    for networks in [try pruning.pruned(all), try pruning.independent(pruning.removingUseless(all))] {
      let network = try Network(networks, outputs: program.outputs, hasBias: hasBias, norm: norm)
      if program.contains(network, norm: norm) { return network }
    }
    return try program.decode(solution.point, hasBias: hasBias, norm: norm)
  }
}

/// Solves training problems of networks of parallel sub-networks: chooses patterns and λ as the settings say.
public struct ThreeLayerFitting {
  public let problem: TrainingProblem
  public let settings: TrainingSettings
  public var cancellation: Cancellation?
  public var progress: ProgressHandler?

  public init(
    _ problem: TrainingProblem, settings: TrainingSettings, cancellation: Cancellation? = nil,
    progress: ProgressHandler? = nil
  ) {
    (self.problem, self.settings) = (problem, settings)
    (self.cancellation, self.progress) = (cancellation, progress)
  }

  /// Neurons of a sub-network.
  private var width: Int { settings.subnetwork ?? TrainingSettings.defaultSubnetwork }

  /// Fits the problem, from the fit of a neighbouring λ where there is one.
  ///
  /// Errors: `TrainingError` for losses with kinks, solvers and gates that are not for this program; `PatternError` for
  /// data too large for all patterns; `ProgramError` where the memory limit is too low.
  public func fit(after earlier: ThreeLayerFit? = nil) throws -> ThreeLayerFit {
    guard !settings.sharesNeurons else { throw TrainingError.sharedNeurons(settings.model) }
    guard !problem.loss.isPiecewiseLinear else {
      throw TrainingError.lossOfModel(problem.kind, settings.model)
    }
    guard settings.solver != .interiorPoint else {
      throw TrainingError.solverOfModel(settings.solver, settings.model)
    }
    if let penalty = settings.penalty { return try penalisedFit(penalty, after: earlier) }
    if settings.columns == .frobenius { return try frobeniusFit(after: earlier) }
    let deadline = limits.deadline
    guard let patterns = try fixedPatterns(after: earlier, deadline) else {
      return try refine(after: earlier, λMax: earlier?.λMax)
    }
    let λMax = try earlier?.λMax ?? self.program(patterns, λ: 1).largestλ(deadline: deadline)
    let program = try program(patterns, λ: settings.lambda.value(largest: λMax))
    var solver = ThreeLayerSolver(
      program, tolerance: limits.tolerance, method: settings.solver.groupLassoMethod,
      start: earlier?.solution.point, deadline: deadline)
    var limits = limits.until(deadline)
    limits.certificateInterval = .max  // the solver knows its own gap
    let solution = drive(&solver, on: program, limits: limits, phase: "cone program", progress: progress)
    return ThreeLayerFit(program: program, solution: solution, λMax: λMax)
  }

  /// The fit by hinges in place of cones. λ_max is one of all patterns, as far as a search finds it.
  private func penalisedFit(_ penalty: ConePenalty, after earlier: ThreeLayerFit?) throws -> ThreeLayerFit {
    guard settings.columns != .frobenius else {
      throw TrainingError.penaltyForm("first layers in the Frobenius ball (--columns frobenius)")
    }
    let deadline = limits.deadline
    let patterns =
      try fixedPatterns(after: earlier, deadline)
      ?? sampledPatterns(settings.sampleForRefinement ?? 100, deadline)
    let λMax = earlier?.λMax ?? searchedλMax()
    let limits = limits.until(deadline)
    var training = PenalisedTraining(
      x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters,
      λ: settings.lambda.value(largest: λMax), patterns: patterns, limits: limits)
    training.progress = progress
    (training.options.weight, training.options.maximumBytes) = (penalty.weight, settings.memoryLimit)
    let outcome = try training.run()
    return ThreeLayerFit(
      program: outcome.program, solution: outcome.solution, λMax: λMax, penalty: outcome.penalty)
  }

  /// The fit of first layers with Frobenius norm one; patterns that are refined are those found with columns of norm one.
  private func frobeniusFit(after earlier: ThreeLayerFit?) throws -> ThreeLayerFit {
    let deadline = limits.deadline
    let fixed = try fixedPatterns(after: earlier, deadline)
    let refined = fixed == nil ? try refine(after: earlier, λMax: nil, share: 0.5) : nil
    guard let patterns = fixed ?? refined?.program.patterns else {
      preconditionFailure("patterns were found")
    }
    let unit = FrobeniusProgram(try program(patterns, λ: 1))
    let λMax = earlier?.λMax ?? unit.largestλ(deadline: deadline)
    let program = try program(patterns, λ: settings.lambda.value(largest: λMax))
    let limits = limits.until(deadline)
    let solution = FrobeniusProgram(program).solve(
      from: refined?.solution.point ?? earlier?.solution.point, limits: limits,
      method: settings.solver.groupLassoMethod, progress: progress)
    return ThreeLayerFit(program: program, solution: solution, λMax: λMax, norm: .frobenius)
  }

  private var limits: Limits {
    Limits(
      tolerance: settings.tolerance, maximumIterations: 100_000, seconds: settings.timeLimit,
      cancellation: cancellation)
  }

  /// - Parameter share: of the time limit that this may take.
  private func refine(
    after earlier: ThreeLayerFit?, λMax known: Double?, share: Double = 1
  ) throws -> ThreeLayerFit {
    let (λMax, seconds) = timed { known ?? searchedλMax() }
    var limits = limits
    limits.seconds = limits.seconds.map { max(0, $0 * share - seconds) }
    var refinement = ThreeLayerRefinement(
      x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters,
      λ: settings.lambda.value(largest: λMax), width: width, limits: limits)
    refinement.progress = progress
    (refinement.options.seed, refinement.options.maximumBytes) = (settings.seed, settings.memoryLimit)
    refinement.options.method = settings.solver.groupLassoMethod
    let start = earlier.map { $0.program.subnetworks(of: $0.solution.point) }
    var outcome = try refinement.run(from: start.flatMap { $0.norms.contains { $0 > 0 } ? $0 : nil })
    outcome.phases.searchSeconds += seconds
    return ThreeLayerFit(
      program: outcome.program, solution: outcome.solution, λMax: λMax,
      heuristicViolation: outcome.heuristicViolation, localObjective: outcome.localObjective,
      phases: outcome.phases)
  }

  /// λ_max over all patterns, as far as a search finds it.
  private func searchedλMax() -> Double {
    let θ = problem.loss.residual(at: Matrix(problem.x.rows, problem.loss.outputs))
    var pricing = SubnetworkPricing(x: problem.x, width: width)
    (pricing.seed, pricing.deadline) = (settings.seed, limits.deadline)
    let none = SubnetworkSet(
      vectors: Matrix(0, width * problem.x.columns), inner: Matrix(0, width), signs: [], outputs: [])
    return StrictDual.beyondRounding(pricing.maxima(θ, from: none).first?.value ?? 0, θ: θ, problem.x)
  }

  /// The program over patterns, where its cones and rows fit into memory.
  private func program(_ patterns: SubnetworkPatterns, λ: Double) throws -> ThreeLayerProgram {
    let program = try ThreeLayerProgram(
      x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters, λ: λ,
      patterns: patterns)
    var bytes = ThreeLayerSolver.bytes(program)
    if settings.columns == .frobenius {
      bytes += AtomCones.bytes(
        samples: program.samples, features: program.features, width: program.width, patterns: patterns.count)
    }
    guard bytes <= settings.memoryLimit else {
      throw ProgramError.memory(needed: bytes, limit: settings.memoryLimit)
    }
    return program
  }

  /// Those of an earlier fit, or by the settings; nil where patterns are refined.
  private func fixedPatterns(
    after earlier: ThreeLayerFit?, _ deadline: Deadline
  ) throws -> SubnetworkPatterns? {
    if settings.patterns == .refine { return nil }
    if let earlier { return earlier.program.patterns }
    switch settings.patterns {
    case .refine: return nil
    case .exact: return try .enumerated(problem.x, width: width, deadline: deadline)
    case .sampled(let count): return try sampledPatterns(count, deadline)
    case .gates:
      throw TrainingError.gates(
        "the model \(settings.model.rawValue) has patterns of two layers, which a file of gates does not give; take "
          + "refine, exact or a number")
    }
  }

  /// As many as half of the time that is left allows.
  private func sampledPatterns(_ count: Int, _ deadline: Deadline) throws -> SubnetworkPatterns {
    try .sampled(
      problem.x, width: width, count: count, seed: settings.seed, maximumBytes: settings.memoryLimit,
      deadline: deadline.after(0.5))
  }
}
