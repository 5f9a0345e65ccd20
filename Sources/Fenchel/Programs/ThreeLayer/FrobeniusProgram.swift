import ConvexOptimization
import LinearAlgebra

/// The convex program of parallel sub-networks whose first layers have ‖W_k‖_F ≤ 1 (Ergen & Pilanci 2021, theorem 1): that of
/// `ThreeLayerProgram` with the penalty λ Σ_g Σ_j ‖u_gj‖.
///
/// Its dual constraint, max of θᵀA_b w over the cone and Σ_j ‖w_j‖ ≤ 1, is the saddle value
///
///     min_{α ≥ 0} max_j ‖(A_bᵀθ + Rᵀα)_j‖ = max_η min_{α ≥ 0} (Σ_j η_j ‖(A_bᵀθ + Rᵀα)_j‖²)^{1/2},
///
/// of which any α gives an upper bound. It is solved by adding pairs (pattern, η) that violate it to a program with columns of
/// norm one (`SubnetworkAtoms`), whose points are points of this one.
public struct FrobeniusProgram: Sendable {
  /// The same with columns of norm one.
  public let columns: ThreeLayerProgram

  public init(_ columns: ThreeLayerProgram) { self.columns = columns }

  private var λ: Double { columns.λ }

  /// Where the dual constraint of a group stands.
  private struct Saddle {
    /// An upper bound on it, and the multipliers that show it.
    var bound = Double.infinity
    var multipliers = SparseVector()
    /// A lower bound, up to rounding, and the η that gives it.
    var value = 0.0
    var η: [Double]
  }

  /// The saddle point for q = σA_bᵀθ, as soon as it is known to be at most `threshold`. The square of the value is concave and
  /// differentiable in η, with the slopes ‖(q + Rᵀα)_j‖² at the α that is best there: two neurons are bisected, more are found
  /// by quasi-Newton steps in y with η = y²/‖y‖². Cost: a non-negative least squares problem of some n(m + 1) rows for each of
  /// some 40 steps. Past the deadline the bound is the best so far, or that of α = 0.
  private func saddle(
    _ q: [Double], _ b: Int, _ rows: SubnetworkPatterns.ConeRows, threshold: Double, _ deadline: Deadline
  ) -> Saddle {
    let (m, d) = (columns.width, columns.features)
    var best = Saddle(η: [Double](repeating: 1 / Double(m), count: m))
    /// Takes η into account; returns ‖(q + Rᵀα)_j‖ there.
    func lengths(_ η: [Double]) -> [Double] {
      let roots = η.map { $0.squareRoot() }
      let cone = rows.cone(of: b, columns.x, scales: roots, outputs: 1)
      let scaled = q.indices.map { q[$0] * roots[$0 / d] }
      var state = ActiveSet(of: cone.rows)
      let found = scaled.withPointer { cone.projection(of: $0, pattern: 0, sign: 1, in: &state) }
      let places = rows.places(of: b)
      let α = SparseVector(indices: found.support.map { places[$0] }, values: found.multipliers)
      let p = columns.shifted(q, by: α, b, rows)
      let lengths = (0..<m).map { j in StrictDual.norm(Array(p[j * d..<(j + 1) * d])) }
      let bound = lengths.max() ?? 0
      if bound < best.bound { (best.bound, best.multipliers) = (bound, α) }
      if found.norm > best.value { (best.value, best.η) = (found.norm, η) }
      return lengths
    }
    func isOpen() -> Bool { best.bound > threshold && best.bound > best.value * (1 + 1e-12) }
    if deadline.hasPassed {
      best.bound = (0..<m).map { StrictDual.norm(Array(q[$0 * d..<($0 + 1) * d])) }.max() ?? 0
      return best
    }
    var found = lengths(best.η)
    guard isOpen(), m > 1 else { return best }
    if m == 2 {
      var (low, high) = (0.0, 1.0)
      for _ in 0..<50 where isOpen() && !deadline.hasPassed {
        let share = (low + high) / 2
        if found[0] > found[1] { low = share } else { high = share }
        found = lengths([(low + high) / 2, 1 - (low + high) / 2])
      }
      return best
    }
    let scale = max(best.bound * best.bound, .leastNormalMagnitude)
    let method = LBFGS(memory: 5, maximumEvaluations: 80, gradientTolerance: 1e-13)
    _ = method.minimise(
      from: [Double](repeating: 1, count: m), shouldContinue: { _ in isOpen() && !deadline.hasPassed }
    ) { y, gradient in
      let square = y.reduce(0) { $0 + $1 * $1 }
      let η = y.map { $0 * $0 / square }
      let slopes = lengths(η).map { $0 * $0 / scale }
      let value = zip(η, slopes).reduce(0) { $0 + $1.0 * $1.1 }
      for j in 0..<m { gradient[j] = -2 * y[j] * (slopes[j] - value) / square }
      return -value
    }
    return best
  }

