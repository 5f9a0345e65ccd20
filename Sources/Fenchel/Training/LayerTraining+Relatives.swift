import ConvexOptimization
import LinearAlgebra

extension LayerTraining {
  /// By a method that sweeps over all samples.
  func sweep<Element: Scalar>(
    from start: FeedForward<Element>, _ samples: OrdinaryTraining.Samples<Element>, _ layers: LayerSettings
  ) throws -> Outcome {
    let begin = ContinuousClock().now
    let data = try SweepData(samples, kind: problem.kind, for: start, parameters: problem.parameters)
    var training = SweepTraining<Element>(epochs: layers.epochs)
    training.limits.seconds = secondsLeft
    training.limits.cancellation = cancellation
    training.progress = progress
    guard let method = try method(start, data, layers.numbers ?? [:]) else {
      return Outcome(network: try start.network(), status: .numericalFailure, history: [])
    }
    training.checkpoints = checkpoints
    let outcome = try training.run(method, since: begin)
    return Outcome(
      network: try outcome.network.network(), status: outcome.status, history: outcome.history)
  }

  /// The method of the model; nil where the Gram matrix of the data has no factor in this precision.
  private func method<Element: Scalar>(
    _ start: FeedForward<Element>, _ data: SweepData<Element>, _ numbers: [String: Double]
  ) throws -> (any SweepMethod<Element>)? {
    do {
      return switch settings.model {
      case .admm: try MultiplierDescent(start, data, settings: MultiplierSettings(numbers))
      case .bcd: try ThreeSplittingDescent(start, data, settings: ThreeSplittingSettings(numbers))
      case .mac: try AuxiliaryCoordinates(start, data, settings: AuxiliaryCoordinateSettings(numbers))
      default: try TikhonovDescent(start, data, settings: TikhonovSettings(numbers))
      }
    } catch is FactorisationError { return nil }
  }

  /// How `mlp`, `contrastive` and `lpom` go from batch to batch.
  func ordinaryTraining(_ layers: LayerSettings) -> OrdinaryTraining {
    OrdinaryTraining(
      optimizer: layers.optimizer, epochs: layers.epochs, batchSize: layers.batchSize,
      learningRate: settings.model == .lpom ? 1 : layers.learningRate, weightDecay: layers.weightDecay,
      schedule: layers.schedule, seed: settings.seed, seconds: secondsLeft, cancellation: cancellation,
      earlyStopping: layers.earlyStopping,
      lossParameters: problem.parameters)
  }

  /// By a method that goes from batch to batch.
  func descend<Element: Scalar>(
    _ training: OrdinaryTraining, from start: FeedForward<Element>, _ source: any SampleSource<Element>,
    validation: MemorySamples<Element>? = nil, _ layers: LayerSettings
  ) throws -> Outcome {
    let numbers = layers.numbers ?? [:]
    let method: (any BatchMethod<Element>)? =
      switch settings.model {
      case .contrastive:
        try DualPropagation(
          start, optimizer: layers.optimizer, decay: layers.weightDecay,
          settings: DualPropagationSettings(numbers))
      case .lpom: try ProximalOperatorMachine(start, settings: ProximalOperatorSettings(numbers))
      default: nil
      }
    let outcome = try training.run(
      method, from: start, source, validation: validation, checkpoints: checkpoints
    ) { epoch, _ in
      progress?(Progress(phase: "epochs", iteration: epoch.number, seconds: epoch.seconds))
    }
    return Outcome(
      network: try outcome.network.network(), status: outcome.status, history: outcome.history,
      bestEpoch: validation.map { _ in outcome.epoch })
  }
}

extension ModelKind {
  /// The numbers of the method with these in place of some of them, nil for models that have none.
  ///
  /// - Throws: `RelativeError` for a name that the method does not have, or a number out of its range.
  public func numbers(with changes: [String: Double] = [:]) throws -> [String: Double]? {
    switch self {
    case .admm: try MultiplierSettings(changes).values
    case .bcd: try ThreeSplittingSettings(changes).values
    case .mac: try AuxiliaryCoordinateSettings(changes).values
    case .zhangBrand: try TikhonovSettings(changes).values
    case .lpom: try ProximalOperatorSettings(changes).values
    case .contrastive: try DualPropagationSettings(changes).values
    case .fenchel, .lifted: try liftedNumbers(changes)
    case .relu, .gatedReLU, .batchNorm, .cnn, .gatedCNN, .threshold, .threeLayer, .polynomial, .quadratic,
      .mlp:
      nil
    }
  }

  /// The numbers that are given: the others follow from the depth of the network.
  private func liftedNumbers(_ changes: [String: Double]) throws -> [String: Double] {
    _ = try LiftedSettings(changes)
    if let other = changes.keys.sorted().first(where: { !numberNames.contains($0) }) {
      throw RelativeError.unknown(other, known: numberNames)
    }
    return changes
  }

  /// Names of the numbers of the method.
  public var numberNames: [String] {
    switch self {
    case .admm: MultiplierSettings.numbers.map(\.name)
    case .bcd: ThreeSplittingSettings.numbers.map(\.name)
    case .mac: AuxiliaryCoordinateSettings.numbers.map(\.name)
    case .zhangBrand: TikhonovSettings.numbers.map(\.name)
    case .lpom: ProximalOperatorSettings.numbers.map(\.name)
    case .contrastive: DualPropagationSettings.numbers.map(\.name)
    case .fenchel: LiftedSettings.numbers.map(\.name)
    case .lifted: LiftedSettings.namesOfWholeData
    case .relu, .gatedReLU, .batchNorm, .cnn, .gatedCNN, .threshold, .threeLayer, .polynomial, .quadratic,
      .mlp:
      []
    }
  }
}
