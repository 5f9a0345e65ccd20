import ConvexOptimization
import LinearAlgebra

/// A ReLU network with batch normalisation after the ReLU, fitted to a problem.
struct PostNormalisedFit: Sendable {
  let program: PostNormalisationProgram
  /// Over the same patterns, as points of the program of plain networks.
  let fit: Fit

  func certified(for problem: TrainingProblem) throws -> CertifiedNetwork {
    let pruning = GroupPruning(program.plain) { program.norms.norm($0) }
    let network = try program.decode(pruning.pruned(fit.solution.point), hasBias: problem.hasBias)
    var result = try fit.certified(for: problem, network)
    result.objective = program.objective(of: network, on: problem.inputs)
    return result
  }
}

extension Fitting {
  /// Fits a network with batch normalisation after the ReLU, from the fit of a neighbouring λ where there is one.
  ///
  /// Errors: `TrainingError` for losses with kinks and the interior-point method; `ProgramError` where memory does not suffice;
  /// those of patterns.
  func postNormalisedFit(after earlier: PostNormalisedFit?) throws -> PostNormalisedFit {
    guard !problem.loss.isPiecewiseLinear else {
      throw TrainingError.lossOfModel(problem.kind, settings.model)
    }
    guard settings.solver != .interiorPoint else {
      throw TrainingError.solverOfModel(settings.solver, settings.model)
    }
    let deadline = limits.deadline
    let (unit, λMax) = try {
      if let earlier { return (earlier.program, earlier.fit.λMax) }
      let plain = try program(fixedPatterns(deadline), λ: 1)
      try checkMemory(plain)
      let unit = try PostNormalisationProgram(plain, deadline: deadline)
      return (unit, unit.largestλ(deadline: deadline))
    }()
    let normalised = try unit.with(λ: settings.lambda.value(largest: λMax))
    var solver = try TwoLayerSolver<Double>(
      normalised, tolerance: limits.tolerance, method: method, deadline: deadline)
    var limits = limits.until(deadline)
    limits.certificateInterval = .max  // the solver knows its own gap
    let solution = drive(
      &solver, on: normalised, limits: limits, phase: "group lasso", progress: progress)
    return PostNormalisedFit(
      program: normalised, fit: Fit(program: normalised.plain, solution: solution, λMax: λMax))
  }

  private var method: TwoLayerSolver<Double>.Method {
    switch settings.solver {
    case .newton: .newton
    case .fista: .accelerated
    case .auto, .interiorPoint: .automatic
    }
  }

  /// The solver's memory, the maps of the patterns, and for each thread X in the coordinates of a pattern.
  private func checkMemory(_ plain: TwoLayerProgram) throws(ProgramError) {
    let (d, limit) = (plain.features, settings.memoryLimit)
    let maps = 3 * 8 * Double(plain.patterns.count) * Double(d) * Double(d)
    let copies = 3 * 8 * Double(Parallel.threads) * Double(plain.x.count)
    let solver = Double(TwoLayerSolver<Double>.bytes(plain, method: method))
    let bytes = solver + maps + copies
    guard bytes <= Double(limit) else { throw .memory(needed: Int(min(bytes, 1e18)), limit: limit) }
  }
}
