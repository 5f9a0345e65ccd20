import ConvexOptimization
import LinearAlgebra

/// Looks for a bound over all networks near a solution of a program with cones.
package struct GlobalBounding {
  private let program: TwoLayerProgram
  package var effort = BoundEffort.quick
  var deadline = Deadline.none
  var maximumBytes = Int.max
  private let strict: StrictLoss
  private let reduction: RankReduction

  /// The largest rank at which cones are cut.
  static var mostFeatures: Int { 6 }
  /// The part of the objective up to which a gap counts as a proof of optimality.
  static var exactness: Double { 1e-4 }

  /// Whether a bound is as near to an objective as that.
  static func isExact(_ bound: Double, primal: Double) -> Bool { bound >= target(primal) }

  private static func target(_ primal: Double) -> Double { primal - exactness * abs(primal) }

  package init(_ program: TwoLayerProgram) {
    self.program = program
    strict = program.strictLoss
    reduction = RankReduction(program.x)
  }

  /// Whether cones can be cut.
  var isNarrow: Bool { (1...Self.mostFeatures).contains(reduction.rank) && effort != .none }

  /// What a search came to.
  package struct Outcome {
    package var bound: GlobalBound?
    /// Unit vectors in patterns that violate the dual constraint.
    package var found: NeuronSet
  }

  /// The program's own bound where it has all patterns, for few features that of cones, and the patterns met by their search.
  ///
  /// - Parameter untilViolated: whether patterns are looked for: a search that meets some ends soon, without much of a bound.
  package func search(near solution: Solution<TwoLayerPoint>, untilViolated: Bool = false) -> Outcome {
    var outcome = Outcome(bound: nil, found: .none(features: program.features))
    guard effort != .none else { return outcome }
    let (_, seconds) = timed {
      if program.patterns.isExact {
        outcome.bound = GlobalBound(value: solution.certificate.dual, proof: .patterns)
        outcome.bound?.sharedValue = shared(program.measuredDual(solution.dualPoint.θ))
      } else if isNarrow || reduction.rank == 0 {
        outcome = cutCones(solution.dualPoint.θ, untilViolated: untilViolated)
      }
    }
    outcome.bound = accepted(outcome.bound, seconds, solution)
    return outcome
  }

  /// The bound over networks whose neurons feed any outputs, where there is more than one.
  private func shared(_ dual: @autoclosure () -> MeasuredDual) -> Double? {
    program.outputs > 1 ? dual().sharedValue(strict, λ: program.λ) : nil
  }

  /// The bound of the relaxation; nil where there is none, or the effort allows for none.
  package func relaxation(near solution: Solution<TwoLayerPoint>) -> GlobalBound? {
    let (bound, seconds) = timed { relax(target: Self.target(solution.certificate.primal)) }
    return accepted(bound, seconds, solution)
  }

  /// Whether a bound proves a solution to be the best there is.
  static func isExact(_ bound: GlobalBound?, for solution: Solution<TwoLayerPoint>) -> Bool {
    bound.map { isExact($0.value, primal: solution.certificate.primal) } ?? false
  }

  /// A bound above a network's objective would be an error, not a bound.
  private func accepted(
    _ bound: GlobalBound?, _ seconds: Double, _ solution: Solution<TwoLayerPoint>
  ) -> GlobalBound? {
    let primal = solution.certificate.primal
    guard var bound, bound.value.isFinite, bound.value <= primal + 1e-9 * max(1, abs(primal)) else {
      return nil
    }
    bound.seconds = seconds
    return bound
  }
}

// MARK: The relaxation

extension GlobalBounding {
  /// Widths of the roundings, one after another.
  private static var widths: [Double] { [0.05, 0.01, 0.001] }
  private static var partedWidth: Double { 0.002 }
  /// Pieces an output into which directions are parted, and features up to which that is worth the work.
  static var mostPieces: Int { 64 }
  private static var mostPartedFeatures: Int { 64 }

  /// The best bound of the relaxation's minimisers, and of parting the directions where that was asked for and `target` is
  /// not met; nil where it takes too much work or memory.
  private func relax(target: Double) -> GlobalBound? {
    let (x, c) = (reduction.rotated, program.outputs)
    let work = 2 * Double(c) * RectifierRelaxation.work(x)
    let evaluations = Int(min(1e6, effort.relaxationWork / max(1, work)))
    guard evaluations >= 40, 2 * c * RectifierRelaxation.bytes(x) <= maximumBytes, x.columns > 0 else {
      return nil
    }
    let zero = program.loss.value(at: Matrix(program.samples, c))
    guard zero > 0, zero.isFinite else { return nil }
    var relaxation = RectifierRelaxation(
      x: x, loss: program.loss, minimisers: strict.minimisers, λ: program.λ, pooling: program.pooling)
    var point = relaxation.start(seed: 0, size: zero / 20)
    var best: (value: Double, multipliers: BoundMultipliers)?
    for (stage, ε) in Self.widths.enumerated() where !deadline.hasPassed {
      relaxation.round(by: ε, loss: smooth(program.loss, by: ε))
      let isLast = stage == Self.widths.count - 1
      let method = LBFGS(
        memory: 20, maximumEvaluations: evaluations / Self.widths.count,
        decreaseTolerance: isLast ? 1e-9 : 1e-5)
      let run = method.minimise(from: point, shouldContinue: { _ in !deadline.hasPassed }) {
        relaxation.value(at: $0, into: &$1)
      }
      point = run.point
      // Bounds of wide roundings are poor.
      guard stage >= Self.widths.count - 2 || deadline.hasPassed else { continue }
      var gradient = run.gradient
      _ = relaxation.value(at: point, into: &gradient)
      let multipliers = relaxation.multipliers
      let value = multipliers.value(for: program)
      if value > best?.value ?? -.infinity { best = (value, multipliers) }
    }
    guard var best else { return nil }
    if effort == .tight, x.columns <= Self.mostPartedFeatures, best.value < target {
      best = parted(relaxation, at: point, best, target: target)
    }
    var bound = GlobalBound(value: best.value, proof: .multipliers(best.multipliers))
    bound.sharedValue = shared(best.multipliers.measured(for: program))
    return bound
  }

