import ConvexOptimization
import LinearAlgebra

/// A two-layer ReLU network whose neurons feed all outputs, fitted to a problem.
struct SharedFit: Sendable {
  let program: ConicNuclearProgram
  let solution: Solution<ConicNuclearProgram.Point>
  /// An upper bound on the least λ at which the zero network is optimal, over the program's patterns; what a search found
  /// where patterns are refined.
  let λMax: Double

  func certified(for problem: TrainingProblem) throws -> CertifiedNetwork {
    let network = try program.decode(solution.point.neurons, hasBias: problem.hasBias)
    let objective = NetworkObjective(loss: program.relu.strictLoss, λ: program.λ)
    let patterns = program.relu.patterns
    return CertifiedNetwork(
      network: network, objective: objective.value(of: network, on: problem.inputs), λ: program.λ, λMax: λMax,
      certificate: solution.certificate, status: solution.status, iterations: solution.iterations,
      tensors: program.relu.proof(θ: solution.dualPoint.θ),
      patterns: .init(count: patterns.count, exact: patterns.isExact))
  }
}

extension Fitting {
  /// Fits a ReLU network whose neurons feed all outputs, over the patterns and from the fit of a neighbouring λ where there is
  /// one.
  ///
  /// Patterns that are to be refined are those of the network with separate outputs at the same λ, at which the search begins:
  /// the result is never worse than that network, nor than none. (`train` improves a network with separate outputs further as
  /// it looks for a bound over networks of any width; within the tolerance that one may be the better.)
  ///
  /// Errors: `TrainingError` for losses with kinks and for solvers other than `auto` and `fista`, whose steps the blocks take;
  /// `ProgramError` where memory does not suffice; those of patterns.
  func sharedFit(after earlier: SharedFit?) throws -> SharedFit {
    guard !problem.loss.isPiecewiseLinear else {
      throw TrainingError.lossOfSharedNeurons(problem.kind)
    }
    guard [.auto, .fista].contains(settings.solver) else {
      throw TrainingError.solverOfSharedNeurons(settings.solver)
    }
    let deadline = limits.deadline
    let (unit, start, λMax) = try sharedStart(after: earlier, deadline)
    let program = ConicNuclearProgram(
      try program(unit.patterns, λ: settings.lambda.value(largest: λMax)))
    try checkMemory(program)
    var solver = ConicNuclearSolver(
      program, tolerance: limits.tolerance, start: start, deadline: deadline)
    var limits = limits.until(deadline)
    limits.certificateInterval = .max  // the solver has an idea of its own gap
    var solution = drive(
      &solver, on: program, limits: limits, phase: "conditional gradient", progress: progress)
    // A gap within the tolerance is no promise against the start, or against no neurons at all.
    let none = SharedNeurons.none(features: problem.x.columns, outputs: problem.loss.outputs)
    for neurons in [start ?? none, none] {
      let certificate = Certificate(
        primal: program.strictObjective(of: neurons), dual: -.infinity, scope: solution.certificate.scope)
      solution.keepBetter(ConicNuclearProgram.Point(neurons: neurons, θ: solution.point.θ), certificate)
    }
    return SharedFit(program: program, solution: solution, λMax: λMax)
  }

  /// Patterns, neurons to begin at, and λ_max.
  private func sharedStart(
    after earlier: SharedFit?, _ deadline: Deadline
  ) throws -> (TwoLayerProgram, SharedNeurons?, λMax: Double) {
    guard case .refine = settings.patterns else {
      if let earlier { return (earlier.program.relu, earlier.solution.point.neurons, earlier.λMax) }
      let unit = try program(fixedPatterns(deadline), λ: 1)
      try checkMemory(ConicNuclearProgram(unit))
      return (unit, nil, ConicNuclearProgram(unit).largestλ(deadline: deadline))
    }
    let (λMax, gate) = searchedSharedλMax()
    var separate = self.settings
    separate.outputs = nil
    separate.lambda = .value(settings.lambda.value(largest: λMax))
    separate.timeLimit = deadline.secondsLeft.map { $0 / 2 }
    let fit = try Fitting(
      problem, settings: separate, cancellation: cancellation, progress: progress
    ).fit()
    let patterns = try fit.program.patterns.adding(gate, for: problem.x)
    let neurons = NeuronSet(fit.solution.point)
    var outputs = Matrix<Double>(neurons.count, problem.loss.outputs)
    for m in 0..<neurons.count { outputs[m, neurons.outputs[m]] = neurons.signs[m] }
    let start = SharedNeurons(
      patterns: fit.solution.point.groups.map(\.pattern), vectors: neurons.vectors, outputs: outputs)
    return (try program(patterns, λ: 1), start, λMax)
  }

  /// max ‖Σ_k θ_k (x_kᵀw)₊‖ over ‖w‖ ≤ 1 at θ = −∇ℓ(0), as far as a search finds it, and the w: the best w for a direction v
  /// of the outputs, and the best v for that, by turns.
  private func searchedSharedλMax() -> (λMax: Double, gate: Matrix<Double>) {
    let θ = problem.loss.residual(at: Matrix(problem.loss.samples, problem.loss.outputs))
    let (spread, x) = (problem.pooling.adjoint(θ), problem.x)
    let c = θ.columns
    var search = Pricing(x: x)
    (search.seed, search.deadline) = (settings.seed, limits.deadline)
    var best = (value: 0.0, direction: [Double](repeating: 0, count: x.columns))
    var directions: [[Double]] = []
    for j in 0..<2 * c {
      var v = [Double](repeating: 0, count: c)
      v[j / 2] = j % 2 == 0 ? 1 : -1
      directions.append(v)
    }
    for _ in 0..<4 {
      let before = best.value
      for v in directions {
        let column = matrixProduct(spread, .no, Matrix(column: v), .no).storage
        guard
          let found = search.maxima(
            θ: column, sign: 1, starts: Matrix(1, x.columns, storage: best.direction)
          ).first
        else { continue }
        let value = StrictArithmetic.norm(image(found.direction, spread))
        if value > best.value { best = (value, found.direction) }
      }
      guard best.value > before else { break }
      let image = image(best.direction, spread)
      directions = [image.map { $0 / best.value }]
    }
    return (
      StrictDual.beyondRounding(best.value, θ: spread, x),
      best.value > 0 ? Matrix(1, x.columns, storage: best.direction) : Matrix(0, x.columns)
    )
  }

  /// Σ_k θ_k (x_kᵀw)₊.
  private func image(_ w: [Double], _ θ: Matrix<Double>) -> [Double] {
    var activations = matrixProduct(problem.x, .no, Matrix(column: w), .no)
    for k in 0..<activations.count { activations.storage[k] = max(activations.storage[k], 0) }
    return matrixProduct(activations, .yes, θ, .no).storage
  }

  private func checkMemory(_ program: ConicNuclearProgram) throws(ProgramError) {
    let (bytes, limit) = (ConicNuclearSolver.bytes(program), settings.memoryLimit)
    guard bytes <= limit else { throw .memory(needed: bytes, limit: limit) }
  }
}
