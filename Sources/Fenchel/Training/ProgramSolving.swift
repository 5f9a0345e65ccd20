import ConvexOptimization
import LinearAlgebra

/// Solves a two-layer program by the solver that a person chose, or by the one that suits the program.
///
/// Programs with a differentiable loss are group lassos, with cones or without: Newton's method where its matrices are small,
/// without cones up to a few thousand samples, beyond that accelerated gradients. Gated ones take the precision asked for:
/// single precision ends near a relative gap of 1e-5, so tighter tolerances take Double, as numbers outside its range do; where
/// Float stalls early, Double goes on. Piecewise linear losses need the interior-point method, which also goes on where the
/// others stall on a program with cones, and whose point these take up again where it stalls too; both compute in Double.
struct ProgramSolving {
  var solver = SolverChoice.auto
  var precision = Precision.double
  let limits: Limits
  var maximumBytes = Int.max
  var progress: ProgressHandler?

  /// The tolerance below which single precision is of no use.
  static let finestOfFloat = 5e-5

  /// Solves a program, from a feasible point of it where there is one.
  ///
  /// - Throws: `TrainingError.solver` where the chosen solver does not solve such a program; `ProgramError` where
  ///   memory does not suffice.
  func solve(_ program: TwoLayerProgram, from start: TwoLayerPoint? = nil) throws -> Solution<TwoLayerPoint> {
    let isGroupLasso = !program.loss.isPiecewiseLinear
    switch solver {
    case .interiorPoint: return try byInteriorPoint(program, from: start, limits)
    case .fista, .newton:
      guard isGroupLasso else { throw TrainingError.solver(solver, program.kind) }
      return try byGroupLasso(program, from: start, limits)
    case .auto:
      guard isGroupLasso else { return try byInteriorPoint(program, from: start, limits) }
      let first = try byGroupLasso(program, from: start, limits)
      guard program.isConstrained, first.hasFailed else { return first }
      let second = try goOn(after: first) { try byInteriorPoint(program, from: first.point, $0) }
      guard second.hasFailed else { return second }
      return try goOn(after: second) { try byGroupLasso(program, from: second.point, $0) }
    }
  }

  /// Multiplications of one Newton step on some groups of a program, or of a hundred accelerated steps.
  func stepWork(_ program: TwoLayerProgram, groups: [TwoLayerGroup]) -> Double {
    guard !program.loss.isPiecewiseLinear, solver != .interiorPoint else {
      return InteriorPointMethod.stepWork(program, groups: groups)
    }
    let (n, d, c) = (program.samples, program.features, program.outputs)
    let method: TwoLayerSolver<Double>.Method = solver == .newton ? .newton : .automatic
    let products = 10 * Double(program.x.count) * Double(groups.count)  // a projection takes a few of them
    guard TwoLayerSolver<Double>.usesNewton(method, for: program) else { return 100 * products }
    let (height, order) = (Double(n), Double(groups.count * d) / Double(c))
    let samples = height * height * (height / 3 + Double(d))
    let coefficients = order * order * (height / 2 + order / 3)
    return products + Double(c) * min(samples, coefficients)
  }

  /// The better of a solution and of what goes on after it in the time that is left; the first where memory does not
  /// suffice for more.
  private func goOn(
    after first: Solution<TwoLayerPoint>, _ next: (Limits) throws -> Solution<TwoLayerPoint>
  ) throws -> Solution<TwoLayerPoint> {
    var rest = limits
    rest.seconds = limits.seconds.map { max(0, $0 - first.seconds) }
    var second: Solution<TwoLayerPoint>
    do {
      second = try next(rest)
    } catch ProgramError.memory {
      return first
    }
    second.keepBetter(first)
    second.iterations += first.iterations
    second.seconds += first.seconds
    return second
  }

