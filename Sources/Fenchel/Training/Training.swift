import ConvexOptimization
import LinearAlgebra

/// A trained model with its report, and how training ended.
public struct TrainingResult: Sendable {
  public var model: ModelFile
  public var report: TrainingReport
  public var status: Status

  /// Adds remarks to the report.
  mutating func note(_ remarks: [String]) {
    report.warnings += remarks
    model.report.warnings += remarks
  }
}

/// Trains a network on data, certifies it where its training is a convex program, and scores it.
///
/// - Parameter start: of models trained layer by layer the network to go on from, with its scaling. The data should be
///   read by its schema.
/// - Parameter checkpoints: of models trained layer by layer where the state is kept as training goes, and taken up where
///   the keeper has one to resume: the model is then that of a run that was never stopped, bit for bit.
///
/// Errors: those of `TrainingProblem` and of the method, `InitialModelError` where `start` does not fit, `CheckpointError`
/// where the checkpoint does not; not reaching the tolerance is a status, not an error.
public func train(
  _ data: Dataset<Double>, test: Dataset<Double>? = nil, settings: TrainingSettings = TrainingSettings(),
  from start: InitialModel? = nil, checkpoints: CheckpointKeeper? = nil, cancellation: Cancellation? = nil,
  progress: ProgressHandler? = nil
) throws -> TrainingResult {
  let settings = try start?.adopted(by: settings) ?? settings
  let problem =
    try start.map { try TrainingProblem(data, settings: settings, from: $0) }
    ?? TrainingProblem(data, settings: settings)
  guard settings.model.isConvexProgram else {
    try checkpoints?.begin(settings, problem, source: data.source)
    let notice = checkpoints?.notice
    let training = LayerTraining(
      problem: problem, settings: settings, start: start, checkpoints: checkpoints,
      cancellation: cancellation, progress: progress)
    let (outcome, seconds) = try timed { try training.run() }
    var result = try TrainingSummary(problem, data, test, settings).result(
      of: outcome, seconds: seconds + (checkpoints?.earlierSeconds ?? 0))
    result.note([notice, checkpoints?.failureNotice].compactMap { $0 })
    return result
  }
  guard checkpoints == nil else { throw CheckpointError.convexProgram(settings.model) }
  let fitting = Fitting(problem, settings: settings, cancellation: cancellation, progress: progress)
  let (fit, seconds) = try timed {
    let (fit, seconds) = try timed { try fitting.fit() }
    return try fitting.bounded(fit, seconds: settings.timeLimit.map { max(0, $0 - seconds) })
  }
  return try TrainingSummary(problem, data, test, settings).result(of: fit, seconds: seconds)
}

/// Runs `body` and measures it.
func timed<Value>(_ body: () throws -> Value) rethrows -> (Value, Double) {
  let clock = ContinuousClock()
  let start = clock.now
  let value = try body()
  return (value, start.duration(to: clock.now).seconds)
}

/// Makes reports and model files of fits to one problem.
struct TrainingSummary {
  let problem: TrainingProblem
  let data: Dataset<Double>
  let test: Dataset<Double>?
  let settings: TrainingSettings

  init(
    _ problem: TrainingProblem, _ data: Dataset<Double>, _ test: Dataset<Double>?,
    _ settings: TrainingSettings
  ) {
    self.problem = problem
    self.data = data
    self.test = test
    var resolved = settings
    resolved.loss = problem.kind
    resolved.layers = settings.resolvedLayers
    resolved.threads = Parallel.threads
    self.settings = resolved
  }

  func result(of fit: Fit, seconds: Double) throws -> TrainingResult {
    let network = try network(of: fit)
    let objective = NetworkObjective(loss: fit.program.strictLoss, λ: fit.program.λ)
    var report = try report(
      on: network, fit.solution.status, objective: objective.value(of: network, on: problem.inputs) ?? .nan,
      iterations: fit.solution.iterations, seconds: seconds)
    report.lambda = fit.program.λ
    report.lambdaMax = fit.λMax
    report.patterns = .init(count: fit.program.patterns.count, exact: fit.program.patterns.isExact)
    report.certificate = .init(fit.solution.certificate, heuristicViolation: fit.heuristicViolation)
    report.certificate?.global = fit.globalBound.map { .init($0, primal: fit.solution.certificate.primal) }
    report.refinement = fit.phases
    return result(network, report, fit.solution.status, certificate: certificateTensors(fit))
  }