  /// The saddle points of all groups at θ.
  private func saddles(
    _ θ: Matrix<Double>, threshold: Double, _ deadline: Deadline = .none
  ) -> [(group: TwoLayerGroup, saddle: Saddle)] {
    let (rows, images) = (SubnetworkPatterns.ConeRows(columns.patterns), columns.strictImages(θ))
    var found = (0..<columns.groups).map { (group: columns.group($0), saddle: Saddle(η: [])) }
    found.withMutablePointer { found in
      Parallel.forEach(tiles: columns.groups) { r in
        let group = found[r].group
        let q = images[group.pattern * columns.outputs + group.output].map { group.sign * $0 }
        found[r].saddle = saddle(q, group.pattern, rows, threshold: threshold, deadline)
      }
    }
    return found
  }
}

extension FrobeniusProgram: Certifiable {
  /// ℓ(F) + λ Σ_g Σ_j ‖u_gj‖ of the point's network above, the best multiple of θ that satisfies every dual constraint
  /// below, both in plain Double arithmetic.
  public func certificate(at point: ThreeLayerPoint) -> Certificate {
    Certificate(
      primal: strictObjective(at: point), dual: dualBound(θ: point.θ),
      scope: columns.patterns.isExact ? .exact : .restricted)
  }

  /// ℓ(F) + λ Σ_g Σ_j ‖u_gj‖.
  public func strictObjective(at point: ThreeLayerPoint) -> Double {
    let d = columns.features
    var penalty = CompensatedSum()
    for g in point.groups.indices {
      let u = point.coefficients.row(g)
      for j in 0..<columns.width { penalty += StrictDual.norm(Array(u[j * d..<(j + 1) * d])) }
    }
    return columns.strictLoss.value(at: columns.strictPredictions(point)) + λ * penalty.value
  }

  /// The lower bound on the program's optimum that θ gives. Groups that a deadline leaves open count with their plain norm.
  public func dualBound(θ: Matrix<Double>, deadline: Deadline = .none) -> Double {
    let θ = columns.strictLoss.feasibleDirection(θ)
    return dualBound(θ, saddles(θ, threshold: λ, deadline).reduce(0) { max($0, $1.saddle.bound) })
  }

  private func dualBound(_ θ: Matrix<Double>, _ norm: Double) -> Double {
    let limit = θ.largestScale(norm: norm, λ: columns.λ, features: columns.x.columns)
    return columns.strictLoss.bestScale(θ, upTo: limit).value
  }
}

