import ConvexOptimization
import LinearAlgebra

/// Finds the activation patterns that a network of parallel sub-networks needs, and solves its convex program over them, as
/// `PatternRefinement` does for two layers: a local training gives the first patterns; then, in rounds, the program over
/// the patterns so far is solved, a search looks for sub-networks that violate its dual constraint, and the network, with a
/// little of these added, is trained locally once more. Where that gains little, the violated patterns alone are added, until
/// the search finds none or has had its share of work. Never worse than the local training that it begins with, which the first
/// program contains.
public struct ThreeLayerRefinement {
  let x: Matrix<Double>
  let loss: any Loss<Double>
  let kind: LossKind
  let parameters: LossParameters
  let λ: Double
  /// m.
  let width: Int
  let limits: Limits
  public var options = Options()
  public var progress: ProgressHandler?

  /// Sizes and budgets of a refinement.
  public struct Options: Sendable {
    /// Sub-networks of the local training for each output; nil: a fifth of the samples, shared by the outputs, from 10 to
    /// 100.
    public var subnetworksPerOutput: Int?
    /// Evaluations of the first local training (nil: as many as 10¹¹ operations allow, from 50 to 1000), and of each one
    /// later, relative to that.
    public var evaluations: Int?
    public var polishingShare = 0.15
    /// Rounds with local training, and all rounds.
    public var maximumTrainedRounds = 20
    public var maximumRounds = 60
    /// Rounds in a row, each of which lowers the objective by less than five times the tolerance, after which there is no
    /// further local training; and multiplications of all Newton steps, about, up to which rounds go on without it, or
    /// twice those until then, if that is more.
    public var maximumIdleRounds = 3
    public var closingWork = 1e10
    /// Multiplications of all Newton steps together, about, after which no further round is begun.
    public var maximumWork = 3e12
    /// Violated patterns taken in a round.
    public var patternsPerRound = 20
    public var seed: UInt64 = 0
    public var method = GroupLassoMethod.automatic
    public var maximumBytes = Int.max

    public init() {}
  }

  public init(
    x: Matrix<Double>, loss: any Loss<Double>, kind: LossKind, parameters: LossParameters, λ: Double,
    width: Int, limits: Limits
  ) {
    (self.x, self.loss, self.kind, self.parameters) = (x, loss, kind, parameters)
    (self.λ, self.width, self.limits) = (λ, width, limits)
  }

  /// What a refinement came to.
  public struct Outcome: Sendable {
    public var program: ThreeLayerProgram
    public var solution: Solution<ThreeLayerPoint>
    /// Objective of the local training.
    public var localObjective: Double
    public var phases: RefinementPhases
    /// Largest relative violation that the last search found; nil where the run was stopped before one.
    public var heuristicViolation: Double?
  }

  /// What is carried from round to round.
  private struct State {
    var program: ThreeLayerProgram
    /// Where the next program begins.
    var start: ThreeLayerPoint?
    var tolerance: Double
    var phases: RefinementPhases
    /// Whether the program is solved to the tolerance, since the search has ended: unless that finds more.
    var isFinal = false
    var idleRounds = 0
    /// Multiplications spent in Newton steps, about.
    var work = 0.0
    /// The work at which the search ends, once rounds gain too little for local training; nil before.
    var closingLimit: Double?
    var iterations = 0
    /// Largest relative violation that the last search found, nil where there was none.
    var violation: Double?
    var best: (program: ThreeLayerProgram, solution: Solution<ThreeLayerPoint>)?
  }

  /// Runs to the tolerance, or until limits end it.
  ///
  /// - Parameter known: a network to begin with, such as that of a neighbouring λ: a short local training goes on from it in
  ///   place of one from random weights.
  ///
  /// Errors: `ProgramError` where the memory limit holds neither the training nor the program.
  public func run(from known: SubnetworkSet? = nil) throws -> Outcome {
    let deadline = limits.deadline
    let local = try trained(from: known)
    let (networks, patterns) = try compact(local.subnetworks)
    let first = try program(patterns)
    var state = State(
      program: first, start: first.encode(networks, θ: Matrix(x.rows, loss.outputs)),
      tolerance: max(limits.tolerance, 1e-2), phases: RefinementPhases(firstSeconds: local.seconds))
    var solution: Solution<ThreeLayerPoint>
    while true {
      solution = try solved(&state, deadline)
      if deadline.hasPassed || state.isFinal && solution.certificate.relativeGap > limits.tolerance { break }
      let (program, round) = (state.program, state.phases.rounds)
      let (found, searched) = timed { search(program, solution, deadline, round: round) }
      state.phases.searchSeconds += searched
      if deadline.hasPassed { break }
      state.violation = max(0, (found.first?.value ?? 0) / λ - 1)
      let violated = found.prefix(options.patternsPerRound).filter { $0.value > λ * (1 + leastViolation) }
      if mayGoOn(state, violated), try takeIn(violated, solution, &state, deadline) { continue }
      if state.isFinal || solution.certificate.relativeGap <= limits.tolerance { break }
      (state.isFinal, state.start, state.tolerance) = (true, solution.point, limits.tolerance)
    }
    return outcome(state, solution, local, deadline)
  }

