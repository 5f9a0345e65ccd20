import ConvexOptimization
import LinearAlgebra

/// Solves a two-layer program on a growing set of groups, judged by the duality gap of the whole program.
///
/// Most groups are zero at the optimum. Each round solves the program over the working set by the
/// interior-point method, prices all groups at the dual point found, adds the most violated ones and drops those
/// that are zero. A round stops early while many groups are still missing: its tolerance follows the gap of
/// the whole program. Ends when that gap is certified: once a round brings back nothing but groups that the method
/// had dropped, it drops no more, so that a finite number of groups guarantees the end.
public struct WorkingSetMethod {
  public let program: TwoLayerProgram
  public let limits: Limits
  public var progress: ProgressHandler?
  /// Bytes that the method may take.
  public var maximumBytes = Int.max

  public init(_ program: TwoLayerProgram, limits: Limits) {
    self.program = program
    self.limits = limits
  }

  /// What a run came to.
  public struct Outcome: Sendable {
    public var solution: Solution<TwoLayerPoint>
    /// Groups of the last working set, for a warm start nearby.
    public var groups: [TwoLayerGroup]
    public var rounds: Int
  }

  /// Runs from the given groups, or from those that the gradient at zero prices highest.
  public func solve(from initial: [TwoLayerGroup] = []) throws(ProgramError) -> Outcome {
    let clock = ContinuousClock()
    let start = clock.now
    var state = State(best: zeroPoint())
    let groups = initial.isEmpty ? highestPriced(state.best) : initial
    var tolerance = groups.count == program.allGroups.count || !initial.isEmpty ? limits.tolerance / 4 : 1e-2
    var isCautious = false
    var known = Set(groups)
    var method = try restricted(to: groups, tolerance: tolerance)
    while true {
      state.rounds += 1
      let status = run(&method, &state, since: start, clock: clock)
      let point = method.point
      let prices = state.keep(program.feasible(nonZeroPart(of: point)), program)
      state.best.seconds = start.duration(to: clock.now).seconds
      progress?(
        Progress(
          phase: "interior point", iteration: state.best.iterations, seconds: state.best.seconds,
          certificate: state.best.certificate))
      if status == .stalled || status == .numericalFailure {
        _ = state.keep(zeroPoint().point, program)  // optimal for a large λ, where no interior point is near
      }
      if (status == .stalled || status == .numericalFailure), !isCautious,
        state.best.certificate.relativeGap > limits.tolerance
      {
        isCautious = true
        method = try restricted(to: method.groups, tolerance: tolerance, isCautious: true)
        continue
      }
      if let status = finalStatus(state, roundStatus: status, tolerance: tolerance) {
        state.best.status = status
        return Outcome(solution: state.best, groups: method.groups, rounds: state.rounds)
      }
      let missing = violated(prices, members: Set(method.groups), state.best.certificate)
      if !missing.isEmpty, known.isSuperset(of: missing) { isCautious = true }
      known.formUnion(missing)
      let gap = state.best.certificate.relativeGap
      tolerance = missing.isEmpty ? tolerance / 10 : min(tolerance, max(limits.tolerance / 4, gap / 10))
      method = try restricted(
        to: method.groups + missing, tolerance: tolerance, isCautious: isCautious)
    }
  }

  /// What a run keeps between rounds.
  private struct State {
    var best: Solution<TwoLayerPoint>
    var rounds = 0

    init(best: Solution<TwoLayerPoint>) { self.best = best }

    /// Certifies a point, keeps the better primal and dual, and returns the prices of the groups at the point.
    mutating func keep(_ point: TwoLayerPoint, _ program: TwoLayerProgram) -> [GroupPricing.Price] {
      let (bound, prices) = program.dualBoundAndPrices(θ: point.θ)
      best.keepBetter(
        point,
        Certificate(
          primal: program.strictObjective(at: point), dual: bound.value, scope: best.certificate.scope))
      return prices
    }
  }

  /// The zero network with the dual point that it gives, whose bound is not computed.
  private func zeroPoint() -> Solution<TwoLayerPoint> {
    var θ = Matrix<Double>(program.samples, program.outputs)
    program.loss.gradient(at: Matrix(program.samples, program.outputs), into: &θ)
    for i in 0..<θ.count { θ.storage[i] = -θ.storage[i] }
    let point = TwoLayerPoint(groups: [], coefficients: Matrix(0, program.features), θ: θ)
    let primal = program.strictObjective(at: point)
    let scope = program.patterns.isExact ? Certificate.Scope.exact : .restricted
    return Solution(
      point: point, certificate: Certificate(primal: primal, dual: -.infinity, scope: scope),
      status: .solved, iterations: 0, seconds: 0)
  }

