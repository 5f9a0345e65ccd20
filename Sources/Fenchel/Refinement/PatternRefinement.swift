import ConvexOptimization
import LinearAlgebra

/// Finds the activation patterns that a two-layer ReLU network needs, and solves its convex program over them.
///
/// A short local training gives the first patterns, and the network grows by neurons that it lacks as long as that
/// pays (`grown`). Then, in rounds: the program over all patterns so far is solved to a proven gap by a working set;
/// pricing searches for patterns that violate its dual constraint; the network, with the priced neurons added, is
/// trained locally once more, and its patterns come back in. Where that gains little, the patterns at hand are kept, and
/// the priced ones alone are added, until the search finds no violation above the tolerance or has had its share of
/// work. The result is never worse than the local training that it starts from, since the program contains that network.
public struct PatternRefinement {
  let x: Matrix<Double>
  let loss: any Loss<Double>
  let kind: LossKind
  let parameters: LossParameters
  let λ: Double
  let pooling: RowSums
  let limits: Limits
  public var options = Options()
  public var progress: ProgressHandler?

  /// Sizes and budgets of a refinement.
  public struct Options: Sendable {
    /// Neurons of the local training for each output; nil: a fifth of the samples, shared by the outputs, from
    /// 10 to 200.
    public var neuronsPerOutput: Int?
    /// Evaluations of the first local training (nil: as many as 10¹¹ operations allow, from 50 to 1000), and of
    /// each one later, relative to that.
    public var evaluations: Int?
    public var polishingShare = 0.15
    /// Length with which priced neurons join a network, as a share of that of its longest neuron.
    public var newcomersShare = 0.3
    /// Steps of growth before the first program, and multiplications of all of them together, about.
    public var maximumGrowthSteps = 20
    public var maximumGrowthWork = 3e11
    /// Rounds with local training, and all rounds.
    public var maximumTrainedRounds = 20
    public var maximumRounds = 60
    /// Rounds in a row, each of which lowers the objective by less than the tolerance, after which there is no further
    /// local training; and multiplications of all Newton steps, about, up to which rounds go on without it, or twice
    /// those until then, if that is more.
    public var maximumIdleRounds = 2
    public var closingWork = 1e10
    /// Priced patterns taken in a round for each sign and output.
    public var patternsPerRound = 10
    /// Random starts of a search; those after a program that was meant to be the last have twice as many.
    public var randomStarts = 64
    public var seed: UInt64 = 0
    public var solver = SolverChoice.auto
    /// Bytes that local training and the cone programs may take, and multiplications of one of the programs' Newton
    /// steps.
    public var maximumBytes = Int.max
    public var maximumStepWork = 2e11
    /// Multiplications of all Newton steps together, about, after which no further round is begun.
    public var maximumWork = 3e12

    public init() {}
  }

  public init(
    x: Matrix<Double>, loss: any Loss<Double>, kind: LossKind, parameters: LossParameters, λ: Double,
    pooling: RowSums = .identity, limits: Limits
  ) {
    (self.x, self.loss, self.kind, self.parameters, self.λ, self.pooling, self.limits) = (
      x, loss, kind, parameters, λ, pooling, limits
    )
  }

  /// What a refinement found.
  public struct Outcome: Sendable {
    /// The program over all patterns that came up, and its solution.
    public var program: TwoLayerProgram
    public var solution: Solution<TwoLayerPoint>
    /// Objective of the first local training, which the solution never exceeds.
    public var localObjective: Double
    /// Where the time went.
    public var phases: RefinementPhases
    /// Largest relative violation of the solution's dual constraint that a search found, an estimate from below; nil
    /// where the run was stopped before that search.
    public var heuristicViolation: Double?
  }

  /// Runs the refinement; throws `ProgramError` where the memory limit is too low.
  public func run() throws -> Outcome {
    var state = try begin()
    while true {
      state.phases.rounds += 1
      try solveProgram(&state, tolerance: state.isFinal ? limits.tolerance : programTolerance(state))
      let candidates = search(&state)
      if state.isLocal || state.stop != nil { break }
      if candidates.count > 0, mayGoOn(state), try takeIn(candidates, &state) { continue }
      if state.isFinal || isCertified(state) { break }
      try comeToAnEnd(&state)
    }
    state.solution.seconds = state.began.duration(to: ContinuousClock().now).seconds
    return try outcome(state)
  }

