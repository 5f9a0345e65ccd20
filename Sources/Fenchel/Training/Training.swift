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
  try settings.onItsThreads {
    let settings = try start?.adopted(by: settings) ?? settings
    let problem =
      try start.map { try TrainingProblem(data, settings: settings, from: $0) }
      ?? TrainingProblem(data, settings: settings)
    try test?.checkTargets(for: problem.kind)
    guard settings.model.isConvexProgram else {
      try checkpoints?.begin(
        settings, loss: problem.kind, data: checkpoints.map { _ in try problem.fingerprint } ?? "",
        source: data.source)
      let training = LayerTraining(
        .memory(problem), settings: settings, start: start, checkpoints: checkpoints,
        cancellation: cancellation, progress: progress)
      return try training.result { TrainingSummary(problem.frame, data, test, settings) }
    }
    guard checkpoints == nil else { throw CheckpointError.convexProgram(settings.model) }
    let fitting = ConvexFitting(
      problem: problem, settings: settings, cancellation: cancellation, progress: progress)
    let (certified, seconds) = try timed {
      let (fit, seconds) = try timed { try fitting.fit() }
      return try fitting.bounded(fit, seconds: settings.timeLimit.map { max(0, $0 - seconds) })
        .certified(for: problem)
    }
    var result = try TrainingSummary(problem.frame, data, test, settings).result(
      of: certified, seconds: seconds)
    result.note(settings.remarks)
    return result
  }
}

/// Trains a network in batches on data that stay in their file, and scores it: the same network, bit for bit, as of the
/// same data in memory. `fenchel`, `mlp` but for `l-bfgs`, `lpom` and `contrastive` can.
///
/// Memory: some times a batch, or 1024 rows where these are more, the network with what its method remembers, and 16 bytes
/// a row. Cost: beside the training two to six passes over the data; `fenchel` keeps the inputs in their axes in a scratch
/// file (`TMPDIR`, else `/var/tmp`).
///
/// Errors: as above; `StreamError` for methods that need all data at once, or where a pass was stopped; `DataError` where the
/// file was changed since it was opened; `FileWriteError` where there is no room for a scratch file.
public func train(
  _ data: StreamedData, test: StreamedData? = nil, settings: TrainingSettings = TrainingSettings(),
  from start: InitialModel? = nil, checkpoints: CheckpointKeeper? = nil, cancellation: Cancellation? = nil,
  progress: ProgressHandler? = nil
) throws -> TrainingResult {
  try settings.onItsThreads {
    try settings.checkStream(rows: data.rows)
    let settings = try start?.adopted(by: settings) ?? settings
    progress?(Progress(phase: "passes over the data", iteration: 0, seconds: 0))
    let problem = try StreamedProblem(data, settings: settings, from: start) {
      cancellation?.isRequested == true
    }
    try test?.checkTargets(for: problem.frame.kind)
    try checkpoints?.begin(
      settings, loss: problem.frame.kind, data: problem.fingerprint, source: data.table.source)
    let training = LayerTraining(
      .streamed(problem), settings: settings, start: start, checkpoints: checkpoints,
      cancellation: cancellation, progress: progress)
    return try training.result { TrainingSummary(problem.frame, data, test, settings) }
  }
}

extension DataPieces {
  /// Finds targets to test on that the loss does not take before it is trained with. Cost: a pass over the data for counts,
  /// whose range no schema knows.
  fileprivate func checkTargets(for kind: LossKind) throws {
    guard kind == .poisson else { return }
    try forEachPiece(of: 1024) { _ = try TrainingProblem.targets($0, kind) }
  }
}

extension LayerTraining {
  /// Trains, and reports.
  fileprivate func result(_ summary: () -> TrainingSummary) throws -> TrainingResult {
    let notice = checkpoints?.notice
    let (outcome, seconds) = try timed { try run() }
    var result = try summary().result(of: outcome, seconds: seconds + (checkpoints?.earlierSeconds ?? 0))
    result.note([notice, checkpoints?.failureNotice].compactMap { $0 })
    return result
  }
}

extension TrainingSettings {
  /// Runs `body` on as many threads as the settings say, where they do. The number is one of the process: what else runs
  /// meanwhile has it too. The results are the same bits for any number.
  func onItsThreads<Value>(_ body: () throws -> Value) rethrows -> Value {
    guard let threads else { return try body() }
    let before = Parallel.threads
    Parallel.threads = threads
    defer { Parallel.threads = before }
    return try body()
  }
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
  let problem: ProblemFrame
  let data: any DataPieces
  let test: (any DataPieces)?
  let settings: TrainingSettings

