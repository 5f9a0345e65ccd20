import LinearAlgebra

/// How restricted group lassos are solved.
public enum GroupLassoMethod: Sendable {
  /// Newton where its matrices are small, otherwise the accelerated method.
  case automatic
  case accelerated
  case newton
}

/// Solves a group lasso problem on a working set of groups, judged by the duality gap of the whole problem.
///
/// A step is one iteration on the working set. When the gap of the restricted problem is a fraction of that of
/// the whole, all groups are priced at θ = −∇ℓ(F): those nearest to violation join those that are not zero
/// (after celer: Massias, Gramfort & Salmon 2018). A separable loss falls apart into one problem an output, which
/// advance side by side. Two inner methods:
///
/// * `SemismoothNewton`, up to a few thousand samples, with cones up to as many free coefficients: some 25 steps, each
///   with a product or two over the working set and some over the active groups; matrices of order n, or of the
///   coefficients in use.
/// * `AcceleratedProximalGradient`, for any number of samples: two products an iteration, hundreds to thousands
///   of them, in the metric of the problem; λ comes down from λ_max by tenths, so that fewer groups are active at first.
///
/// For differentiable losses, Poisson's included; piecewise linear ones need an interior-point method. The
/// result has the same bits for any number of threads. Held: a few matrices of the working set's coefficients
/// an output, and with Newton one n × n matrix an output.
public struct GroupLassoSolver<Element: Scalar>: Solver {
  public typealias Method = GroupLassoMethod

  public let problem: GroupLassoProblem<Element>
  /// The relative gap at which `step` reports `.readyForCertificate`; quartered until it is below the gap reached
  /// where `step` is called again.
  public private(set) var tolerance: Element
  private var parts: [WorkingSetIteration<Element>]
  private var exhausted: [StepOutcome?]

  /// - Parameters:
  ///   - tolerance: relative gap, (primal − dual)/max(1, |primal|), to stop at; in Float not below some 1e-5.
  ///   - start: groups, ascending, with the coefficients to begin at; nil begins at 0.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public init(
    _ problem: GroupLassoProblem<Element>, tolerance: Element = 1e-4, method: Method = .automatic,
    start: (groups: [Int], coefficients: Matrix<Element>)? = nil
  ) {
    precondition(!problem.loss.isPiecewiseLinear, "the loss has kinks: no gradient method solves this")
    self.problem = problem
    self.tolerance = tolerance
    let c = problem.map.outputs
    let splits = problem.loss.isSeparable && c > 1
    let problems =
      !splits
      ? [problem]
      : (0..<c).map { problem.restricted(toOutput: $0) }
    let usesNewton = Self.usesNewton(
      method, samples: problem.map.samples, outputs: c, hasCones: problem.cones != nil)
    precondition(problem.metric == nil || !usesNewton, "a metric is for proximal gradients")
    let start = start ?? ([], Matrix(0, problem.map.width))
    parts = problems.enumerated().map { j, part in
      let own = start.groups.indices.filter { !splits || problem.map.output(of: start.groups[$0]) == j }
      return WorkingSetIteration(
        part, usesNewton: usesNewton,
        start: (
          own.map { splits ? start.groups[$0] / c : start.groups[$0] }, start.coefficients.selectingRows(own)
        ))
    }
    exhausted = parts.map { _ in nil }
  }

  /// Whether a method comes to Newton's for a problem of this size.
  public static func usesNewton(
    _ method: Method, samples n: Int, outputs c: Int, hasCones: Bool
  ) -> Bool {
    switch method {
    case .accelerated: false
    case .newton: true
    case .automatic: (n <= 4000 || hasCones) && newtonBytes(samples: n, outputs: c) <= 1 << 30
    }
  }

  /// Bytes of the matrices that Newton's method keeps at most: one an output, and two to work with.
  public static func newtonBytes(samples n: Int, outputs c: Int) -> Int {
    let order = min(n, SampleNewtonSystem<Element>.largestOrder)
    return (c + 2) * order * order * MemoryLayout<Element>.size
  }

  /// ℓ(F) + λΣ‖w_r‖ at the best point, in working precision: it steers the method and proves nothing.
  public var primal: Element { parts.reduce(0) { $0 + $1.primal } }
  /// The best dual value, in working precision.
  public var dual: Element { parts.reduce(0) { $0 + $1.dual } }
  /// (primal − dual)/max(1, |primal|).
  public var relativeGap: Element { (primal - dual) / max(1, abs(primal)) }
  /// `relativeGap`, once all groups were priced.
  public var estimatedGap: Double? { relativeGap.isFinite ? Double(relativeGap) : nil }
  /// Times that all groups of an output were priced.
  public var rounds: Int { parts.reduce(0) { $0 + $1.rounds } }
  /// Groups in the working sets.
  public var workingSetSize: Int { parts.reduce(0) { $0 + $1.restricted.groups.count } }

  /// The best point so far: its groups that are not zero, and the best dual point.
  public var point: GroupLassoPoint<Element> {
    @specialized(where Element == Double)
    @specialized(where Element == Float)
    get {
      let c = problem.map.outputs
      var rows: [(group: Int, coefficients: [Element])] = []
      var θ = problem.zeroPredictions
      var projections: [Int: ConeProjection<Element>] = [:]
      for (j, part) in parts.enumerated() {
        for (row, group) in part.bestGroups.enumerated() where part.best.coefficientNorms[row] > 0 {
          rows.append((parts.count > 1 ? group * c + j : group, part.best.coefficients.row(row)))
        }
        for (group, projection) in part.bestProjections.enumerated() {
          projections[parts.count > 1 ? group * c + j : group] = projection
        }
        if parts.count == 1 {
          θ = part.bestDual
        } else {
          for k in 0..<θ.rows { θ[k, j] = part.bestDual[k, 0] }
        }
      }
      rows.sort { $0.group < $1.group }
      return GroupLassoPoint(
        groups: rows.map(\.group),
        coefficients: Matrix(rows.count, problem.map.width, storage: rows.flatMap(\.coefficients)), θ: θ,
        projections: projections)
    }
  }

  /// One iteration on every output whose gap is above its share of the tolerance; `.stalled` where rounding leaves
  /// none that could be improved.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public mutating func step() -> StepOutcome {
    while tolerance > 0, relativeGap <= tolerance { tolerance /= 4 }
    let total = primal.isFinite ? abs(primal) : 1
    let target = tolerance * max(1, total) / Element(parts.count)
    let open = parts.indices.filter { !(parts[$0].gap <= target) && exhausted[$0] == nil }
    if open.isEmpty { return exhausted.contains(.failed) ? .failed : .stalled }
    var outcomes = [StepOutcome](repeating: .advanced, count: open.count)
    parts.withMutablePointer { parts in
      outcomes.withMutablePointer { outcomes in
        Parallel.forEach(tiles: open.count) { outcomes[$0] = parts[open[$0]].step(target: target) }
      }
    }
    for (outcome, j) in zip(outcomes, open) where outcome == .stalled || outcome == .failed {
      exhausted[j] = outcome
    }
    if relativeGap <= tolerance { return .readyForCertificate }
    let isOver = parts.indices.allSatisfy { exhausted[$0] != nil || parts[$0].gap <= target }
    guard isOver, exhausted.contains(where: { $0 != nil }) else { return .advanced }
    return exhausted.contains(.failed) ? .failed : .stalled
  }
}