  /// Whether a violation is left, and budget for another round; of a time limit the last third is for the last program.
  private func mayGoOn(_ state: State) -> Bool {
    state.violation ?? 0 > tolerance && state.phases.rounds < options.maximumRounds
      && state.work < min(options.maximumWork, state.closingLimit ?? .infinity)
      && !(state.isClosing && remaining(since: state.began, ofShare: 2 / 3).map { $0 <= 0 } == true)
  }

  /// Whether the last solution has the tolerance, and is as good as every network so far.
  private func isCertified(_ state: State) -> Bool {
    let certificate = state.solution.certificate
    return certificate.relativeGap <= limits.tolerance && certificate.primal <= state.best.objective
  }

  /// Prepares the last program: the present one, to be solved to the tolerance from its own solution, or with the
  /// patterns of an earlier network that was better, from that network.
  private func comeToAnEnd(_ state: inout State) throws {
    state.isFinal = true
    state.start = state.solution.point
    guard state.best.objective < state.solution.certificate.primal else { return }
    let neurons = compact(state.best.neurons)
    state.program = try program(state.program.patterns.adding(gates(of: neurons), for: x))
    state.start = point(of: neurons, θ: state.solution.dualPoint.θ, in: state.program)
  }

  /// What ends the run now, if anything: Ctrl-C or the time limit.
  private func stop(_ state: State) -> Status? {
    if limits.cancellation?.isRequested == true { return .cancelled }
    return remaining(since: state.began).map { $0 <= 0 } == true ? .stoppedAtLimit(.time) : nil
  }

  /// Seconds that are left of a share of the time limit, or nil without a limit.
  func remaining(since began: ContinuousClock.Instant, ofShare share: Double = 1) -> Double? {
    limits.seconds.map { share * $0 - began.duration(to: ContinuousClock().now).seconds }
  }

  /// Relative violation below which a search counts as having found nothing.
  package var tolerance: Double { max(limits.tolerance / 2, 1e-6) }

  private var neuronsPerOutput: Int {
    options.neuronsPerOutput ?? min(200, max(10, loss.samples / 5 / loss.outputs))
  }

  var evaluations: Int {
    let work = 4 * Double(x.count) * Double(neuronsPerOutput * loss.outputs)
    return options.evaluations ?? Int(min(1000, max(50, 1e11 / max(work, 1))))
  }

  /// A program with its solution, and the violation found there by a search.
  private typealias End = (program: TwoLayerProgram, solution: Solution<TwoLayerPoint>, violation: Double?)

  /// What is carried from round to round.
  private struct State {
    /// The program that `solution` belongs to.
    var program: TwoLayerProgram
    /// The program over the patterns with neurons only.
    var compressed: TwoLayerProgram
    /// The neurons of the last network.
    var neurons: NeuronSet
    /// Where the next program begins: the groups that may matter, with the coefficients known for them.
    var start: TwoLayerPoint
    var solution: Solution<TwoLayerPoint>
    var local: LocalTraining.Outcome
    var phases = RefinementPhases()
    /// When the run began.
    let began: ContinuousClock.Instant
    /// Largest relative violation that the last search found, nil where there was none.
    var violation: Double?
    var idleRounds = 0
    /// The work at which the search ends, once rounds gain too little for local training; nil before.
    var closingLimit: Double?
    /// Whether rounds have no local training any more, and drop only patterns that hardly matter.
    var isClosing: Bool { closingLimit != nil }
    /// Multiplications spent in Newton steps, about.
    var work = 0.0
    /// Whether the cone program was too large, so that there is nothing to refine.
    var isLocal = false
    /// Whether the next program is solved to the tolerance, since the search has ended: unless that finds more.
    var isFinal = false
    /// What ended the run from outside.
    var stop: Status?
    var status: Status { solution.status }

    /// The last program that was solved to its tolerance, and the violation found there, for a run that is stopped in
    /// the middle of the next.
    var certified: End?
    /// The best network so far, by its objective.
    var best: (neurons: NeuronSet, objective: Double)

    mutating func keep(_ new: Solution<TwoLayerPoint>) {
      let iterations = solution.iterations
      solution = new
      solution.iterations += iterations
      if new.certificate.primal < best.objective {
        best = (NeuronSet(new.point), new.certificate.primal)
      }
    }
  }

