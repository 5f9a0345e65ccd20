import LinearAlgebra

/// The iteration of `GroupLassoSolver` on one problem whose outputs belong together.
struct WorkingSetIteration<Element: Scalar>: Sendable {
  let problem: GroupLassoProblem<Element>
  /// ℓ(F) + λΣ‖w_r‖ at the best point, and the best dual value, both in working precision.
  private(set) var primal: Element = .infinity
  private(set) var dual: Element = -.infinity
  /// The best point, its groups, and the best dual point: first θ = −∇ℓ at the start.
  private(set) var best: RestrictedIterate<Element>
  private(set) var bestGroups: [Int] = []
  private(set) var bestDual: Matrix<Element>
  /// With cones: the projections that show the best dual point to be feasible, of every group.
  private(set) var bestProjections: [ConeProjection<Element>?] = []
  /// Times that all groups were priced.
  private(set) var rounds = 0
  private(set) var restricted: RestrictedProblem<Element>
  private var inner: Inner = .none
  private var system: SampleNewtonSystem<Element>?
  private var iterations = 0
  /// With cones: the last projection of A_rᵀθ for every group.
  private var dualProjections: [ConeProjection<Element>?]
  private var restrictedDual: Element = -.infinity
  /// The restricted gap at which all groups are priced, as a fraction of the whole gap.
  private var fraction: Element = 0.3
  /// The last curvature L met, and the proximal step σ and F of Newton's method, for the next working set.
  private var curvature: Element?
  private var σ: Element?
  private var dualPredictions: Matrix<Element>?
  /// The least gap and the iteration that reached it.
  private var progress: (gap: Element, iteration: Int) = (.infinity, 0)

  private enum Inner {
    case none
    case accelerated(AcceleratedProximalGradient<Element>)
    case newton(SemismoothNewton<Element>)
  }

  /// The factor between the λ's of a path that the accelerated method follows down to its own.
  private static var pathFactor: Element { 0.1 }
  /// The relative gap to which the earlier problems of the path are solved.
  private static var pathTolerance: Element { 0.2 }

  /// - Parameter start: groups, ascending, with the coefficients to begin at.
  init(
    _ problem: GroupLassoProblem<Element>, usesNewton: Bool,
    start: (groups: [Int], coefficients: Matrix<Element>)
  ) {
    self.problem = problem
    system = usesNewton ? SampleNewtonSystem() : nil
    restricted = RestrictedProblem(whole: problem, groups: start.groups, λ: problem.λ)
    best = RestrictedIterate(
      groups: start.groups.count, width: problem.map.width, samples: problem.map.samples,
      outputs: problem.map.outputs)
    best.coefficients = start.coefficients
    best.coefficientNorms = start.coefficients.rowNorms
    restricted.predictions(best.coefficients, norms: best.coefficientNorms, into: &best.predictions)
    bestDual = problem.zeroPredictions
    problem.loss.gradient(at: best.predictions, into: &bestDual)
    bestDual.scale(by: -1)
    dualProjections = [ConeProjection<Element>?](repeating: nil, count: problem.map.groups)
  }

  var gap: Element { primal - dual }

  /// One iteration on the working set, with the pricing of all groups when it is solved; `.readyForCertificate`
  /// once the gap is at most `target`.
  mutating func step(target: Element) -> StepOutcome {
    let outcome: StepOutcome
    let iterate: RestrictedIterate<Element>
    switch inner {
    case .none:
      return begin()
    case .accelerated(var method):
      inner = .none
      outcome = method.step()
      (iterate, curvature) = (method.iterate, method.curvature)
      inner = .accelerated(method)
    case .newton(var method):
      // A system that is kept here would hold its factorisations beside their successors.
      (inner, system) = (.none, SampleNewtonSystem())
      outcome = method.step()
      (iterate, σ, system) = (method.iterate, method.σ, method.system)
      dualPredictions = method.dualPredictions
      inner = .newton(method)
    }
    iterations += 1
    if isOver { return .advanced }
    guard outcome == .advanced else { return recover(iterate, outcome, target) }
    keep(iterate)
    if case .accelerated = inner, iterations % 5 != 0 { return .advanced }
    if case .newton(let method) = inner, problem.cones != nil, !method.hasMoved { return .advanced }
    let result = hasSolvedRestricted(iterate, target) ? price(at: iterate, target) : .advanced
    return result == .advanced && isStuck ? recover(iterate, .stalled, target) : result
  }

  /// Whether projections and factorisations no longer end where they should: steps advance nothing, until the driver ends the
  /// run.
  private var isOver: Bool { problem.deadline.hasPassed }

  /// Whether the gap has not fallen for many iterations, though λ has reached its end.
  private var isStuck: Bool {
    mutating get {
      if gap < 0.99 * progress.gap || restricted.λ > problem.λ { progress = (gap, iterations) }
      if case .newton = inner { return iterations > progress.iteration + 60 }
      return iterations > progress.iteration + 3000
    }
  }
}