  /// The groups to begin with: those that θ of the zero network prices highest.
  private func highestPriced(_ zero: Solution<TwoLayerPoint>) -> [TwoLayerGroup] {
    let all = program.allGroups
    if all.count <= initialSize { return all }
    let prices = GroupPricing(program, deadline: limits.deadline).prices(θ: zero.point.θ, above: 0)
      .sorted { ($0.norm, $1.group) > ($1.norm, $0.group) }
    return prices.prefix(initialSize).map(\.group)
  }

  /// As many groups as a Newton step of 10¹¹ multiplications takes, one n² d (without cones n²) a group: all of
  /// them, in most programs.
  private var initialSize: Int {
    let n = program.samples
    let perGroup = n * n * (program.isConstrained ? program.features : 2)
    return max(64, 100_000_000_000 / max(perGroup, 1))
  }

  private func restricted(
    to groups: [TwoLayerGroup], tolerance: Double, isCautious: Bool = false
  ) throws(ProgramError) -> InteriorPointMethod {
    let bytes = InteriorPointMethod.bytes(program, groups: groups, isCautious: isCautious)
    guard bytes <= maximumBytes else { throw .memory(needed: bytes, limit: maximumBytes) }
    return InteriorPointMethod(program, groups: groups, tolerance: tolerance, isCautious: isCautious)
  }

  /// Runs the method until its own measure says that the point is worth certifying, or a limit ends it.
  private func run(
    _ method: inout InteriorPointMethod, _ state: inout State, since start: ContinuousClock.Instant,
    clock: ContinuousClock
  ) -> Status {
    for _ in 0..<100 {
      state.best.iterations += 1
      switch method.step() {
      case .advanced: break
      case .readyForCertificate: return .solved
      case .stalled: return .stalled
      case .failed: return .numericalFailure
      }
      if limits.cancellation?.isRequested == true { return .cancelled }
      if state.best.iterations >= limits.maximumIterations { return .stoppedAtLimit(.iterations) }
      if let limit = limits.seconds, start.duration(to: clock.now).seconds > limit {
        return .stoppedAtLimit(.time)
      }
    }
    return .stalled
  }

  private func finalStatus(_ state: State, roundStatus: Status, tolerance: Double) -> Status? {
    if state.best.certificate.relativeGap <= limits.tolerance { return .solved }
    switch roundStatus {
    case .cancelled, .stoppedAtLimit: return roundStatus
    case .numericalFailure, .stalled: return roundStatus
    case .solved, .completed: return tolerance < 1e-14 ? .stalled : nil
    }
  }

  /// The point without the groups that are zero to the precision of the method: those whose removal changes
  /// the objective by less than a millionth of the tolerance.
  private func nonZeroPart(of point: TwoLayerPoint) -> TwoLayerPoint {
    let norms = (0..<point.groups.count).map { g in
      point.coefficients.row(g).withPointer { Double.norm2(program.features, $0) }
    }
    let largest = norms.max() ?? 0
    let keep = norms.indices.filter { norms[$0] > 1e-9 * largest }
    return TwoLayerPoint(
      groups: keep.map { point.groups[$0] }, coefficients: point.coefficients.selectingRows(keep), θ: point.θ)
  }

  /// The most violated groups that the method does not have, at most as many again as it has.
  private func violated(
    _ prices: [GroupPricing.Price], members: Set<TwoLayerGroup>, _ certificate: Certificate
  ) -> [TwoLayerGroup] {
    let slack = 1 + min(1e-3, max(certificate.relativeGap / 10, 1e-12))
    return prices.filter { !members.contains($0.group) && $0.norm > program.λ * slack }
      .sorted { ($0.norm, $1.group) > ($1.norm, $0.group) }
      .prefix(max(16, members.count)).map(\.group)
  }
}

extension TwoLayerGroup: Comparable {
  /// By pattern, sign (+ before −) and output.
  public static func < (a: TwoLayerGroup, b: TwoLayerGroup) -> Bool {
    (a.pattern, -a.sign, a.output) < (b.pattern, -b.sign, b.output)
  }
}