  private func begin() throws -> State {
    let began = ContinuousClock().now
    var training = LocalTraining(x: x, loss: loss, λ: λ, pooling: pooling)
    training.cancellation = limits.cancellation
    let bytes = training.bytes(perOutput: neuronsPerOutput)
    guard bytes <= options.maximumBytes else {
      throw ProgramError.trainingMemory(needed: bytes, limit: options.maximumBytes)
    }
    let local = training.train(
      perOutput: neuronsPerOutput, evaluations: evaluations, seconds: limits.seconds.map { $0 / 3 },
      seed: options.seed, maximumBytes: options.maximumBytes)
    progress?(
      Progress(phase: "local training", iteration: local.evaluations, seconds: local.seconds))
    var phases = RefinementPhases(firstSeconds: local.seconds)
    var (program, point) = try firstProgram(grown(local, since: began, &phases))
    if !isAffordable(program, point.groups) {
      let other = try firstProgram(compact(local.neurons))
      if isAffordable(other.program, other.point.groups) { (program, point) = other }
    }
    let certificate = Certificate(
      primal: program.strictObjective(at: point), dual: -.infinity, scope: .restricted)
    let solution = Solution(
      point: point, certificate: certificate, status: .stalled, iterations: local.evaluations, seconds: 0)
    return State(
      program: program, compressed: program, neurons: NeuronSet(point), start: point, solution: solution,
      local: local, phases: phases, began: began,
      best: (NeuronSet(point), certificate.primal))
  }

  /// The program over the patterns of neurons, and their point in it.
  private func firstProgram(_ neurons: NeuronSet) throws -> (program: TwoLayerProgram, point: TwoLayerPoint) {
    let program = try self.program(
      ActivationPatterns.given(gates(of: neurons), for: x, deduplicated: true))
    return (program, point(of: neurons, θ: Matrix(loss.samples, loss.outputs), in: program))
  }

  /// Whether a program stays below the limits on memory and on the work of a Newton step.
  private func isAffordable(_ program: TwoLayerProgram, _ groups: [TwoLayerGroup]) -> Bool {
    let solving = ProgramSolving(solver: options.solver, limits: limits, maximumBytes: options.maximumBytes)
    return solving.stepWork(program, groups: groups) <= options.maximumStepWork
      && TwoLayerSolver<Double>.bytes(program, method: options.solver.groupLassoMethod)
        <= options.maximumBytes
  }

  /// The neurons that matter, merged by pattern, sign and output.
  func compact(_ neurons: NeuronSet) -> NeuronSet {
    let norms = neurons.norms
    let smallest = 1e-7 * (norms.max() ?? 0)
    let kept = neurons.selecting(norms.indices.filter { norms[$0] > smallest })
    guard kept.count > 0 else { return kept }
    return kept.merged(bits: BitMatrix(signsOf: x, times: kept.vectors.transposed))
  }

  /// Gates of neurons: their directions; a zero gate where there is no neuron, so that there is a pattern.
  private func gates(of neurons: NeuronSet) -> Matrix<Double> {
    neurons.count > 0 ? neurons.vectors.withUnitRows : Matrix(1, x.columns)
  }

  private func program(_ patterns: ActivationPatterns) throws -> TwoLayerProgram {
    try TwoLayerProgram(
      x: x, loss: loss, kind: kind, parameters: parameters, λ: λ, patterns: patterns, isConstrained: true,
      pooling: pooling)
  }

  /// Solves the program over the patterns so far, from the start that the state has.
  private func solveProgram(_ state: inout State, tolerance: Double) throws {
    var inner = limits
    inner.tolerance = tolerance
    inner.seconds = remaining(since: state.began).map { max(0, $0) }
    let solving = ProgramSolving(
      solver: options.solver, limits: inner, maximumBytes: options.maximumBytes, progress: progress)
    let stepWork = solving.stepWork(state.program, groups: state.start.groups)
    guard stepWork <= options.maximumStepWork, limits.cancellation?.isRequested != true else {
      return try certifyLocally(&state)
    }
    let (solution, seconds) = try timed { try solving.solve(state.program, from: state.start) }
    state.phases.programSeconds += seconds
    state.work += Double(solution.iterations) * stepWork
    let isBetter = solution.certificate.primal < state.best.objective - reach(at: state.best.objective)
    state.idleRounds = isBetter ? 0 : state.idleRounds + 1
    let isTrainedOut =
      state.idleRounds >= options.maximumIdleRounds || state.phases.rounds >= options.maximumTrainedRounds
    if isTrainedOut, !state.isClosing { state.closingLimit = max(options.closingWork, 2 * state.work) }
    state.keep(solution)
    try compress(&state)
  }

