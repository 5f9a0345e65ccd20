import ConvexOptimization
import LinearAlgebra

/// Trains a network of parallel sub-networks at a size where cones are too many to project on: by the program with hinges in
/// their place (`PenalisedProgram`), over given patterns.
///
/// Its solution lies outside of the cones by as much as that pays, and the sub-networks that have its weights are another
/// function than the program's: a network in patterns of its own. A local training goes on from there; then the program is
/// solved once more with the network's patterns among its own, from where it stood. What comes out is an ordinary network with
/// its own objective, and a lower bound on every network in all of these patterns, its own included: no hinge is paid in the
/// cones. This is repeated while the network gains by it.
public struct PenalisedTraining {
  let x: Matrix<Double>
  let loss: any Loss<Double>
  let kind: LossKind
  let parameters: LossParameters
  let λ: Double
  let patterns: SubnetworkPatterns
  let limits: Limits
  public var options = Options()
  public var progress: ProgressHandler?

  /// Sizes and budgets.
  public struct Options: Sendable {
    /// ρ; nil for `PenalisedProgram.defaultShare` of the largest slope of the loss at zero.
    public var weight: Double?
    /// The relative gap of the penalised program, as a multiple of the tolerance.
    public var slack = 10.0
    /// Solutions of the program: of the patterns given, and each time that a better network brought its own.
    public var maximumSolutions = 3
    /// Sub-networks of a solution that are trained on, the largest ones.
    public var maximumSubnetworks = 400
    /// Evaluations of a local training; nil: as many as 10¹¹ operations allow, from 50 to 1000.
    public var evaluations: Int?
    public var maximumBytes = Int.max

    public init() {}
  }

  public init(
    x: Matrix<Double>, loss: any Loss<Double>, kind: LossKind, parameters: LossParameters, λ: Double,
    patterns: SubnetworkPatterns, limits: Limits
  ) {
    (self.x, self.loss, self.kind, self.parameters) = (x, loss, kind, parameters)
    (self.λ, self.patterns, self.limits) = (λ, patterns, limits)
  }

  /// What a training came to.
  public struct Outcome: Sendable {
    /// The program with cones, over the patterns given and those of the network.
    public var program: ThreeLayerProgram
    /// The network as a point of that program, its objective, and the bound.
    public var solution: Solution<ThreeLayerPoint>
    public var penalty: PenaltySummary
  }

  /// Runs to the tolerances, or until limits end it.
  ///
  /// Errors: `ProgramError` where the weight is not positive, or the memory limit holds neither the program nor the training.
  public func run() throws -> Outcome {
    let (deadline, began) = (limits.deadline, ContinuousClock().now)
    var penalised = try program(patterns)
    var method: PenalisedMethod?
    var (network, objective) = (SubnetworkSet?.none, Double.infinity)
    var (decoded, iterations) = (Double.infinity, 0)
    var status = Status.solved
    for solution in 1...max(1, options.maximumSolutions) {
      var next = PenalisedMethod(penalised, from: method)
      let share = solution == 1 ? 0.4 : solution < options.maximumSolutions ? 0.5 : 1
      status = run(&next, deadline: deadline.after(share), began: began)
      iterations += next.iterations
      method = next
      if status == .cancelled || solution == options.maximumSolutions && network != nil { break }
      let start = largest(penalised.program.subnetworks(of: next.point))
      let pruning = SubnetworkPruning(x: x, loss: loss, λ: λ)
      decoded = min(decoded, pruning.objective(start))
      let trained = try pruning.pruned(try self.trained(from: start, deadline.after(0.5)))
      let value = pruning.objective(trained)
      guard value < objective - limits.tolerance * max(1, abs(value)) else { break }
      (network, objective) = (trained, value)
      let own = try SubnetworkPatterns.given(trained.vectors, signs: trained.inner, for: x)
      penalised = try program(penalised.program.patterns.adding(own))
    }
    guard let method else { preconditionFailure("the program was solved") }
    return try outcome(
      penalised, method, network: network, decoded: decoded, status, iterations,
      seconds: began.duration(to: ContinuousClock().now).seconds)
  }

  private func program(_ patterns: SubnetworkPatterns) throws -> PenalisedProgram {
    let program = try ThreeLayerProgram(
      x: x, loss: loss, kind: kind, parameters: parameters, λ: λ, patterns: patterns)
    let bytes = PenalisedMethod.bytes(program)
    guard bytes <= options.maximumBytes else {
      throw ProgramError.memory(needed: bytes, limit: options.maximumBytes)
    }
    return try PenalisedProgram(program, ρ: weight)
  }

