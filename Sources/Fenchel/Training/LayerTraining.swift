import ConvexOptimization
import LinearAlgebra

/// Trains a network layer by layer on a prepared problem, as the settings say.
struct LayerTraining {
  let problem: TrainingProblem
  let settings: TrainingSettings
  /// The network to go on from, or nil for the initialiser's.
  var start: InitialModel?
  var checkpoints: CheckpointKeeper?
  var cancellation: Cancellation?
  var progress: ProgressHandler?

  private let begin = ContinuousClock().now

  init(
    problem: TrainingProblem, settings: TrainingSettings, start: InitialModel? = nil,
    checkpoints: CheckpointKeeper? = nil, cancellation: Cancellation? = nil,
    progress: ProgressHandler? = nil
  ) {
    (self.problem, self.settings, self.start) = (problem, settings, start)
    self.checkpoints = checkpoints
    (self.cancellation, self.progress) = (cancellation, progress)
  }

  /// What the time limit leaves.
  var secondsLeft: Double? {
    settings.timeLimit.map { max(0, $0 - begin.duration(to: ContinuousClock().now).seconds) }
  }

  /// A trained network and how its training went.
  struct Outcome {
    var network: Network
    var status: Status
    var history: [Epoch]
    /// The ascent on the Lagrangian dual, where asked for.
    var dual: [DualEstimate]?
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
    let samples = OrdinaryTraining.Samples(x: x, targets: targets, weights: weights)
    let start = try weightsToStartFrom(samples, layers)
    switch settings.model {
    case .mlp: return try backpropagate(from: start, samples, layers)
    case .admm, .bcd, .mac, .zhangBrand: return try sweep(from: start, samples, layers)
    case .lpom, .contrastive: return try descend(from: start, samples, layers)
    case .fenchel, .lifted, .relu, .gatedReLU: return try lift(from: start, samples, layers)
    }
  }

  private func weightsToStartFrom<Element: Scalar>(
    _ samples: OrdinaryTraining.Samples<Element>, _ layers: LayerSettings
  ) throws -> FeedForward<Element> {
    if let start { return try start.feedForward(for: problem, layers, Element.self) }
    let drawn: FeedForward<Element> = try layers.start(
      inputs: samples.x.columns, outputs: samples.targets.columns, hasBias: problem.hasBias,
      seed: settings.seed, Element.self)
    // A run that goes on has its weights already.
    guard layers.initialiser == .lifted, checkpoints?.isResuming != true else { return drawn }
    var lifted = LiftedSettings()
    (lifted.epochs, lifted.batchSize) = (Initialiser.liftedSweeps, nil)
    return try lift(.squaredDistance, lifted, from: drawn, samples).network
  }

  private func lift<Element: Scalar>(
    _ form: LiftedForm, _ lifted: LiftedSettings, from start: FeedForward<Element>,
    _ samples: OrdinaryTraining.Samples<Element>, _ checkpoints: CheckpointKeeper? = nil
  ) throws -> LiftedTraining<Element>.Outcome {
    var training = LiftedTraining<Element>(form, settings: lifted)
    training.limits.seconds = secondsLeft
    training.limits.cancellation = cancellation
    training.progress = progress
    training.checkpoints = checkpoints
    return try training.run(
      from: start, x: samples.x, targets: samples.targets, weights: samples.weights, loss: problem.kind)
  }

  private func lift<Element: Scalar>(
    from start: FeedForward<Element>, _ samples: OrdinaryTraining.Samples<Element>, _ layers: LayerSettings
  ) throws -> Outcome {
    let outcome = try lift(
      settings.model == .lifted ? .squaredDistance : .fenchel, liftedSettings(layers), from: start, samples,
      checkpoints)
    let dual =
      settings.model == .fenchel
      ? try layers.dualSteps.map { try ascend(from: outcome.network, samples, steps: $0) } : nil
    return Outcome(
      network: try outcome.network.network(), status: outcome.status, history: outcome.history, dual: dual)
  }

  private func ascend<Element: Scalar>(
    from network: FeedForward<Element>, _ samples: OrdinaryTraining.Samples<Element>, steps: Int
  ) throws -> [DualEstimate] {
    let (lifted, layers) = (LiftedSettings(), network.activations.count)
    var λ = lifted.λ
    if case .value(let value) = settings.lambda { λ = value }
    var dual = try LagrangianDual(
      x: samples.x, loss: problem.kind.makeLoss(targets: samples.targets, weights: samples.weights),
      kind: problem.kind, activations: network.activations,
      λ: [Element](repeating: Element(λ), count: layers),
      ρ: [Element](repeating: Element(lifted.ρ), count: layers + 1))
    dual.isInterrupted = { cancellation?.isRequested == true || secondsLeft == 0 }
    return try dual.ascend(from: network, steps: steps)
  }

  private func backpropagate<Element: Scalar>(
    from start: FeedForward<Element>, _ samples: OrdinaryTraining.Samples<Element>, _ layers: LayerSettings
  ) throws -> Outcome {
    let training = OrdinaryTraining(
      optimizer: layers.optimizer, epochs: layers.epochs, batchSize: layers.batchSize,
      learningRate: layers.learningRate, weightDecay: layers.weightDecay, schedule: layers.schedule,
      seed: settings.seed, seconds: secondsLeft, cancellation: cancellation,
      lossParameters: problem.parameters)
    try training.check(start, samples)
    let outcome = try training.run(
      from: start, training.memory(samples, problem.kind), checkpoints: checkpoints
    ) { epoch, _ in
      progress?(Progress(phase: "epochs", iteration: epoch.number, seconds: epoch.seconds))
    }
    return Outcome(
      network: try outcome.network.network(), status: outcome.status, history: outcome.history)
  }

  private func liftedSettings(_ layers: LayerSettings) -> LiftedSettings {
    var lifted = LiftedSettings(hiddenLayers: layers.hidden.count)
    lifted.epochs = layers.epochs
    lifted.batchSize = layers.batchSize < problem.x.rows ? layers.batchSize : nil
    lifted.seed = settings.seed
    lifted.sketch = layers.sketch
    // Directions that are left out leave the weights too: not those of another method's model.
    let isOwn = start.map { $0.model.report.model == .fenchel } ?? (layers.initialiser != .lifted)
    let leavesOut = settings.model == .fenchel && problem.isImage && isOwn
    lifted.inputShare =
      layers.inputShare ?? (leavesOut ? LiftedSettings.imageShare(hiddenLayers: layers.hidden.count) : 1)
    if case .value(let λ) = settings.lambda { (lifted.λ, lifted.batched.λ) = (λ, λ) }
    return lifted
  }
}
