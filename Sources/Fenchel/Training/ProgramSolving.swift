import ConvexOptimization
import LinearAlgebra

/// Solves a two-layer program by the solver that a person chose, or by the one that suits the program.
///
/// Programs with cones and piecewise linear losses need the interior-point method, which always computes in
/// Double. Gated programs with a differentiable loss are group lassos: Newton's method up to a few thousand
/// samples, beyond them accelerated gradients, in the precision asked for. Single precision ends near a relative
/// gap of 1e-5, so tighter tolerances take Double, as numbers outside its range do; where Float stalls early, Double
/// goes on.
struct ProgramSolving {
  let settings: TrainingSettings
  let limits: Limits
  let maximumBytes: Int
  var progress: ProgressHandler?

  /// The tolerance below which single precision is of no use.
  private static let finestOfFloat = 5e-5

  /// - Throws: `TrainingError.solver` where the chosen solver does not solve such a program; `ProgramError` where
  ///   memory does not suffice.
  func solve(_ program: TwoLayerProgram, from groups: [TwoLayerGroup]) throws -> Solution<TwoLayerPoint> {
    let isGroupLasso = !program.isConstrained && !program.loss.isPiecewiseLinear
    switch settings.solver {
    case .interiorPoint: return try byInteriorPoint(program, from: groups)
    case .fista, .newton:
      guard isGroupLasso else { throw TrainingError.solver(settings.solver, settings.model, program.kind) }
      return try byGroupLasso(program)
    case .auto:
      return try isGroupLasso ? byGroupLasso(program) : byInteriorPoint(program, from: groups)
    }
  }

  private func byInteriorPoint(
    _ program: TwoLayerProgram, from groups: [TwoLayerGroup]
  ) throws -> Solution<TwoLayerPoint> {
    var method = WorkingSetMethod(program, limits: limits)
    method.progress = progress
    method.maximumBytes = maximumBytes
    return try method.solve(from: groups).solution
  }

  /// Whether the numbers of a program and their products stay well inside the range of single precision.
  private func fitsFloat(_ program: TwoLayerProgram) -> Bool {
    let zero = program.loss.value(at: Matrix(program.samples, program.outputs))
    return (1e-15...1e15).contains(program.λ) && zero <= 1e15
      && program.x.storage.allSatisfy { abs($0) <= 1e9 }
  }

  private func byGroupLasso(_ program: TwoLayerProgram) throws -> Solution<TwoLayerPoint> {
    guard settings.precision == .float, limits.tolerance >= Self.finestOfFloat, fitsFloat(program) else {
      return try drive(program, in: Double.self, limits: limits)
    }
    let first = try drive(program, in: Float.self, limits: limits)
    guard first.status == .stalled || first.status == .numericalFailure else { return first }
    var rest = limits
    rest.seconds = limits.seconds.map { max(0, $0 - first.seconds) }
    var second = try drive(program, in: Double.self, limits: rest)
    second.keepBetter(first)
    second.iterations += first.iterations
    second.seconds += first.seconds
    return second
  }

  private func drive<Element: Scalar>(
    _ program: TwoLayerProgram, in _: Element.Type, limits: Limits
  ) throws -> Solution<TwoLayerPoint> {
    let method: GatedSolver<Element>.Method =
      switch settings.solver {
      case .newton: .newton
      case .fista: .accelerated
      case .auto, .interiorPoint: .automatic
      }
    let bytes = GatedSolver<Element>.bytes(program, method: method)
    guard bytes <= maximumBytes else { throw ProgramError.memory(needed: bytes, limit: maximumBytes) }
    var solver = try GatedSolver<Element>(program, tolerance: limits.tolerance, method: method)
    var limits = limits
    limits.certificateInterval = .max  // the solver knows its own gap, and a certificate prices every group
    return ConvexOptimization.drive(
      &solver, on: program, limits: limits, phase: "group lasso", progress: progress)
  }
}
