import ConvexOptimization
import LinearAlgebra

/// Trains a network layer by layer on a prepared problem, as the settings say.
struct LayerTraining {
  /// Where the samples are.
  enum Data {
    case memory(TrainingProblem)
    case streamed(StreamedProblem)
  }

  let data: Data
  let problem: ProblemFrame
  let settings: TrainingSettings
  /// The network to go on from, or nil for the initialiser's.
  var start: InitialModel?
  var checkpoints: CheckpointKeeper?
  var cancellation: Cancellation?
  var progress: ProgressHandler?

  private let begin = ContinuousClock().now

  init(
    _ data: Data, settings: TrainingSettings, start: InitialModel? = nil,
    checkpoints: CheckpointKeeper? = nil, cancellation: Cancellation? = nil,
    progress: ProgressHandler? = nil
  ) {
    (self.data, self.settings, self.start) = (data, settings, start)
    switch data {
    case .memory(let all): problem = all.frame
    case .streamed(let all): problem = all.frame
    }
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
    /// The epoch that the network is of, where early stopping chose it.
    var bestEpoch: Int?
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
    if case .streamed = data { try settings.checkStream(rows: problem.rows) }
    if Element.self == Float.self { try checkSinglePrecision() }
    try checkMemory(layers, Element.self)
    let drawn: FeedForward<Element> =
      try start?.feedForward(for: problem, layers, Element.self)
      ?? layers.start(for: problem, seed: settings.seed, Element.self)
    if ![.fenchel, .lifted, .mlp].contains(settings.model) {
      try drawn.requireDense(for: settings.model.rawValue)
    }
    try checkAugmentation(layers, isConvolution: drawn.maps[0] != .dense)
    switch data {
    case .memory(let all): return try run(from: drawn, all, layers)
    case .streamed(let all): return try run(from: drawn, StreamedSamples<Element>(problem: all), layers)
    }
  }

  /// - Throws: `TrainingError.singlePrecision` where a number is too large for it.
  private func checkSinglePrecision() throws {
    let largest =
      switch data {
      case .memory(let all): all.loss.targets.largestMagnitude(above: all.x.largestMagnitude(above: 0))
      case .streamed(let all): all.largest
      }
    guard largest <= Double(Float.greatestFiniteMagnitude) else {
      throw TrainingError.singlePrecision(largest)
    }
  }

  /// The samples, with their images changed where that is asked for.
  private func changed<Element: Scalar>(
    _ source: any SampleSource<Element>, _ layers: LayerSettings?
  ) throws -> any SampleSource<Element> {
    guard let augmentation = layers?.augmentation else { return source }
    let shape = problem.schema.imageShape ?? layers?.architecture?.image
    return try AugmentedSamples(source, augmentation, shape: shape, seed: settings.seed)
  }

  /// - Throws: `AugmentationError` where images would be changed that no batch is made of.
  private func checkAugmentation(_ layers: LayerSettings, isConvolution: Bool) throws {
    guard layers.augmentation != nil else { return }
    switch settings.model {
    case .mlp, .contrastive, .lpom:
      guard layers.optimizer != .lbfgs else {
        throw AugmentationError.method("l-bfgs takes all samples at once")
      }
    case .fenchel:
      guard isConvolution, layers.batchSize < problem.rows else {
        throw AugmentationError.method(
          "fenchel changes images batch by batch, where the first layer is a convolution; give --architecture, and "
            + "batches smaller than the data")
      }
    default:
      throw AugmentationError.method(
        "the model \(settings.model.rawValue) takes all samples at once; take fenchel or mlp")
    }
  }

  private func checkMemory<Element: Scalar>(_ layers: LayerSettings, _: Element.Type) throws {
    var isStreamed = false
    if case .streamed = data { isStreamed = true }
    let memory = try LayerMemory(
      problem, layers, model: settings.model, bytesPerElement: MemoryLayout<Element>.stride,
      isStreamed: isStreamed)
    try memory.check(limit: settings.memoryLimit)
  }

  private func run<Element: Scalar>(
    from drawn: FeedForward<Element>, _ all: TrainingProblem, _ layers: LayerSettings
  ) throws -> Outcome {
    let samples = OrdinaryTraining.Samples(
      x: all.inputs.converted(to: Element.self), targets: all.loss.targets.converted(to: Element.self),
      weights: all.loss.weights.map { Element($0) })
    let start = try initialised(drawn, samples, layers)
    switch settings.model {
    case .mlp, .lpom, .contrastive:
      let training = ordinaryTraining(layers)
      try training.check(start, samples)
      let (learnt, held) = training.split(samples)
      return try descend(
        training, from: start, changed(training.memory(learnt, problem.kind), layers),
        validation: held.map { try training.memory($0, problem.kind) }, layers)
    case .admm, .bcd, .mac, .zhangBrand: return try sweep(from: start, samples, layers)
    case .fenchel, .lifted, .relu, .gatedReLU, .batchNorm, .cnn, .gatedCNN, .threshold, .threeLayer,
      .polynomial,
      .quadratic:
      return try lift(from: start, samples, layers)
    }
  }

