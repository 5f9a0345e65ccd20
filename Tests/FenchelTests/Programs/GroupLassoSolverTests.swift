import ConvexOptimization
import Fenchel
import FenchelTestSupport
import FoundationEssentials
import LinearAlgebra
import Testing

/// The group lasso solver on gated programs: known optima, optimality conditions, iteration budgets.
struct GroupLassoSolverTests {
  typealias Problem<T: Scalar> = GroupLassoProblem<T>
  typealias Solver<T: Scalar> = GroupLassoSolver<T>

  private func problem(_ name: String, _ kind: LossKind, λ: Double? = nil) throws -> Problem<Double> {
    let oracle = try OracleTests.Oracle(name)
    let gates = try #require(oracle.G)
    let bits = BitMatrix(signsOf: oracle.x, times: Matrix(rows: gates))
    let loss: any Loss<Double> = try kind.makeLoss(targets: oracle.targets(kind))
    let map = GatedOperator(data: oracle.x, patterns: bits, outputs: loss.outputs)
    return Problem(map: map, loss: loss, λ: λ ?? oracle.lambda)
  }

  /// Steps until the solver asks for a certificate; nil where that takes more than `budget` steps.
  private func run<T: Scalar>(_ solver: inout Solver<T>, budget: Int) -> Int? {
    for iteration in 1...budget {
      switch solver.step() {
      case .advanced: continue
      case .readyForCertificate: return iteration
      case .stalled, .failed: return nil
      }
    }
    return nil
  }

  /// Primal and dual value of a point by their formulas, with the dual point scaled to be feasible, and the
  /// distance from optimality.
  private func values<T: Scalar>(
    _ problem: Problem<T>, _ point: GroupLassoPoint<T>
  ) throws -> (primal: Double, dual: Double, distance: Double, infeasibility: Double) {
    let map = problem.map
    var w = Matrix<T>(map.groups, map.width)
    for (row, group) in point.groups.enumerated() {
      for l in 0..<map.width { w[group, l] = point.coefficients[row, l] }
    }
    let penalty = try GroupLasso<T>(problem.λ)
    let f = map.forward(w)
    var slope = f
    problem.loss.gradient(at: f, into: &slope)
    let norm = Double(map.adjoint(point.θ).rowNorms.max() ?? 0)
    var scaled = point.θ
    scaled.scale(by: -T(min(1, Double(problem.λ) / norm)))
    return (
      Double(problem.loss.value(at: f) + penalty.value(at: w)),
      -Double(problem.loss.conjugateValue(at: scaled)),
      Double(penalty.subdifferentialDistance(at: w, gradient: map.adjoint(slope))),
      norm / Double(problem.λ) - 1
    )
  }

  private func check(
    _ problem: Problem<Double>, optimum: Double, _ method: Solver<Double>.Method, budget: Int
  ) throws {
    var solver = Solver(problem, tolerance: 1e-9, method: method)
    let iterations = run(&solver, budget: budget)
    #expect(iterations != nil, "\(method): not within \(budget) steps, gap \(solver.relativeGap)")
    let (primal, dual, distance, infeasibility) = try values(problem, solver.point)
    let scale = max(1, optimum)
    #expect(abs(primal - optimum) <= 1e-6 * scale, "\(method): primal")
    #expect(primal - dual <= 1e-7 * scale && primal - dual >= -1e-12 * scale, "\(method): gap")
    #expect(infeasibility <= 1e-12, "\(method): θ is feasible")
    #expect(distance <= 1e-2 * problem.λ, "\(method): optimality conditions")
    #expect(abs(solver.primal - primal) <= 1e-10 * scale, "\(method): the solver's own value")
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var kind: LossKind
    var newton, accelerated: Int
    var testDescription: String { name }
  }

  @Test(
    "Known optima by both methods, within a budget of steps",
    arguments: [
      Case(name: "02a_gated_sq_scalar", kind: .squared, newton: 45, accelerated: 3500),
      Case(name: "02b_gated_sq_vector", kind: .squared, newton: 45, accelerated: 3500),
      Case(name: "02c_gated_logistic", kind: .logistic, newton: 45, accelerated: 3500),
      Case(name: "02d_gated_softmax3", kind: .softmax, newton: 60, accelerated: 6000),
    ])
  func oracles(test: Case) throws {
    let optimum = try OracleTests.Oracle(test.name).optimal_value
    let problem = try problem(test.name, test.kind)
    try check(problem, optimum: optimum, .newton, budget: test.newton)
    try check(problem, optimum: optimum, .accelerated, budget: test.accelerated)
    let weights = (0..<problem.map.width).map { 1 / Double((1 + $0) * (1 + $0)) }
    let steps = GroupLassoProblem(
      map: problem.map, loss: problem.loss, λ: problem.λ, metric: CoordinateMetric(weights: weights))
    try check(steps, optimum: optimum, .accelerated, budget: 20 * test.accelerated)
  }
}

extension GroupLassoSolverTests {
  /// λ as a fraction of λ_max and the optimum there, of the path of 02a.
  struct PathPoint: Decodable {
    var lambda: Double
    var optimal_value: Double
  }

  @Test("Known optima along a path of λ")
  func path() throws {
    let points = try OracleTests.Oracle.path("02f_gated_path")
    #expect(points.count == 7)
    for point in points {
      let problem = try problem("02a_gated_sq_scalar", .squared, λ: point.lambda)
      try check(problem, optimum: point.optimal_value, .newton, budget: 60)
    }
  }

