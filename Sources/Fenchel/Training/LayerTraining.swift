import ConvexOptimization
import LinearAlgebra

/// Trains a network layer by layer on a prepared problem, as the settings say.
struct LayerTraining {
  let problem: TrainingProblem
  let settings: TrainingSettings
  var cancellation: Cancellation?
  var progress: ProgressHandler?

  /// A trained network and how its training went.
  struct Outcome {
    var network: Network
    var status: Status
    var history: [Epoch]
  }

  /// Trains in the precision of the settings.
  ///
  /// Errors: `LiftedError`, `OrdinaryTrainingError`, `BackpropagationError` and `FeedForwardError` for settings that fit
  /// no model, `LayerMemoryError` where the limit on memory does not hold them.
  func run() throws -> Outcome {
    switch settings.precision {
    case .float: try run(Float.self)
    case .double: try run(Double.self)
    }
  }

  private func run<Element: Scalar>(_: Element.Type) throws -> Outcome {
    let layers = settings.layers ?? LayerSettings(for: settings.model)
    let memory = LayerMemory(
      problem, layers, model: settings.model, bytesPerElement: MemoryLayout<Element>.stride)
    try memory.check(limit: settings.memoryLimit)
    let x = problem.inputs.converted(to: Element.self)
    let targets = problem.loss.targets.converted(to: Element.self)
    let weights = problem.loss.weights.map { Element($0) }
    let start: FeedForward<Element> = try layers.start(
      inputs: x.columns, outputs: targets.columns, hasBias: problem.hasBias, seed: settings.seed,
      Element.self)
    let samples = OrdinaryTraining.Samples(x: x, targets: targets, weights: weights)
    switch settings.model {
    case .mlp: return try backpropagate(from: start, samples, layers)
    case .admm, .bcd, .mac, .zhangBrand: return try sweep(from: start, samples, layers)
    case .lpom, .contrastive: return try descend(from: start, samples, layers)
    case .fenchel, .lifted, .relu, .gatedReLU: return try lift(from: start, samples, layers)
    }
  }

  private func lift<Element: Scalar>(
    from start: FeedForward<Element>, _ samples: OrdinaryTraining.Samples<Element>, _ layers: LayerSettings
  ) throws -> Outcome {
    var training = LiftedTraining<Element>(
      settings.model == .lifted ? .squaredDistance : .fenchel, settings: liftedSettings(layers))
    training.limits.seconds = settings.timeLimit
    training.limits.cancellation = cancellation
    training.progress = progress
    let outcome = try training.run(
      from: start, x: samples.x, targets: samples.targets, weights: samples.weights, loss: problem.kind)
    return Outcome(
      network: try outcome.network.network(), status: outcome.status, history: outcome.history)
  }

  private func backpropagate<Element: Scalar>(
    from start: FeedForward<Element>, _ samples: OrdinaryTraining.Samples<Element>, _ layers: LayerSettings
  ) throws -> Outcome {
    let training = OrdinaryTraining(
      optimizer: layers.optimizer, epochs: layers.epochs, batchSize: layers.batchSize,
      learningRate: layers.learningRate, weightDecay: layers.weightDecay, schedule: layers.schedule,
      seed: settings.seed, seconds: settings.timeLimit, cancellation: cancellation,
      lossParameters: problem.parameters)
    let outcome = try training.run(from: start, samples, loss: problem.kind) { epoch, _ in
      progress?(Progress(phase: "epochs", iteration: epoch.number, seconds: epoch.seconds))
    }
    return Outcome(
      network: try outcome.network.network(), status: outcome.status, history: outcome.history)
  }

  private func liftedSettings(_ layers: LayerSettings) -> LiftedSettings {
    var lifted = LiftedSettings()
    lifted.epochs = layers.epochs
    lifted.batchSize = layers.batchSize < problem.x.rows ? layers.batchSize : nil
    lifted.seed = settings.seed
    lifted.inputShare = layers.inputShare ?? (problem.isImage ? 0.95 : 1)
    if case .value(let λ) = settings.lambda { (lifted.λ, lifted.batched.λ) = (λ, λ) }
    return lifted
  }
}