  /// On data in a stream.
  private func run<Element: Scalar>(
    from start: FeedForward<Element>, _ samples: StreamedSamples<Element>, _ layers: LayerSettings
  ) throws -> Outcome {
    guard settings.model == .fenchel else {
      return try descend(ordinaryTraining(layers), from: start, changed(samples, layers), layers)
    }
    var training: LiftedTraining<Element> = liftedTraining(
      .fenchel, try liftedSettings(layers), checkpoints)
    training.changes = { try changed($0, layers) }
    let outcome = try training.run(from: start, samples)
    return Outcome(network: try outcome.network.network(), status: outcome.status, history: outcome.history)
  }

  private func initialised<Element: Scalar>(
    _ drawn: FeedForward<Element>, _ samples: OrdinaryTraining.Samples<Element>, _ layers: LayerSettings
  ) throws -> FeedForward<Element> {
    // A run that goes on has its weights already.
    guard start == nil, layers.initialiser == .lifted, checkpoints?.isResuming != true else { return drawn }
    var lifted = LiftedSettings()
    (lifted.epochs, lifted.batchSize) = (Initialiser.liftedSweeps, nil)
    return try lift(.squaredDistance, lifted, from: drawn, samples).network
  }

  private func lift<Element: Scalar>(
    _ form: LiftedForm, _ lifted: LiftedSettings, from start: FeedForward<Element>,
    _ samples: OrdinaryTraining.Samples<Element>, _ checkpoints: CheckpointKeeper? = nil
  ) throws -> LiftedTraining<Element>.Outcome {
    var training: LiftedTraining<Element> = liftedTraining(form, lifted, checkpoints)
    training.changes = { try changed($0, settings.layers) }
    return try training.run(
      from: start, x: samples.x, targets: samples.targets, weights: samples.weights, loss: problem.kind,
      parameters: problem.parameters)
  }

  private func liftedTraining<Element: Scalar>(
    _ form: LiftedForm, _ lifted: LiftedSettings, _ checkpoints: CheckpointKeeper?
  ) -> LiftedTraining<Element> {
    var training = LiftedTraining<Element>(form, settings: lifted)
    training.limits.seconds = secondsLeft
    training.limits.cancellation = cancellation
    training.progress = progress
    training.checkpoints = checkpoints
    return training
  }

  private func lift<Element: Scalar>(
    from start: FeedForward<Element>, _ samples: OrdinaryTraining.Samples<Element>, _ layers: LayerSettings
  ) throws -> Outcome {
    let lifted = try liftedSettings(layers)
    let outcome = try lift(
      settings.model == .lifted ? .squaredDistance : .fenchel, lifted, from: start, samples, checkpoints)
    let dual =
      settings.model == .fenchel
      ? try layers.dualSteps.map { try ascend(from: outcome.network, samples, lifted, steps: $0) } : nil
    return Outcome(
      network: try outcome.network.network(), status: outcome.status, history: outcome.history, dual: dual)
  }

  private func ascend<Element: Scalar>(
    from network: FeedForward<Element>, _ samples: OrdinaryTraining.Samples<Element>,
    _ lifted: LiftedSettings,
    steps: Int
  ) throws -> [DualEstimate] {
    var dual = try LagrangianDual(
      x: samples.x, loss: problem.makeLoss(samples.targets, weights: samples.weights),
      kind: problem.kind, activations: network.activations,
      λ: lifted.weights(of: network, .fenchel), ρ: lifted.ridges(layers: network.activations.count))
    dual.isInterrupted = { cancellation?.isRequested == true || secondsLeft == 0 }
    do {
      return try dual.ascend(from: network, steps: steps)
    } catch is FactorisationError {
      return []  // no estimate in this precision; the network stands
    }
  }

  private func liftedSettings(_ layers: LayerSettings) throws -> LiftedSettings {
    var lifted = try LiftedSettings(settings, layers, rows: problem.rows)
    // Directions that are left out leave the weights too: not those of another method's model.
    let isOwn = start.map { $0.model.report.model == .fenchel } ?? (layers.initialiser != .lifted)
    let leavesOut = settings.model == .fenchel && problem.isImage && isOwn
    lifted.inputShare =
      layers.inputShare ?? (leavesOut ? LiftedSettings.imageShare(hiddenLayers: layers.hiddenLayers) : 1)
    return lifted
  }
}
