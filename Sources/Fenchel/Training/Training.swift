import ConvexOptimization
import LinearAlgebra

/// A trained model with its report, and how training ended.
public struct TrainingResult: Sendable {
  public var model: ModelFile
  public var report: TrainingReport
  public var status: Status
}

/// Trains a two-layer network on data by its convex program, certifies and scores it.
///
/// Errors: those of `TrainingProblem` and `Fitting`; not reaching the tolerance is a status, not an error.
public func train(
  _ data: Dataset<Double>, test: Dataset<Double>? = nil, settings: TrainingSettings = TrainingSettings(),
  cancellation: Cancellation? = nil, progress: ProgressHandler? = nil
) throws -> TrainingResult {
  let problem = try TrainingProblem(data, settings: settings)
  let fitting = Fitting(problem, settings: settings, cancellation: cancellation, progress: progress)
  let (fit, seconds) = try timed { try fitting.fit() }
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
    resolved.threads = Parallel.threads
    self.settings = resolved
  }

  func result(of fit: Fit, seconds: Double) throws -> TrainingResult {
    let network = try network(of: fit)
    let scaling = Scaling(features: problem.features, targets: problem.targets)
    let objective = NetworkObjective(loss: fit.program.strictLoss, λ: fit.program.λ)
    let report = TrainingReport(
      status: fit.solution.status, model: settings.model, loss: problem.kind, samples: data.rows,
      features: data.features.columns, outputs: problem.loss.outputs, lambda: fit.program.λ,
      lambdaMax: fit.λMax,
      patterns: .init(count: fit.program.patterns.count, exact: fit.program.patterns.isExact),
      certificate: .init(fit.solution.certificate, heuristicViolation: fit.heuristicViolation),
      network: .init(
        network, objective: objective.value(of: network, on: problem.inputs) ?? .nan),
      iterations: fit.solution.iterations, seconds: seconds, peakMemoryBytes: ProcessMemory.peak,
      train: try Scorecard(network, scaling, problem.kind, on: data),
      test: try test.map { try Scorecard(network, scaling, problem.kind, on: $0) }, settings: settings,
      environment: .init(
        version: Release.version, threads: Parallel.threads, blasCore: Parallel.blasCore,
        processor: ProcessMemory.processor),
      data: .init(rows: data.rows, columns: data.features.columns, sha256: data.sha256),
      warnings: data.notices)
    let model = ModelFile(
      network: network, schema: data.schema, scaling: scaling, report: report,
      certificate: certificateTensors(fit))
    return TrainingResult(model: model, report: report, status: fit.solution.status)
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
    ]
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