  /// The solution of the program so far.
  private func solved(_ state: inout State, _ deadline: Deadline) throws -> Solution<ThreeLayerPoint> {
    let before = state.start.map(state.program.strictObjective) ?? .infinity
    let (program, start) = (state.program, state.start)
    let tolerance = state.tolerance
    let (solution, seconds) = try timed { try solve(program, from: start, tolerance: tolerance, deadline) }
    state.phases.programSeconds += seconds
    state.phases.rounds += 1
    state.iterations += solution.iterations
    state.work += Double(solution.iterations) * stepWork(program, groups: solution.point.groups.count)
    let objective = solution.certificate.primal
    if objective <= state.best?.solution.certificate.primal ?? .infinity { state.best = (program, solution) }
    let isBetter = objective < before - 5 * limits.tolerance * max(1, abs(objective))
    state.idleRounds = isBetter ? 0 : state.idleRounds + 1
    let isTrainedOut =
      state.idleRounds >= options.maximumIdleRounds || state.phases.rounds >= options.maximumTrainedRounds
    if isTrainedOut, state.closingLimit == nil {
      state.closingLimit = max(options.closingWork, 2 * state.work)
    }
    return solution
  }

  /// Whether a violation is left, and budget for another round.
  private func mayGoOn(_ state: State, _ violated: [SubnetworkPricing.Maximum]) -> Bool {
    !violated.isEmpty && state.phases.rounds < options.maximumRounds
      && state.work < min(options.maximumWork, state.closingLimit ?? .infinity)
  }

  /// Multiplications of a Newton step, about.
  private func stepWork(_ program: ThreeLayerProgram, groups: Int) -> Double {
    let (n, length) = (Double(x.rows), Double(width * x.columns))
    let rows = SubnetworkPatterns.coneEntries(samples: x.rows, features: x.columns, width: width)
    return n * n * (n / 3 + length) + 10 * Double(rows) * Double(groups)
  }

  /// Adds the violated patterns, and those of the network after local training with them; false where the program would
  /// then take more memory than it may.
  private func takeIn(
    _ violated: [SubnetworkPricing.Maximum], _ solution: Solution<ThreeLayerPoint>, _ state: inout State,
    _ deadline: Deadline
  ) throws -> Bool {
    var trained: SubnetworkSet?
    if state.closingLimit == nil {
      let program = state.program
      let (found, seconds) = try timed { try polished(program, solution, violated, deadline) }
      (trained, state.phases.localSeconds) = (found, state.phases.localSeconds + seconds)
    }
    do {
      (state.program, state.start) = try widened(state.program, solution.point, violated, trained)
    } catch ProgramError.memory {
      return false
    }
    state.isFinal = false
    state.tolerance = max(limits.tolerance, min(1e-2, (state.violation ?? 1) / 20))
    return true
  }

  private func outcome(
    _ state: State, _ last: Solution<ThreeLayerPoint>, _ local: SubnetworkTraining.Outcome,
    _ deadline: Deadline
  ) -> Outcome {
    var (program, solution, violation) = (state.program, last, state.violation)
    if let best = state.best,
      best.solution.certificate.primal < solution.certificate.primal * (1 - limits.tolerance)
    {
      (program, solution, violation) = (best.program, best.solution, nil)
    }
    solution.iterations = state.iterations
    if solution.certificate.relativeGap > limits.tolerance, solution.status == .solved || deadline.hasPassed {
      solution.status = limits.interruption(after: limits.seconds ?? 0) ?? .stoppedAtLimit(.work)
    }
    return Outcome(
      program: program, solution: solution, localObjective: local.objective, phases: state.phases,
      heuristicViolation: violation)
  }

  /// Relative violation below which a search counts as having found nothing.
  private var leastViolation: Double { max(limits.tolerance / 2, 1e-6) }

  private var subnetworksPerOutput: Int {
    options.subnetworksPerOutput ?? min(100, max(10, x.rows / 5 / loss.outputs))
  }

  private var evaluations: Int {
    let work = 4 * Double(x.count) * Double(width * subnetworksPerOutput * loss.outputs)
    return options.evaluations ?? Int(min(1000, max(50, 1e11 / max(work, 1))))
  }

  private var training: SubnetworkTraining {
    var training = SubnetworkTraining(x: x, loss: loss, λ: λ)
    training.cancellation = limits.cancellation
    return training
  }

  private func trained(from known: SubnetworkSet?) throws -> SubnetworkTraining.Outcome {
    let start =
      known?.largest(above: 1e-4)
      ?? training.randomSubnetworks(width: width, perOutput: subnetworksPerOutput, seed: options.seed)
    let bytes = training.bytes(subnetworks: start.count, width: width)
    guard bytes <= options.maximumBytes else {
      throw ProgramError.trainingMemory(needed: bytes, limit: options.maximumBytes)
    }
    let outcome = training.run(
      from: start, evaluations: known == nil ? evaluations : polishingEvaluations,
      seconds: limits.seconds.map { $0 / 3 })
    progress?(Progress(phase: "local training", iteration: outcome.evaluations, seconds: outcome.seconds))
    return outcome
  }