// MARK: Working sets

extension WorkingSetIteration {
  /// The first pricing, at the starting point and θ = −∇ℓ there.
  private mutating func begin() -> StepOutcome {
    guard rounds == 0 else { return isOver ? .advanced : .stalled }
    var first = best
    first.θ = bestDual
    keep(first)
    let norms = priceAll(at: first, isRestrictedKnown: false)
    if isOver { return .advanced }
    let largest = norms.max() ?? 0
    guard largest.isFinite, primal.isFinite else { return .failed }
    let isZero = restricted.groups.isEmpty
    guard !isZero || largest > problem.λ else { return .readyForCertificate }
    let λ = system == nil && isZero ? max(problem.λ, Self.pathFactor * largest) : problem.λ
    restart(nextGroups(norms, first, λ: λ), λ: λ, first)
    return .advanced
  }

  /// The dual norms of all groups; keeps the dual point that they give where it is better.
  private mutating func priceAll(
    at iterate: RestrictedIterate<Element>, isRestrictedKnown: Bool = true
  ) -> [Element] {
    rounds += 1
    let threshold = isRestrictedKnown ? problem.λ : firstThreshold(iterate)
    let all = Array(0..<problem.map.groups)
    let isComplete = isRestrictedKnown && restricted.groups.count == all.count && !all.isEmpty
    let norms = isComplete ? restrictedDualNorms(iterate) : dualNorms(iterate.θ, of: all, λ: threshold)
    keep(problem.dual(iterate.θ, norms: norms, groups: all, λ: problem.λ))
    return norms
  }

  /// ‖A_rᵀθ‖, with cones ‖Π(A_rᵀθ)‖ or a bound on it at most λ, for the working set.
  private mutating func restrictedDualNorms(_ iterate: RestrictedIterate<Element>) -> [Element] {
    dualNorms(adjoint: iterate.adjoint, of: restricted.groups, λ: restricted.λ)
  }

  private mutating func dualNorms(adjoint: Matrix<Element>, of groups: [Int], λ: Element) -> [Element] {
    guard let cones = problem.cones else { return adjoint.rowNorms }
    var projected = adjoint
    var projections = groups.map { dualProjections[$0] }
    let norms = cones.project(&projected, ontoConesOf: groups, threshold: λ, from: &projections)
    for (group, projection) in zip(groups, projections) { dualProjections[group] = projection }
    return norms
  }

  /// The same for any groups at θ, without holding all of Aᵀθ.
  private mutating func dualNorms(_ θ: Matrix<Element>, of groups: [Int], λ: Element) -> [Element] {
    guard problem.cones != nil else { return problem.map.adjointNorms(θ) }
    var norms: [Element] = []
    for start in stride(from: 0, to: groups.count, by: 4096) {
      let part = Array(groups[start..<min(start + 4096, groups.count)])
      var adjoint = Matrix<Element>(part.count, problem.map.width)
      problem.map.applyAdjoint(θ, to: part, into: &adjoint)
      norms += dualNorms(adjoint: adjoint, of: part, λ: λ)
    }
    return norms
  }

  /// The length below which the first projections, which begin far from their ends, may stop: λ or, with cones,
  /// half of what the groups of the largest plain norms reach. Groups that short enter the first working set last.
  private mutating func firstThreshold(_ iterate: RestrictedIterate<Element>) -> Element {
    guard problem.cones != nil else { return problem.λ }
    let plain = problem.map.adjointNorms(iterate.θ)
    let largest = plain.indices.sorted { (plain[$1], $0) < (plain[$0], $1) }.prefix(16).sorted()
    let reached = dualNorms(iterate.θ, of: largest, λ: problem.λ)
    return max(problem.λ, (reached.max() ?? 0) / 2)
  }

  /// Prices all groups at θ and goes on with the next working set, or the next smaller λ.
  private mutating func price(at iterate: RestrictedIterate<Element>, _ target: Element) -> StepOutcome {
    let norms = priceAll(at: iterate)
    if gap <= target { return .readyForCertificate }
    if restricted.λ > problem.λ {
      let λ = max(problem.λ, Self.pathFactor * restricted.λ)
      restart(nextGroups(norms, iterate, λ: λ), λ: λ, iterate)
      return .advanced
    }
    let next = nextGroups(norms, iterate, λ: problem.λ)
    if next == restricted.groups {
      fraction /= 4
      return fraction < 1e-8 ? .stalled : .advanced
    }
    fraction = 0.3
    restart(next, λ: problem.λ, iterate)
    return .advanced
  }

