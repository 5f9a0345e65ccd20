import ConvexOptimization
import LinearAlgebra

/// What a convex network is compared with.
public enum ForecastRival: String, Codable, Sendable, CaseIterable {
  /// Linear autoregression by least squares.
  case linear
  /// The last value again.
  case last
  /// A ReLU network of as many neurons, by stochastic gradient descent.
  case sgd
  /// The same by Adam.
  case adam

  /// What trains the rival, where it is a network.
  public var optimizer: Optimizer? {
    switch self {
    case .linear, .last: nil
    case .sgd: .sgd
    case .adam: .adam
    }
  }
}

/// How a signal is forecast.
public struct ForecastSettings: Sendable, Equatable {
  /// p: samples that a forecast is made from.
  public var window = 15
  /// H: steps ahead.
  public var horizon = 10
  /// The share of the signal, at its end, that is tested on.
  public var heldOut = 0.2
  public var rivals = ForecastRival.allCases
  /// Epochs of the networks that are trained by gradients, in batches of so many windows.
  public var rivalEpochs = 200
  public var rivalBatchSize = 100
  /// Their learning rates; the usual one of each where none is given.
  public var rivalLearningRates: [ForecastRival: Double] = [:]
  public var rivalSchedule = LearningRateSchedule.constant
  /// Runs of each, from the seed of the training on.
  public var rivalSeeds = 1

  public init() {}
}

/// Forecasts of a signal, and how they were come by.
public struct ForecastResult: Sendable {
  public var windows: SignalWindows
  /// Predicts a window's next value.
  public var model: ModelFile
  public var report: ForecastReport
  public var status: Status
  /// Forecasts from the test windows, one row a window and one column a step: of the model, then of the rivals in the order
  /// of the report's methods.
  public var forecasts: [Matrix<Double>]
}

/// Autoregression by a two-layer network: the windows of the signal's beginning are the data of a convex program, whose
/// network is tested on windows of the signal's end, beside others.
///
/// Errors: `ForecastError`, `DataError.tooLarge`, those of training. Not reaching the tolerance is a status.
public struct Forecasting {
  public let windows: SignalWindows
  public let settings: ForecastSettings
  public let training: TrainingSettings
  public var cancellation: Cancellation?
  public var progress: ProgressHandler?

  public init(
    _ signal: Signal, settings: ForecastSettings = ForecastSettings(), training: TrainingSettings
  ) throws(ForecastError) {
    guard training.model.isConvexProgram else { throw .model(training.model) }
    if let loss = training.loss, ![.squared, .huber, .absolute, .quantile].contains(loss) {
      throw .loss(loss)
    }
    guard settings.rivalEpochs > 0 else { throw .number("the number of epochs", settings.rivalEpochs) }
    guard settings.rivalSeeds > 0 else { throw .number("the number of seeds", settings.rivalSeeds) }
    guard settings.rivalBatchSize > 0 else { throw .number("the batch size", settings.rivalBatchSize) }
    windows = try SignalWindows(
      signal, window: settings.window, horizon: settings.horizon, heldOut: settings.heldOut)
    (self.settings, self.training) = (settings, training)
  }

  public func run() throws -> ForecastResult {
    let data = try trainingData()
    let result = try train(data, settings: training, cancellation: cancellation, progress: progress)
    let judge = ForecastJudge(windows)
    let own = Forecaster(network: result.model.network, scaling: result.model.scaling)
    var (entries, forecasts) = ([ForecastReport.Method](), [Matrix<Double>]())
    func add(_ forecaster: Forecaster, _ method: (Double, [ForecastReport.Step]) -> ForecastReport.Method) {
      let ahead = judge.forecasts(forecaster)
      entries.append(method(judge.trainRMSE(forecaster), judge.steps(ahead)))
      forecasts.append(ahead)
    }
    add(own) {
      .init(
        name: training.model.rawValue, neurons: result.model.network.neurons,
        objective: training.model == .relu ? result.report.network.objective : nil,
        seconds: result.report.seconds, trainRMSE: $0, steps: $1)
    }
    for (rival, seed) in runs where cancellation?.isRequested != true {
      let (trained, seconds) = try timed { try self.trained(rival, seed, data, beside: result) }
      add(trained.forecaster) {
        .init(
          name: rival.rawValue, seed: rival.optimizer.map { _ in seed }, neurons: trained.neurons,
          objective: trained.objective, seconds: seconds, trainRMSE: $0, steps: $1)
      }
    }
    let n = windows.signal.values.count
    let future = own.forecasts(windows.last, steps: windows.horizon).storage.enumerated()
    let report = ForecastReport(
      signal: .init(
        source: windows.signal.source, name: windows.signal.name, samples: n, sha256: windows.signal.sha256),
      window: windows.window, horizon: windows.horizon, trainingWindows: windows.training.count,
      testWindows: windows.test.count, deviation: judge.deviation, methods: entries,
      future: future.map { .init(index: n + $0.offset, value: $0.element) }, training: result.report)
    return ForecastResult(
      windows: windows, model: result.model, report: report, status: result.status, forecasts: forecasts)
  }