extension FrobeniusProgram {
  /// Solves the program to the tolerance of its certificate, or until a limit ends the run: a group lasso over the pairs so
  /// far, the pairs that violate the dual constraint at its solution, and so on.
  ///
  /// - Parameter known: a point of the program that the solution is not to be worse than.
  public func solve(
    from known: ThreeLayerPoint? = nil, limits: Limits, method: GroupLassoMethod = .automatic,
    progress: ProgressHandler? = nil
  ) -> Solution<ThreeLayerPoint> {
    let (clock, deadline) = (ContinuousClock(), limits.deadline)
    let began = clock.now
    var atoms = SubnetworkAtoms(columns.patterns)
    let scope = columns.patterns.isExact ? Certificate.Scope.exact : .restricted
    let first = known ?? columns.zero
    var best = Solution(
      point: first,
      certificate: Certificate(primal: strictObjective(at: first), dual: -.infinity, scope: scope),
      status: .solved, iterations: 0, seconds: 0)
    var start: (groups: [Int], coefficients: Matrix<Double>)?
    var (iterations, tolerance) = (0, limits.tolerance)
    while true {
      var (point, outcome) = (best.point, StepOutcome.advanced)
      if let cones = AtomCones(atoms, columns.x, outputs: columns.outputs, deadline: deadline) {
        var solver = GroupLassoSolver(
          GroupLassoProblem(
            map: atoms.map(columns.x, outputs: columns.outputs), loss: columns.loss, λ: λ, cones: cones),
          tolerance: tolerance / 4, method: method, start: start)
        while outcome == .advanced, !deadline.hasPassed, iterations < limits.maximumIterations {
          outcome = solver.step()
          iterations += 1
        }
        let found = solver.point
        start = (found.groups, found.coefficients)
        point = merged(found, atoms)
      }
      let θ = columns.strictLoss.feasibleDirection(point.θ)
      let saddles = saddles(θ, threshold: λ, deadline)
      let dual = dualBound(θ, saddles.reduce(0) { max($0, $1.saddle.bound) })
      let solution = Solution(
        point: point,
        certificate: Certificate(
          primal: strictObjective(at: point), dual: dual, scope: scope),
        status: .solved, iterations: iterations, seconds: began.duration(to: clock.now).seconds)
      best.keepBetter(solution)
      (best.iterations, best.seconds) = (iterations, solution.seconds)
      progress?(
        Progress(
          phase: "weights of neurons", iteration: iterations, seconds: best.seconds,
          certificate: best.certificate))
      let violated = saddles.filter { $0.saddle.value > λ * (1 + limits.tolerance / 10) }
      best.status =
        best.certificate.relativeGap <= limits.tolerance
        ? .solved
        : limits.interruption(after: best.seconds) ?? (outcome == .failed ? .numericalFailure : .stalled)
      if best.status == .solved || deadline.hasPassed || iterations >= limits.maximumIterations {
        return best
      }
      guard !violated.isEmpty else {
        if tolerance < limits.tolerance / 1000 { return best }
        tolerance /= 4
        continue
      }
      for (group, saddle) in violated { atoms.append(group.pattern, η: saddle.η) }
    }
  }

  /// The point in the coordinates of the program: pairs of one pattern, sign and output add up.
  private func merged(_ found: GroupLassoPoint<Double>, _ atoms: SubnetworkAtoms) -> ThreeLayerPoint {
    let (d, c) = (columns.features, columns.outputs)
    var sums: [TwoLayerGroup: [Double]] = [:]
    for (q, r) in found.groups.enumerated() {
      let (row, output) = r.quotientAndRemainder(dividingBy: c)
      let sign = row % 2 == 0 ? 1.0 : -1
      let group = TwoLayerGroup(pattern: atoms.places[row / 2], sign: sign, output: output)
      let u = found.coefficients.row(q).enumerated().map { sign * atoms.roots[row / 2][$0 / d] * $1 }
      sums[group] = sums[group].map { zip($0, u).map(+) } ?? u
    }
    let groups = sums.keys.sorted()
    return columns.feasible(
      ThreeLayerPoint(
        groups: groups,
        coefficients: Matrix(
          groups.count, columns.width * d, storage: groups.flatMap { sums[$0] ?? [] }), θ: found.θ))
  }
}

extension FrobeniusProgram {
  /// The least λ at which the zero network is optimal over these patterns, from above, or 0 where that may be rounding.
  public func largestλ(deadline: Deadline = .none) -> Double {
    let θ = columns.loss.residual(at: Matrix(columns.samples, columns.outputs))
    let norm = saddles(θ, threshold: 0, deadline).reduce(0) { max($0, $1.saddle.bound) }
    return StrictDual.beyondRounding(norm, θ: θ, columns.x)
  }
}