  /// The groups that are not zero and those nearest to violation, as many again; all where that is most of them,
  /// or where work is small.
  private func nextGroups(_ norms: [Element], _ iterate: RestrictedIterate<Element>, λ: Element) -> [Int] {
    let total = norms.count
    let support = iterate.coefficientNorms.indices.filter { iterate.coefficientNorms[$0] > 0 }
      .map { restricted.groups[$0] }
    let isSmall =
      problem.cones == nil
      && (system != nil || problem.map.samples * problem.map.width * total < 50_000_000)
    let initial = isSmall ? total : max(total / 8, min(total, 64))
    let size = max(initial, 2 * support.count, λ == restricted.λ ? restricted.groups.count : 0)
    let violated = norms.count { $0 > λ }
    let target = max(size, min(violated + support.count, 2 * size))
    guard target < total * 3 / 4 else { return Array(0..<total) }
    var chosen = Set(support)
    for group in norms.indices.sorted(by: { (norms[$0], $1) > (norms[$1], $0) }) {
      if chosen.count >= target { break }
      chosen.insert(group)
    }
    return chosen.sorted()
  }

  /// Starts an inner method on a working set, from an iterate of another one: the last where it is not given.
  private mutating func restart(
    _ groups: [Int], λ: Element, _ iterate: RestrictedIterate<Element>, of earlier: [Int]? = nil
  ) {
    let start = transfer(iterate, of: earlier ?? restricted.groups, to: groups)
    restricted = RestrictedProblem(whole: problem, groups: groups, λ: λ)
    restrictedDual = -.infinity
    let accelerated = AcceleratedProximalGradient(restricted, from: start, curvature: curvature)
    guard let system else {
      inner = .accelerated(accelerated)
      return
    }
    let σ = σ ?? 50 / accelerated.estimatedCurvature()
    inner = .newton(
      SemismoothNewton(
        restricted, from: start, dualPredictions: dualPredictions ?? start.predictions, σ: σ, system: system))
  }

  /// The iterate with the rows of another working set, which holds all its groups that are not zero.
  private func transfer(
    _ iterate: RestrictedIterate<Element>, of earlier: [Int], to groups: [Int]
  ) -> RestrictedIterate<Element> {
    var result = iterate
    let d = problem.map.width
    result.coefficients = Matrix(groups.count, d)
    result.coefficientNorms = [Element](repeating: 0, count: groups.count)
    result.projections = groups.map { dualProjections[$0] }
    var place: [Int: Int] = [:]
    for (row, group) in groups.enumerated() { place[group] = row }
    for (old, group) in earlier.enumerated() where iterate.coefficientNorms[old] > 0 {
      guard let row = place[group] else { continue }
      result.projections[row] = iterate.projections[old]
      result.coefficientNorms[row] = iterate.coefficientNorms[old]
      for k in 0..<d { result.coefficients[row, k] = iterate.coefficients[old, k] }
    }
    return result
  }
}

// MARK: Values

extension WorkingSetIteration {
  private func objective(_ iterate: RestrictedIterate<Element>, λ: Element) -> Element {
    problem.loss.value(at: iterate.predictions) + λ * iterate.coefficientNorms.reduce(0, +)
  }

  /// Keeps the point where its objective is the least so far.
  private mutating func keep(_ iterate: RestrictedIterate<Element>) {
    let value = objective(iterate, λ: problem.λ)
    if value < primal { (primal, best, bestGroups) = (value, iterate, restricted.groups) }
  }

  /// Keeps the dual point, feasible for all groups, where its value is the largest so far.
  private mutating func keep(_ candidate: GroupLassoDual<Element>) {
    guard candidate.value > dual else { return }
    (dual, bestDual) = (candidate.value, candidate.point)
    bestProjections = dualProjections
  }

  /// Whether the gap of the restricted problem is small: against that of the whole, or for its place on the path.
  private mutating func hasSolvedRestricted(
    _ iterate: RestrictedIterate<Element>, _ target: Element
  ) -> Bool {
    let norms = restrictedDualNorms(iterate)
    let candidate = problem.dual(iterate.θ, norms: norms, groups: restricted.groups, λ: restricted.λ)
    restrictedDual = max(restrictedDual, candidate.value)
    if restricted.λ > problem.λ {
      let value = objective(iterate, λ: restricted.λ)
      return value - restrictedDual <= Self.pathTolerance * abs(value)
    }
    if restricted.groups.count == problem.map.groups {
      keep(candidate)
      return gap <= target
    }
    return primal - restrictedDual <= max(fraction * gap, target / 2)
  }

  /// After a step that led nowhere: the accelerated method takes over from Newton's, at the best point, from which that may
  /// have gone far astray; where it is at work already, the arithmetic is exhausted.
  private mutating func recover(
    _ iterate: RestrictedIterate<Element>, _ outcome: StepOutcome, _ target: Element
  ) -> StepOutcome {
    if case .newton = inner {
      system = nil
      progress = (gap, iterations)
      let support = zip(bestGroups, best.coefficientNorms).filter { $0.1 > 0 }.map { $0.0 }
      restart(Set(restricted.groups).union(support).sorted(), λ: restricted.λ, best, of: bestGroups)
      return .advanced
    }
    _ = priceAll(at: iterate)
    return gap <= target ? .readyForCertificate : outcome
  }
}
