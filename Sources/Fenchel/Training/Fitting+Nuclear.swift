import ConvexOptimization
import LinearAlgebra

extension Fitting {
  /// Fits a gated network whose neurons feed all outputs, over the patterns of a gated program at λ = 1.
  func nuclearFit(_ unit: TwoLayerProgram, after earlier: Fit?, _ deadline: Deadline) throws -> Fit {
    guard !problem.loss.isPiecewiseLinear else {
      throw TrainingError.lossOfSharedNeurons(problem.kind)
    }
    guard [.auto, .fista].contains(settings.solver) else {
      throw TrainingError.solverOfSharedNeurons(settings.solver)
    }
    let λMax = earlier?.λMax ?? NuclearProgram(unit).largestλ()
    let program = NuclearProgram(
      try program(unit.patterns, λ: settings.lambda.value(largest: λMax)))
    var limits = limits.until(deadline)
    limits.certificateInterval = .max  // the solver knows its own gap
    let usesFloat =
      settings.precision == .float && ProgramSolving.fitsFloat(problem.x, problem.loss, λ: program.λ)
    let solution = try limits.solving(
      inFloat: usesFloat, from: earlier?.solution.point,
      { try drive(program, from: $0, Float.self, $1) }, { try drive(program, from: $0, Double.self, $1) })
    return Fit(
      program: program.gated, solution: solution, λMax: λMax,
      precision: limits.precision(inFloat: usesFloat), sharesNeurons: true)
  }

  private func drive<Element: Scalar>(
    _ program: NuclearProgram, from start: TwoLayerPoint?, _: Element.Type, _ limits: Limits
  ) throws -> Solution<TwoLayerPoint> {
    let (bytes, limit) = (NuclearSolver<Element>.bytes(program), settings.memoryLimit)
    guard bytes <= limit else { throw ProgramError.memory(needed: bytes, limit: limit) }
    var solver = try NuclearSolver<Element>(program, tolerance: limits.tolerance, start: start)
    return ConvexOptimization.drive(
      &solver, on: program, limits: limits, phase: "nuclear norm", progress: progress)
  }
}