  private func byInteriorPoint(
    _ program: TwoLayerProgram, from start: TwoLayerPoint?, _ limits: Limits
  ) throws -> Solution<TwoLayerPoint> {
    var method = WorkingSetMethod(program, limits: limits)
    method.progress = progress
    method.maximumBytes = maximumBytes
    return try method.solve(from: start?.groups ?? []).solution
  }

  /// Whether the numbers of a program and their products stay well inside the range of single precision.
  static func fitsFloat(_ x: Matrix<Double>, _ loss: any Loss<Double>, λ: Double) -> Bool {
    let zero = loss.value(at: Matrix(loss.samples, loss.outputs))
    return (1e-15...1e15).contains(λ) && zero <= 1e15 && x.storage.allSatisfy { abs($0) <= 1e9 }
  }

  /// The arithmetic that a program is begun in: single precision where that is wanted and of use.
  func precision(of program: TwoLayerProgram) -> Precision {
    let isGroupLasso = !program.loss.isPiecewiseLinear && solver != .interiorPoint
    let mayBeSingle = precision == .float && isGroupLasso && !program.isConstrained
    return limits.precision(
      inFloat: mayBeSingle && Self.fitsFloat(program.x, program.loss, λ: program.λ))
  }

  private func byGroupLasso(
    _ program: TwoLayerProgram, from start: TwoLayerPoint?, _ limits: Limits
  ) throws -> Solution<TwoLayerPoint> {
    guard precision(of: program) == .float else {
      return try drive(program, from: start, in: Double.self, limits)
    }
    let first = try drive(program, from: start, in: Float.self, limits)
    guard first.hasFailed else { return first }
    return try goOn(after: first) { try drive(program, from: first.point, in: Double.self, $0) }
  }

  private func drive<Element: Scalar>(
    _ program: TwoLayerProgram, from start: TwoLayerPoint?, in _: Element.Type, _ limits: Limits
  ) throws -> Solution<TwoLayerPoint> {
    let method = solver.groupLassoMethod
    let bytes = TwoLayerSolver<Element>.bytes(program, method: method)
    guard bytes <= maximumBytes else { throw ProgramError.memory(needed: bytes, limit: maximumBytes) }
    let deadline = limits.deadline
    var solver = try TwoLayerSolver<Element>(
      program, tolerance: limits.tolerance, method: method, start: start, deadline: deadline)
    var limits = limits.until(deadline)
    limits.certificateInterval = .max  // the solver knows its own gap, and a certificate prices every group
    return ConvexOptimization.drive(
      &solver, on: program, limits: limits, phase: "group lasso", progress: progress)
  }
}

extension SolverChoice {
  /// What it comes to for a group lasso.
  var groupLassoMethod: GroupLassoMethod {
    switch self {
    case .newton: .newton
    case .fista: .accelerated
    case .auto, .interiorPoint: .automatic
    }
  }
}

extension Limits {
  /// Single precision where it is wanted and the tolerance allows it.
  func precision(inFloat usesFloat: Bool) -> Precision {
    usesFloat && tolerance >= ProgramSolving.finestOfFloat ? .float : .double
  }

  /// The solution in single precision where that is wanted and the tolerance allows it, gone on with in Double where it
  /// ends short of the tolerance; otherwise in Double.
  func solving<Point>(
    inFloat usesFloat: Bool, from start: Point?, _ single: (Point?, Limits) throws -> Solution<Point>,
    _ double: (Point?, Limits) throws -> Solution<Point>
  ) throws -> Solution<Point> {
    guard precision(inFloat: usesFloat) == .float else { return try double(start, self) }
    let first = try single(start, self)
    guard first.hasFailed else { return first }
    var rest = self
    rest.seconds = seconds.map { max(0, $0 - first.seconds) }
    var second = try double(first.point, rest)
    second.keepBetter(first)
    second.iterations += first.iterations
    second.seconds += first.seconds
    return second
  }
}

extension Solution {
  /// Whether the arithmetic of a solver was exhausted before its tolerance.
  var hasFailed: Bool { status == .stalled || status == .numericalFailure }
}