  /// Where a Newton step would take too long: the network of local training, and the bound that its own residual
  /// gives over its patterns.
  private func certifyLocally(_ state: inout State) throws {
    let neurons = NeuronSet(state.solution.point)
    try certify(neurons, θ: residual(of: neurons), in: &state.program, &state.solution)
    state.solution.status =
      limits.cancellation?.isRequested == true ? .cancelled : .stoppedAtLimit(.work)
    state.isLocal = true
  }

  /// Makes a network the point of a solution: its patterns join the program, and θ gives the bound over all of them.
  private func certify(
    _ neurons: NeuronSet, θ: Matrix<Double>, in program: inout TwoLayerProgram,
    _ solution: inout Solution<TwoLayerPoint>
  ) throws {
    let neurons = compact(neurons)
    program = try self.program(program.patterns.adding(neurons.vectors.withUnitRows, for: x))
    solution.point = point(of: neurons, θ: θ, in: program)
    solution.dualPoint = solution.point
    // A run that was stopped, or may be out of time, waits for few multipliers: without them the bound is weaker, and holds.
    let isHurried = limits.seconds != nil || limits.cancellation?.isRequested == true
    let work =
      isHurried ? TwoLayerProgram.certificateWork(inSeconds: 1) : TwoLayerProgram.certificateWork
    solution.certificate = Certificate(
      primal: program.strictObjective(at: solution.point), dual: program.dualBound(θ: θ, work: work).value,
      scope: program.patterns.isExact ? .exact : .restricted)
  }

  /// The point of neurons whose patterns a program has.
  private func point(of neurons: NeuronSet, θ: Matrix<Double>, in program: TwoLayerProgram) -> TwoLayerPoint {
    guard let point = program.encode(neurons, θ: θ) else {
      preconditionFailure("the program has the patterns of the neurons")
    }
    return point
  }

  /// Goes on with the neurons that matter and their patterns; what is dropped in error will be priced again.
  private func compress(_ state: inout State) throws {
    let point = state.solution.point
    let norms = point.coefficients.rowNorms
    let smallest = (state.isClosing ? 1e-3 : 1e-2) * (norms.max() ?? 0)
    let kept = Array(
      norms.indices.filter { norms[$0] > smallest }.sorted { (norms[$0], $1) > (norms[$1], $0) }
        .prefix((loss.samples + 1) * loss.outputs)
    ).sorted()
    let used = Set(kept.map { point.groups[$0].pattern }).sorted()
    let places = Dictionary(uniqueKeysWithValues: used.enumerated().map { ($0.element, $0.offset) })
    let groups = kept.map {
      let group = point.groups[$0]
      return TwoLayerGroup(pattern: places[group.pattern] ?? 0, sign: group.sign, output: group.output)
    }
    let vectors = point.coefficients.selectingRows(kept)
    state.start = TwoLayerPoint(groups: groups, coefficients: vectors, θ: point.θ)
    state.neurons = NeuronSet(vectors: vectors, signs: groups.map(\.sign), outputs: groups.map(\.output))
    if !used.isEmpty { state.compressed = try program(state.program.patterns.selecting(used)) }
  }

  /// Early rounds solve their program as well as the missing patterns make it worth.
  private func programTolerance(_ state: State) -> Double {
    max(limits.tolerance, min(1e-2, state.violation.map { $0 / 20 } ?? 1e-2))
  }

  /// Neurons of unit length in violated patterns, found by search at the present dual point; updates the violation,
  /// and `stop` where the run has to end, with or without a search.
  private func search(_ state: inout State) -> NeuronSet {
    state.violation = nil
    state.stop = stop(state)
    let isZero = state.solution.dualPoint.θ.storage.allSatisfy { $0 == 0 }
    guard state.stop == nil, !isZero else { return .none(features: x.columns) }
    var search = Pricing(x: x)
    search.seed = options.seed &+ UInt64(state.phases.rounds)
    search.randomStarts = (state.isFinal ? 2 : 1) * options.randomStarts
    search.deadline = Deadline(in: remaining(since: state.began), cancellation: limits.cancellation)
    let ((found, violation), seconds) = timed {
      priced(search, θ: state.solution.dualPoint.θ, starts: state.neurons)
    }
    state.phases.searchSeconds += seconds
    state.stop = stop(state)
    if state.stop == nil { state.violation = violation }
    if state.status == .solved { state.certified = (state.program, state.solution, state.violation) }
    return found
  }