  @Test("λ ≥ λ_max gives W = 0 at once, with no gap; a little below, a few groups")
  func largestλ() throws {
    let λ = try problem("02a_gated_sq_scalar", .squared).largestλ()
    #expect(abs(λ - 15.678961576940267) <= 1e-9)
    var solver = Solver(try problem("02a_gated_sq_scalar", .squared, λ: λ * (1 + 1e-12)), tolerance: 1e-10)
    #expect(run(&solver, budget: 1) == 1)
    #expect(solver.point.groups.isEmpty && solver.relativeGap <= 1e-12)
    solver = Solver(try problem("02a_gated_sq_scalar", .squared, λ: λ * 0.9), tolerance: 1e-8)
    #expect(run(&solver, budget: 60) != nil)
    #expect(solver.point.groups.count == 2)
  }

  private func random<T: Scalar>(
    n: Int, d: Int, p: Int, c: Int, fraction: T, kind: LossKind = .squared, of _: T.Type
  ) throws -> Problem<T> {
    let x: Matrix<T> = Philox(seed: 11).normalMatrix(n, d)
    let gates: Matrix<T> = Philox(seed: 12).normalMatrix(d, p)
    var y: Matrix<T> = Philox(seed: 13).normalMatrix(n, c)
    if kind == .poisson { for i in 0..<y.count { y.storage[i] = abs(y.storage[i] * 2).rounded() } }
    if kind == .logistic || kind == .squaredHinge {
      for i in 0..<y.count { y.storage[i] = y.storage[i] > 0 ? 1 : -1 }
    }
    let map = GatedOperator(data: x, patterns: BitMatrix(signsOf: x, times: gates), outputs: c)
    let loss: any Loss<T> = try kind.makeLoss(targets: y)
    let λ = Problem(map: map, loss: loss, λ: 1).largestλ()
    return Problem(map: map, loss: loss, λ: fraction * λ)
  }

  @Test(
    "Every differentiable loss, by both methods to the same optimum",
    arguments: [LossKind.squared, .logistic, .squaredHinge, .huber, .poisson])
  func losses(kind: LossKind) throws {
    let problem = try random(n: 120, d: 6, p: 40, c: 2, fraction: 0.1, kind: kind, of: Double.self)
    var optima: [Double] = []
    for method in [Solver<Double>.Method.newton, .accelerated] {
      var solver = Solver(problem, tolerance: 1e-8, method: method)
      #expect(
        run(&solver, budget: method == .newton ? 80 : 5000) != nil,
        "\(kind), \(method): \(solver.relativeGap)")
      let (primal, dual, _, infeasibility) = try values(problem, solver.point)
      #expect(primal - dual <= 1e-7 * max(1, primal) && infeasibility <= 1e-12, "\(kind), \(method)")
      optima.append(primal)
    }
    #expect(abs(optima[0] - optima[1]) <= 1e-7 * max(1, optima[0]))
  }

  @Test("A working set smaller than the program, in Float, ends with a gap over all groups")
  func workingSets() throws {
    let problem = try random(n: 1500, d: 40, p: 1800, c: 1, fraction: 0.5, of: Float.self)
    var solver = Solver(problem, tolerance: 1e-3, method: .accelerated)
    #expect(run(&solver, budget: 2000) != nil)
    #expect(solver.workingSetSize < problem.map.groups)
    #expect(solver.rounds >= 2)
    let (primal, dual, _, _) = try values(problem, solver.point)
    #expect(primal - dual <= 1.5e-3 * max(1, primal))
  }

  @Test("The end of the arithmetic is a stall, not a loop or a failure")
  func roundingFloor() throws {
    let problem = try random(n: 100, d: 5, p: 30, c: 2, fraction: 0.1, of: Float.self)
    var solver = Solver(problem, tolerance: 0, method: .newton)
    var last = StepOutcome.advanced
    for _ in 0..<20_000 where last == .advanced || solver.relativeGap > 1e-5 && last != .stalled {
      last = solver.step()
    }
    #expect(last == .stalled || last == .readyForCertificate, "\(last), gap \(solver.relativeGap)")
    #expect(abs(solver.relativeGap) <= 1e-5)
  }

  @Test("The same bits for 1, 2 and 3 threads", arguments: [LossKind.squared, .logistic])
  func threads(kind: LossKind) throws {
    let problem = try random(n: 600, d: 12, p: 60, c: 3, fraction: 0.1, kind: kind, of: Double.self)
    for method in [Solver<Double>.Method.newton, .accelerated] {
      expectSameForAnyThreads("\(kind), \(method)") {
        var solver = Solver(problem, tolerance: 1e-9, method: method)
        for _ in 0..<12 { _ = solver.step() }
        return solver.point.coefficients
      }
    }
  }

  /// The solver's problem with certificates by the formulas above.
  private struct Certified: Certifiable {
    let problem: Problem<Double>
    let test: GroupLassoSolverTests
    func certificate(at point: GroupLassoPoint<Double>) -> Certificate {
      let values = try? test.values(problem, point)
      return Certificate(
        primal: values?.primal ?? .infinity, dual: values?.dual ?? -.infinity, scope: .restricted)
    }
  }

  @Test("The shared driver runs it")
  func driver() throws {
    let problem = try problem("02a_gated_sq_scalar", .squared)
    var solver = Solver(problem, tolerance: 1e-6)
    let solution = drive(
      &solver, on: Certified(problem: problem, test: self), limits: Limits(tolerance: 1e-8),
      phase: "group lasso")
    #expect(solution.status == .solved)
    #expect(solution.certificate.relativeGap <= 1e-8)
  }
}

extension OracleTests.Oracle {
  /// The points of a path file.
  static func path(_ name: String) throws -> [GroupLassoSolverTests.PathPoint] {
    struct File: Decodable { var path: [GroupLassoSolverTests.PathPoint] }
    return try JSONDecoder().decode(File.self, from: data(name)).path
  }
}