  /// Every rival with its seed.
  private var runs: [(ForecastRival, UInt64)] {
    settings.rivals.flatMap { rival in
      (0..<(rival.optimizer == nil ? 1 : settings.rivalSeeds)).map { (rival, training.seed &+ UInt64($0)) }
    }
  }

  /// The windows to learn from as data.
  private func trainingData() throws -> Dataset<Double> {
    let table = try windows.table(windows.training, memoryLimit: training.memoryLimit)
    var options = SchemaOptions()
    options.task = .regression
    return try Schema(inferredFrom: table, options: options).dataset(
      from: table, memoryLimit: training.memoryLimit)
  }

  private typealias TrainedRival = (forecaster: Forecaster, neurons: Int?, objective: Double?)

  private func trained(
    _ rival: ForecastRival, _ seed: UInt64, _ data: Dataset<Double>, beside result: TrainingResult
  ) throws -> TrainedRival {
    switch rival {
    case .linear:
      return (try .linear(TrainingProblem(data, settings: training)), nil, nil)
    case .last: return (try .last(window: windows.window), nil, nil)
    case .sgd, .adam: return try network(rival, seed, data, beside: result)
    }
  }

  /// A ReLU network of as many neurons as the convex program's, with the weight decay of its λ, trained by gradients: mean
  /// loss + (λ/2n)‖W‖². Unlike that one it has an output bias, too.
  private func network(
    _ rival: ForecastRival, _ seed: UInt64, _ data: Dataset<Double>, beside result: TrainingResult
  ) throws -> TrainedRival {
    let λ = training.model == .relu ? result.report.lambda : nil
    var layers = LayerSettings(for: .mlp)
    layers.hidden = [max(1, result.model.network.neurons)]
    layers.optimizer = rival.optimizer ?? layers.optimizer
    (layers.learningRate, layers.schedule) = (settings.rivalLearningRates[rival], settings.rivalSchedule)
    (layers.epochs, layers.batchSize) = (settings.rivalEpochs, settings.rivalBatchSize)
    layers.weightDecay = (λ ?? 0) / Double(data.rows)
    var own = TrainingSettings()
    (own.model, own.layers, own.seed, own.loss) = (.mlp, layers, seed, training.loss)
    (own.bias, own.standardise, own.precision) = (training.bias, training.standardise, training.precision)
    own.lossParameters = training.lossParameters
    (own.timeLimit, own.maxMemory) = (training.timeLimit, training.maxMemory)
    let trained = try train(data, settings: own, cancellation: cancellation, progress: progress)
    let network = trained.model.network
    let problem = try TrainingProblem(data, settings: own)
    let loss = StrictLoss(
      kind: problem.kind, parameters: problem.parameters, targets: problem.loss.targets,
      weights: problem.loss.weights)
    let objective = λ.flatMap { NetworkObjective(loss: loss, λ: $0).value(of: network, on: problem.inputs) }
    return (Forecaster(network: network, scaling: trained.model.scaling), network.neurons, objective)
  }
}

/// Scores forecasters on the windows of a signal.
struct ForecastJudge {
  private let windows: SignalWindows
  private let inputs: Matrix<Double>
  private let outcomes: Matrix<Double>

  init(_ windows: SignalWindows) {
    self.windows = windows
    inputs = windows.inputs(windows.test)
    outcomes = windows.outcomes(windows.test)
  }

  /// Standard deviation of the values one step ahead.
  var deviation: Double {
    let values = outcomes.column(0)
    let mean = values.reduce(0) { $0 + $1 / Double(values.count) }
    return Metrics.rmse(Matrix(values.count, 1, fill: mean), Matrix(column: values))
  }

  func forecasts(_ forecaster: Forecaster) -> Matrix<Double> {
    forecaster.forecasts(inputs, steps: windows.horizon)
  }

  func steps(_ forecasts: Matrix<Double>) -> [ForecastReport.Step] {
    (0..<windows.horizon).map { h in
      let (f, y) = (Matrix(column: forecasts.column(h)), Matrix(column: outcomes.column(h)))
      return .init(
        step: h + 1, rmse: Metrics.rmse(f, y), mae: Metrics.mae(f, y), rSquared: Metrics.rSquared(f, y))
    }
  }

  func trainRMSE(_ forecaster: Forecaster) -> Double {
    let values = windows.training.map { windows.signal.values[$0] }
    return Metrics.rmse(
      Matrix(column: forecaster.next(windows.inputs(windows.training))), Matrix(column: values))
  }
}