  /// Adds the priced patterns, and those of the network after local training with them; false where the program would
  /// then take more memory or work than it may.
  private func takeIn(_ candidates: NeuronSet, _ state: inout State) throws -> Bool {
    let trained = state.isClosing ? nil : retrained(with: candidates, &state)
    let gates = gates(of: trained.map { candidates.appending($0) } ?? candidates)
    let program = try program(state.compressed.patterns.adding(gates, for: x))
    var start = trained.map { point(of: $0, θ: state.solution.dualPoint.θ, in: program) } ?? state.start
    let known = Set(start.groups)
    let priced = point(of: candidates, θ: start.θ, in: program).groups
    let others = Array(Set(state.start.groups + priced).subtracting(known)).sorted()
    start.groups += others
    start.coefficients = Matrix(
      start.groups.count, x.columns,
      storage: start.coefficients.storage + [Double](repeating: 0, count: others.count * x.columns))
    guard isAffordable(program, start.groups) else { return false }
    (state.program, state.start, state.isFinal) = (program, start, false)
    return true
  }

  /// The network after local training with the priced neurons.
  private func retrained(with candidates: NeuronSet, _ state: inout State) -> NeuronSet {
    let outcome = polished(
      with(candidates, in: state.neurons), seconds: remaining(since: state.began), &state.phases)
    // A network that the newcomers raised is as welcome: they lead it off the kinks that hold it.
    let polished = outcome.objective.isFinite ? outcome.neurons : state.neurons
    return largest(of: compact(polished), count: state.neurons.count + 3 * candidates.count)
  }

  /// The neurons of some size, the largest of them: the rest is what small steps leave behind.
  private func largest(of neurons: NeuronSet, count: Int) -> NeuronSet {
    let norms = neurons.norms
    let smallest = 1e-2 * (norms.max() ?? 0)
    let order = norms.indices.filter { norms[$0] > smallest }.sorted { (norms[$0], $1) > (norms[$1], $0) }
    return neurons.selecting(Array(order.prefix(count)))
  }

  /// How a refinement ended, by its certificate: that of an earlier network may reach the tolerance where the last
  /// program stalled or met a limit, or miss it where that was solved. A search may be missing then.
  private func status(of solution: Solution<TwoLayerPoint>, _ state: State) -> Status {
    let isCertified = solution.certificate.relativeGap <= limits.tolerance
    return switch solution.status {
    case .solved, .completed: isCertified ? .solved : state.stop ?? .stoppedAtLimit(.work)
    case .stalled, .numericalFailure, .stoppedAtLimit: isCertified ? .solved : solution.status
    case .cancelled: .cancelled
    }
  }

  /// The last program with its solution, or that of the last round that was solved where that bounds the best network
  /// closer; where an earlier network was better, that network, whose patterns join the program.
  private func outcome(_ state: State) throws -> Outcome {
    var (program, solution, violation) = try withBestNetwork(
      (state.program, state.solution, state.violation), of: state)
    if state.status != .solved, let certified = state.certified {
      let earlier = try withBestNetwork(certified, of: state)
      if earlier.solution.certificate.relativeGap < solution.certificate.relativeGap {
        let (status, iterations, seconds) = (solution.status, solution.iterations, solution.seconds)
        (program, solution, violation) = earlier
        (solution.status, solution.iterations, solution.seconds) = (status, iterations, seconds)
      }
    }
    solution.status = status(of: solution, state)
    return Outcome(
      program: program, solution: solution, localObjective: state.local.objective, phases: state.phases,
      heuristicViolation: violation.map { max(0, $0) })
  }

  /// A solved program with the best network of the run in place of a worse one.
  private func withBestNetwork(_ end: End, of state: State) throws -> End {
    var end = end
    if state.best.objective < end.solution.certificate.primal {
      try certify(state.best.neurons, θ: end.solution.dualPoint.θ, in: &end.program, &end.solution)
    }
    return end
  }
}