  /// The result of a training layer by layer, which proves nothing: the objective is the loss alone.
  func result(of outcome: LayerTraining.Outcome, seconds: Double) throws -> TrainingResult {
    let loss = StrictLoss(
      kind: problem.kind, parameters: problem.parameters, targets: problem.loss.targets,
      weights: problem.loss.weights)
    var report = try report(
      on: outcome.network, outcome.status, objective: loss.value(at: outcome.network.predict(problem.inputs)),
      iterations: outcome.history.count, seconds: seconds)
    report.history = outcome.history
    report.lagrangianDual = outcome.dual.map { .init($0) }
    return result(outcome.network, report, outcome.status, certificate: [:])
  }

  private var scaling: Scaling { Scaling(features: problem.features, targets: problem.targets) }

  private func result(
    _ network: Network, _ report: TrainingReport, _ status: Status, certificate: [String: Tensor]
  ) -> TrainingResult {
    let model = ModelFile(
      network: network, schema: data.schema, scaling: scaling, report: report, certificate: certificate)
    return TrainingResult(model: model, report: report, status: status)
  }

  /// What every training reports.
  private func report(
    on network: Network, _ status: Status, objective: Double, iterations: Int, seconds: Double
  ) throws -> TrainingReport {
    TrainingReport(
      status: status, model: settings.model, loss: problem.kind, samples: data.rows,
      features: data.features.columns, outputs: problem.loss.outputs,
      network: .init(network, objective: objective), iterations: iterations, seconds: seconds,
      peakMemoryBytes: ProcessMemory.peak, train: try Scorecard(network, scaling, problem.kind, on: data),
      test: try test.map { try Scorecard(network, scaling, problem.kind, on: $0) }, settings: settings,
      environment: .init(
        version: Release.version, threads: Parallel.threads, blasCore: Parallel.blasCore,
        processor: ProcessMemory.processor),
      data: .init(rows: data.rows, columns: data.features.columns, sha256: data.sha256),
      warnings: data.notices)
  }

  /// The decoded network, of ReLU neurons no more than needed: at most one a sample for each output, unless rounding
  /// takes these out of the program.
  private func network(of fit: Fit) throws -> Network {
    let program = fit.program
    if program.isConstrained {
      let pruning = NetworkPruning(x: program.x, loss: program.loss, λ: program.λ)
      let network = try program.decode(
        pruning.pruned(NeuronSet(fit.solution.point)), hasBias: problem.hasBias)
      if program.contains(network) { return network }
    }
    return try program.decode(fit.solution.point, hasBias: problem.hasBias)
  }

  /// What `verify` needs beside the data: the θ that proves the bound, the patterns as bits, and the gates.
  private func certificateTensors(_ fit: Fit) -> [String: Tensor] {
    [
      "theta": Tensor(fit.solution.dualPoint.θ),
      "patterns": Tensor(fit.program.patterns.bits.transposed),
      "gates": Tensor(fit.program.patterns.gates),
    ].merging(fit.globalBound?.tensors ?? [:]) { own, _ in own }
  }
}

extension ModelFile {
  /// How the model does on data that its schema has read.
  public func scorecard(on data: Dataset<Double>) throws -> Scorecard {
    try Scorecard(network, scaling, report.loss, on: data)
  }
}

extension Scorecard {
  /// How a network does on data: the weighted mean loss in the network's units, and measures in the data's.
  init(_ network: Network, _ scaling: Scaling, _ kind: LossKind, on data: Dataset<Double>) throws {
    let f = network.predict(scaling.features.applied(to: data.features))
    let weights = data.sampleWeights
    let y = scaling.targets.applied(to: try TrainingProblem.targets(data, kind))
    let strict = StrictLoss(kind: kind, parameters: LossParameters(), targets: y, weights: weights)
    self.init(loss: strict.value(at: f) / weights.reduce(0, +))
    if case .classes(let indices, _) = data.targets {
      let observed = indices.map { Int($0) }
      accuracy = Metrics.accuracy(Scores.classes(f), observed, weights: weights)
      logLoss = Scores.probabilities(f, loss: kind).map {
        Metrics.logLoss(probabilities: $0, observed, weights: weights)
      }
    } else if case .values(let values) = data.targets {
      let predicted = scaling.targets.inverted(f)
      rmse = Metrics.rmse(predicted, values, weights: weights)
      mae = Metrics.mae(predicted, values, weights: weights)
      rSquared = Metrics.rSquared(predicted, values, weights: weights)
    }
  }
}