  /// The best bound once the directions are parted.
  private func parted(
    _ relaxation: RectifierRelaxation, at point: [Double],
    _ best: (value: Double, multipliers: BoundMultipliers), target: Double
  ) -> (value: Double, multipliers: BoundMultipliers) {
    let count = min(Self.mostPieces * program.outputs, maximumBytes / RectifierRelaxation.bytes(relaxation.x))
    var relaxation = relaxation
    relaxation.round(by: Self.partedWidth, loss: smooth(program.loss, by: Self.partedWidth))
    var partition = JointPartition(relaxation, at: point, best: best, program)
    partition.run(pieces: count, target: target, deadline: deadline)
    return partition.best
  }

  /// The loss, or where it has kinks its Moreau envelope.
  private func smooth(_ loss: any Loss<Double>, by μ: Double) -> any SmoothFunction<Double> {
    func envelope<L: Loss<Double>>(of loss: L) -> any SmoothFunction<Double> {
      (try? MoreauEnvelope(loss, μ)) ?? loss
    }
    return loss.isPiecewiseLinear ? envelope(of: loss) : loss
  }
}

// MARK: Cones

extension GlobalBounding {
  /// The bound of θ by branch and bound, and the largest violations that it met.
  private func cutCones(_ θ: Matrix<Double>, untilViolated: Bool) -> Outcome {
    let θ = strict.feasibleDirection(θ)
    let spread = program.pooling.adjoint(θ)
    let (c, λ) = (program.outputs, program.λ)
    let target = λ * (1 + 0.7 * Self.exactness)
    // Half of the time is left for the relaxation.
    let half = deadline.after(0.5)
    var lengths = Matrix<Double>(c, 2)
    var found = NeuronSet.none(features: program.features)
    var cones = 0
    for j in 0..<c {
      for (s, σ) in [1.0, -1.0].enumerated() {
        let coefficients = spread.column(j).map { σ * $0 }
        guard reduction.rank > 0 else {
          lengths[j, s] = reduction.excess(coefficients)
          continue
        }
        let share = half.after(1 / Double(2 * (c - j) - s))
        let most = maximum(of: coefficients, target, untilViolated) { !share.hasPassed }
        lengths[j, s] = most.bound + reduction.excess(coefficients)
        cones = max(cones, most.cones)
        if !untilViolated || most.violations.isEmpty && found.count == 0 {
          lengths[j, s] = shown(lengths[j, s], coefficients, cones: most.cones, until: half)
        }
        for violation in most.violations {
          found = found.appending(
            NeuronSet(vectors: lifted(violation.direction), signs: [σ], outputs: [j]))
        }
      }
    }
    // What a search that ended early knows of the maxima is little, and is not shown.
    if untilViolated, found.count > 0 { return Outcome(bound: nil, found: found) }
    let dual = MeasuredDual(θ: θ, lengths: (0..<c).map { max(lengths[$0, 0], lengths[$0, 1]) })
    var bound = GlobalBound(
      value: dual.value(strict, λ: λ), proof: .cones(θ: θ, lengths: lengths, cones: cones))
    bound.sharedValue = shared(dual)
    return Outcome(bound: bound, found: found)
  }

  /// An upper bound on max Σ c_i (x_iᵀw)₊, the cones that it took, and directions above a target that were met: by turning
  /// around once where X has rank two, otherwise by branch and bound.
  private func maximum(
    of c: [Double], _ target: Double, _ untilViolated: Bool, shouldContinue: () -> Bool
  ) -> (bound: Double, cones: Int, violations: [(value: Double, direction: [Double])]) {
    if reduction.rank == 2 {
      let sweep = AngularSweep(x: reduction.rotated, c: c, target: target)
      return (sweep.bound, 0, sweep.violations)
    }
    var search = SphericalBranchAndBound(x: reduction.rotated, c: c, target: target)
    search.run(
      cones: effort.cones, bytes: maximumBytes, untilViolated: untilViolated, shouldContinue: shouldContinue)
    return (search.bound, search.cones, search.violations)
  }

  /// What maxima are raised by: where they are known to rounding, other cones come as near only after very many cuts.
  private static var rooms: [Double] { [1e-6, exactness / 2, 1e-3] }

  /// A length raised until `ConeCheck` shows it, so that no bound is told which `verify` would not find; infinite where it does
  /// not.
  private func shown(_ length: Double, _ c: [Double], cones: Int, until deadline: Deadline) -> Double {
    for room in Self.rooms where !deadline.hasPassed {
      let raised = length * (1 + room)
      var check = ConeCheck(x: program.x, c: c, most: raised, basis: reduction.basis)
      if check.holds(cones: ConeCheck.limit(cones), shouldContinue: { !deadline.hasPassed }) { return raised }
    }
    return .infinity
  }

  /// A direction in the features from one in the rotated ones: Q v, by the rows of X that span.
  private func lifted(_ v: [Double]) -> Matrix<Double> {
    matrixProduct(Matrix(1, v.count, storage: v), .no, reduction.basis, .no)
  }
}