  /// Evaluations of a short local training.
  private var polishingEvaluations: Int { max(10, Int(options.polishingShare * Double(evaluations))) }

  private func program(_ patterns: SubnetworkPatterns) throws -> ThreeLayerProgram {
    let program = try ThreeLayerProgram(
      x: x, loss: loss, kind: kind, parameters: parameters, λ: λ, patterns: patterns)
    let bytes = ThreeLayerSolver.bytes(program)
    guard bytes <= options.maximumBytes else {
      throw ProgramError.memory(needed: bytes, limit: options.maximumBytes)
    }
    return program
  }

  private func patterns(of networks: SubnetworkSet) throws -> SubnetworkPatterns {
    try .given(networks.vectors, signs: networks.inner, for: x)
  }

  /// The sub-networks that matter and are active somewhere, and their patterns.
  private func compact(_ networks: SubnetworkSet) throws -> (networks: SubnetworkSet, SubnetworkPatterns) {
    let kept = networks.largest(above: 1e-7)
    let (patterns, places) = try SubnetworkPatterns.placing(kept, on: x)
    return (kept.selecting(places.indices.filter { places[$0] != nil }), patterns)
  }

  /// The solution of a program, at least as good as the point that it starts from.
  private func solve(
    _ program: ThreeLayerProgram, from start: ThreeLayerPoint?, tolerance: Double, _ deadline: Deadline
  ) throws -> Solution<ThreeLayerPoint> {
    var inner = limits
    inner.tolerance = tolerance
    inner.seconds = deadline.secondsLeft
    inner.certificateInterval = .max  // the solver knows its own gap
    var solver = ThreeLayerSolver(
      program, tolerance: tolerance, method: options.method, start: start, deadline: deadline)
    var solution = drive(&solver, on: program, limits: inner, phase: "cone program", progress: progress)
    guard let start, !start.groups.isEmpty else { return solution }
    let primal = program.strictObjective(at: start)
    if primal < solution.certificate.primal {
      solution.point.groups = start.groups
      solution.point.coefficients = start.coefficients
      solution.certificate.primal = primal
    }
    return solution
  }

  private func search(
    _ program: ThreeLayerProgram, _ solution: Solution<ThreeLayerPoint>, _ deadline: Deadline, round: Int
  ) -> [SubnetworkPricing.Maximum] {
    var pricing = SubnetworkPricing(x: x, width: width)
    (pricing.seed, pricing.deadline) = (options.seed &+ UInt64(round), deadline)
    return pricing.maxima(
      solution.dualPoint.θ, from: program.subnetworks(of: solution.point).largest(above: 1e-3))
  }

  /// The network after a short local training with a little of the violated sub-networks.
  private func polished(
    _ program: ThreeLayerProgram, _ solution: Solution<ThreeLayerPoint>,
    _ violated: [SubnetworkPricing.Maximum], _ deadline: Deadline
  ) throws -> SubnetworkSet {
    var networks = program.subnetworks(of: solution.point).largest(above: 1e-4)
    let size = 1e-3 * (networks.norms.max() ?? 1)
    for found in violated {
      var small = found.subnetwork
      small.vectors.scale(by: size)
      networks = networks.appending(small)
    }
    guard training.bytes(subnetworks: networks.count, width: width) <= options.maximumBytes else {
      return networks
    }
    let outcome = training.run(
      from: networks, evaluations: polishingEvaluations, seconds: deadline.secondsLeft)
    return try compact(outcome.subnetworks.largest(above: 1e-3)).networks
  }

  /// The program over the patterns that a point uses for more than a thousandth of its largest group, those of violated
  /// sub-networks and those of a polished network, and the better of the two networks as its start.
  private func widened(
    _ program: ThreeLayerProgram, _ point: ThreeLayerPoint, _ violated: [SubnetworkPricing.Maximum],
    _ polished: SubnetworkSet?
  ) throws -> (ThreeLayerProgram, ThreeLayerPoint) {
    let norms = point.coefficients.rowNorms
    let smallest = 1e-3 * (norms.max() ?? 0)
    let live = norms.indices.filter { norms[$0] > smallest }
    let used = Set(live.map { point.groups[$0].pattern }).sorted()
    let places = Dictionary(uniqueKeysWithValues: used.enumerated().map { ($1, $0) })
    var patterns = program.patterns.selecting(used)
    if let polished { patterns = patterns.adding(try self.patterns(of: polished)) }
    for found in violated { patterns = patterns.adding(try self.patterns(of: found.subnetwork)) }
    let larger = try self.program(patterns)
    let known = ThreeLayerPoint(
      groups: live.map { q in
        var group = point.groups[q]
        group.pattern = places[group.pattern] ?? 0
        return group
      }, coefficients: point.coefficients.selectingRows(live), θ: point.θ)
    guard let polished, let other = larger.encode(polished, θ: point.θ) else { return (larger, known) }
    let isBetter = larger.strictObjective(at: other) < larger.strictObjective(at: known)
    return (larger, isBetter ? other : known)
  }
}
