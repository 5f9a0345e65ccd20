import ConvexOptimization
import LinearAlgebra

/// A network with a polynomial activation fitted to a problem: the program that was solved, and its certified solution.
public struct PolynomialFit: Sendable {
  public var program: PolynomialProgram
  public var solution: Solution<PolynomialPoint>
  /// The least λ at which the zero network is optimal; 0 where that may be rounding.
  public var λMax: Double
  /// Arithmetic that the solver began with; Double goes on where single precision ends early.
  public var precision = Precision.double

  func certified(for problem: TrainingProblem) throws -> CertifiedNetwork {
    let network = try program.decode(solution.point, hasBias: problem.hasBias)
    let objective = NetworkObjective(loss: program.strictLoss, λ: program.λ)
    return CertifiedNetwork(
      network: network, objective: objective.value(of: network, on: problem.inputs), λ: program.λ, λMax: λMax,
      certificate: solution.certificate, status: solution.status, iterations: solution.iterations,
      tensors: ["theta": Tensor(solution.dualPoint.θ)], precision: precision)
  }
}

/// Solves training problems of networks with a polynomial activation: chooses λ and precision as the settings say.
public struct PolynomialFitting {
  public let problem: TrainingProblem
  public let settings: TrainingSettings
  public var cancellation: Cancellation?
  public var progress: ProgressHandler?

  public init(
    _ problem: TrainingProblem, settings: TrainingSettings, cancellation: Cancellation? = nil,
    progress: ProgressHandler? = nil
  ) {
    (self.problem, self.settings) = (problem, settings)
    (self.cancellation, self.progress) = (cancellation, progress)
  }

  /// Fits the problem, from the fit of a neighbouring λ where there is one.
  ///
  /// Errors: `TrainingError` for losses with kinks and solvers that are not for this program; `ProgramError` where the
  /// memory limit does not hold the matrices.
  public func fit(after earlier: PolynomialFit? = nil) throws -> PolynomialFit {
    guard !settings.sharesNeurons else { throw TrainingError.sharedNeurons(settings.model) }
    guard !problem.loss.isPiecewiseLinear else {
      throw TrainingError.lossOfModel(problem.kind, settings.model)
    }
    guard [.auto, .fista].contains(settings.solver) else {
      throw TrainingError.solverOfModel(settings.solver, settings.model)
    }
    var limits = Limits(
      tolerance: settings.tolerance, maximumIterations: 100_000, seconds: settings.timeLimit,
      cancellation: cancellation)
    let deadline = limits.deadline
    let unit = try earlier?.program ?? unitProgram()
    let λMax = earlier?.λMax ?? unit.largestλ()
    let program = try unit.with(λ: settings.lambda.value(largest: λMax))
    limits = limits.until(deadline)
    limits.certificateInterval = .max  // the solver knows its own gap
    let usesFloat =
      settings.precision == .float && ProgramSolving.fitsFloat(program.x, program.loss, λ: program.λ)
    var solution = try limits.solving(
      inFloat: usesFloat, from: earlier?.solution.point,
      { try drive(program, from: $0, Float.self, $1) }, { try drive(program, from: $0, Double.self, $1) })
    // A run that fails, as numbers overflow, is never worse than no neurons.
    let none = NeuronSet(vectors: Matrix(0, program.features), signs: [], outputs: [])
    solution.keepBetter(
      PolynomialPoint(neurons: none, θ: solution.point.θ),
      Certificate(primal: program.strictObjective(of: none), dual: -.infinity, scope: .exact))
    return PolynomialFit(
      program: program, solution: solution, λMax: λMax, precision: limits.precision(inFloat: usesFloat))
  }

  /// The program at λ = 1.
  private func unitProgram() throws -> PolynomialProgram {
    let program = try PolynomialProgram(
      x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters, λ: 1,
      activation: settings.activation)
    try checkMemory(program, Double.self)
    return program.findingRowSpace()
  }

  private func drive<Element: Scalar>(
    _ program: PolynomialProgram, from start: PolynomialPoint?, _: Element.Type, _ limits: Limits
  ) throws -> Solution<PolynomialPoint> {
    try checkMemory(program, Element.self)
    var solver = try PolynomialSolver<Element>(program, tolerance: limits.tolerance, start: start)
    return ConvexOptimization.drive(
      &solver, on: program, limits: limits, phase: "semidefinite program", progress: progress)
  }

  private func checkMemory<Element: Scalar>(_ program: PolynomialProgram, _: Element.Type) throws {
    let (bytes, limit) = (PolynomialSolver<Element>.bytes(program), settings.memoryLimit)
    guard bytes <= limit else {
      throw ProgramError.semidefiniteMemory(
        matrices: 2 * program.outputs, order: program.order, needed: bytes, limit: limit)
    }
  }
}