  init(
    _ problem: ProblemFrame, _ data: any DataPieces, _ test: (any DataPieces)?, _ settings: TrainingSettings
  ) {
    self.problem = problem
    self.data = data
    self.test = test
    var resolved = settings
    resolved.loss = problem.kind
    if [.huber, .quantile].contains(problem.kind) { resolved.lossParameters = problem.parameters }
    resolved.layers = settings.resolvedLayers(rows: problem.rows)
    if settings.model.hasKernel { resolved.convolution = settings.convolution ?? PatchSettings() }
    resolved.threads = Parallel.threads
    self.settings = resolved
  }

  func result(of trained: CertifiedNetwork, seconds: Double) throws -> TrainingResult {
    var report = try report(
      on: trained.network, trained.status,
      ScoreSums(trained.network, problem.scaling, problem.kind, problem.parameters, on: data),
      iterations: trained.iterations,
      seconds: seconds)
    report.network.objective = trained.objective ?? .nan
    report.lambda = trained.λ
    report.lambdaMax = trained.λMax
    report.patterns = trained.patterns
    report.certificate = .init(trained.certificate, heuristicViolation: trained.heuristicViolation)
    report.certificate?.global = trained.globalBound.map { .init($0, primal: trained.certificate.primal) }
    report.settings.precision = trained.precision
    report.refinement = trained.phases
    report.penalty = trained.penalty
    return result(trained.network, report, trained.status, certificate: trained.tensors)
  }

  /// The result of a training layer by layer, which proves nothing: the objective is the loss alone.
  func result(of outcome: LayerTraining.Outcome, seconds: Double) throws -> TrainingResult {
    var report = try report(
      on: outcome.network, outcome.status,
      ScoreSums(outcome.network, problem.scaling, problem.kind, problem.parameters, on: data),
      iterations: outcome.history.count, seconds: seconds)
    report.history = outcome.history
    report.bestEpoch = outcome.bestEpoch
    report.lagrangianDual = outcome.dual.map { .init($0) }
    if outcome.status == .numericalFailure {
      report.warnings.append(
        "a step was not finite, and the weights before it are kept: give --precision double, shorter steps, or columns "
          + "of like scales")
    }
    return result(outcome.network, report, outcome.status, certificate: [:])
  }

  private func result(
    _ network: Network, _ report: TrainingReport, _ status: Status, certificate: [String: Tensor]
  ) -> TrainingResult {
    let model = ModelFile(
      network: network, schema: data.schema, scaling: problem.scaling, report: report,
      certificate: certificate)
    return TrainingResult(model: model, report: report, status: status)
  }

  /// What every training reports.
  private func report(
    on network: Network, _ status: Status, _ scores: ScoreSums, iterations: Int, seconds: Double
  ) throws -> TrainingReport {
    TrainingReport(
      status: status, model: settings.model, loss: problem.kind, samples: problem.rows,
      features: problem.columns, outputs: problem.outputs,
      network: .init(network, objective: scores.totalLoss), iterations: iterations, seconds: seconds,
      peakMemoryBytes: ProcessMemory.peak, train: scores.scorecard,
      test: try test.map {
        try Scorecard(network, problem.scaling, problem.kind, problem.parameters, on: $0)
      },
      settings: settings,
      environment: .init(
        version: Release.version, threads: Parallel.threads, blasCore: Parallel.blasCore,
        processor: ProcessMemory.processor),
      data: .init(
        rows: problem.rows, columns: problem.columns, sha256: problem.sha256,
        isStreamed: data.isStreamed ? true : nil),
      warnings: data.notices)
  }
}

extension ModelFile {
  /// How the model does on data that its schema has read.
  public func scorecard(on data: Dataset<Double>) throws -> Scorecard {
    try Scorecard(network, scaling, report.loss, report.settings.parameters, on: data)
  }
}

extension Scorecard {
  /// How a network does on data: the weighted mean loss in the network's units, and measures in the data's.
  init(
    _ network: Network, _ scaling: Scaling, _ kind: LossKind, _ parameters: LossParameters,
    on data: some DataPieces
  ) throws {
    self = try ScoreSums(network, scaling, kind, parameters, on: data).scorecard
  }
}