  /// ρ.
  private var weight: Double {
    if let weight = options.weight { return weight }
    let steepest = loss.residual(at: Matrix(x.rows, loss.outputs)).storage.reduce(0) { max($0, abs($1)) }
    return steepest > 0 ? PenalisedProgram.defaultShare * steepest : 1
  }

  private func run(
    _ method: inout PenalisedMethod, deadline: Deadline, began: ContinuousClock.Instant
  ) -> Status {
    var inner = limits
    inner.tolerance = options.slack * limits.tolerance
    let progress = self.progress
    return method.run(inner, deadline: deadline) { method in
      progress?(
        Progress(
          phase: "penalised program", iteration: method.iterations,
          seconds: began.duration(to: ContinuousClock().now).seconds, estimatedGap: method.relativeGap))
    }
  }

  /// The sub-networks of some size, the largest of them.
  private func largest(_ networks: SubnetworkSet) -> SubnetworkSet {
    let kept = networks.largest(above: 1e-3)
    let norms = kept.norms
    let order = norms.indices.sorted { (norms[$0], $1) > (norms[$1], $0) }
    return kept.selecting(order.prefix(options.maximumSubnetworks * loss.outputs).sorted())
  }

  private func trained(from start: SubnetworkSet, _ deadline: Deadline) throws -> SubnetworkSet {
    var training = SubnetworkTraining(x: x, loss: loss, λ: λ)
    training.cancellation = limits.cancellation
    guard start.count > 0,
      training.bytes(subnetworks: start.count, width: start.width) <= options.maximumBytes
    else { return start }
    let work = 4 * Double(x.count) * Double(start.width * start.count)
    let outcome = training.run(
      from: start, evaluations: options.evaluations ?? Int(min(1000, max(50, 1e11 / max(work, 1)))),
      seconds: deadline.secondsLeft)
    progress?(Progress(phase: "local training", iteration: outcome.evaluations, seconds: outcome.seconds))
    return outcome.subnetworks.largest(above: 1e-7)
  }

  /// The network as a point of the last program, with the bound there.
  private func outcome(
    _ penalised: PenalisedProgram, _ method: PenalisedMethod, network: SubnetworkSet?, decoded: Double,
    _ status: Status, _ iterations: Int, seconds: Double
  ) throws -> Outcome {
    // The patterns that the last network brought may be newer than the last solution: it begins their program.
    let last = method.covers(penalised.program) ? method : PenalisedMethod(penalised, from: method)
    let proof = last.point
    let program = penalised.program
    let none = ThreeLayerPoint(
      groups: [], coefficients: Matrix(0, program.width * program.features), θ: proof.θ)
    let point = network.flatMap { program.encode($0, θ: proof.θ) } ?? none
    let (value, bounds) = (penalised.value(at: proof), penalised.bounds(at: proof))
    let certificate = Certificate(
      primal: program.strictObjective(at: point), dual: bounds.cones,
      scope: program.patterns.isExact ? .exact : .restricted)
    var solution = Solution(
      point: point, certificate: certificate, status: status, iterations: iterations, seconds: seconds)
    solution.dualPoint = proof
    if certificate.relativeGap <= limits.tolerance {
      solution.status = .solved
    } else if status == .solved {
      solution.status = .completed
    }
    let penalty = PenaltySummary(
      weight: penalised.ρ, value: value.value, bound: bounds.penalised, violation: value.violation,
      decoded: decoded)
    return Outcome(program: program, solution: solution, penalty: penalty)
  }
}

/// The penalised program that a network was trained by: its value is that of no network, and bounds none from above.
public struct PenaltySummary: Codable, Sendable, Equatable {
  /// ρ.
  public var weight: Double
  /// The program's value at the point found: bound ≤ optimum of the penalised program ≤ value.
  @FiniteOrNull public var value: Double
  /// A lower bound on that optimum, and so on every network in these patterns.
  @FiniteOrNull public var bound: Double
  /// (value − bound)/max(1, |value|).
  @FiniteOrNull public var relativeGap: Double
  /// By how much the point violates the cones, Σ (−R u)₊.
  @FiniteOrNull public var violation: Double
  /// The least objective of a network with the weights of such a point, before it was trained.
  @FiniteOrNull public var decoded: Double

  public init(weight: Double, value: Double, bound: Double, violation: Double, decoded: Double) {
    (self.weight, self.value, self.bound) = (weight, value, bound)
    relativeGap = (value - bound) / max(1, abs(value))
    (self.violation, self.decoded) = (violation, decoded)
  }

  /// Whether the bound is below the value, up to rounding, and the gap is theirs, where they are numbers.
  var isConsistent: Bool {
    let gap = (value - bound) / max(1, abs(value))
    return !(gap < -1e-9) && !(abs(gap - relativeGap) > 1e-9)
  }
}
