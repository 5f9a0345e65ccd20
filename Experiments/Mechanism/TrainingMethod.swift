import ConvexOptimization
import Fenchel
import LinearAlgebra

/// A way to train a network, whose learning curve is of interest.
struct TrainingMethod: Sendable {
  let name: String
  private let kind: Kind
  /// Changes of training images of a shape.
  private var changes: Changes?

  typealias Changes = (augmentation: Augmentation, shape: ImageShape?)

  private enum Kind: Sendable {
    case lifted(LiftedForm, LiftedSettings)
    case ordinary(OrdinaryTraining)
    case sweeps(Int, @Sendable (FeedForward<Float>, SweepData<Float>) throws -> any SweepMethod<Float>)
    case batches(OrdinaryTraining, @Sendable (FeedForward<Float>) throws -> any BatchMethod<Float>)
  }

  static func lifted(
    _ name: String, _ form: LiftedForm, _ settings: LiftedSettings, _ changes: Changes? = nil
  ) -> TrainingMethod {
    TrainingMethod(name: name, kind: .lifted(form, settings), changes: changes)
  }

  static func ordinary(
    _ name: String, _ training: OrdinaryTraining, _ changes: Changes? = nil
  ) -> TrainingMethod {
    TrainingMethod(name: name, kind: .ordinary(training), changes: changes)
  }

  /// A method that sweeps over all samples.
  static func sweeps(
    _ name: String, _ count: Int,
    _ make: @escaping @Sendable (FeedForward<Float>, SweepData<Float>) throws -> any SweepMethod<Float>
  ) -> TrainingMethod {
    TrainingMethod(name: name, kind: .sweeps(count, make))
  }

  /// A method of batches other than the optimizers'.
  static func batches(
    _ name: String, _ training: OrdinaryTraining,
    _ make: @escaping @Sendable (FeedForward<Float>) throws -> any BatchMethod<Float>
  ) -> TrainingMethod {
    TrainingMethod(name: name, kind: .batches(training, make))
  }

  /// What a training left: the network at the end, and the curve to it.
  struct Trained {
    var network: FeedForward<Float>
    var curve: LearningCurve
  }

  /// Trains from a network, and scores the network of every epoch afterwards, so that seconds are of training alone.
  func train(
    _ start: FeedForward<Float>, on images: ImageSet, loss: LossKind, seed: UInt64,
    _ options: ExperimentOptions
  ) throws -> Trained {
    var snapshots: [(epoch: Epoch, network: FeedForward<Float>)] = []
    let outcome = try run(start, images.training, loss, seed, options) { epoch, network in
      snapshots.append((epoch, network))
      options.progress?(Progress(phase: name, iteration: epoch.number, seconds: epoch.seconds))
    }
    let points =
      [LearningCurve.Point(epoch: 0, seconds: 0, accuracy: images.accuracy(of: start))]
      + snapshots.map { epoch, network in
        LearningCurve.Point(
          epoch: epoch.number, seconds: epoch.seconds, accuracy: images.accuracy(of: network))
      }
    return Trained(
      network: outcome.network,
      curve: LearningCurve(method: name, seed: seed, points: points, status: outcome.status))
  }

  private func augmented(
    _ source: any SampleSource<Float>, _ seed: UInt64
  ) throws -> any SampleSource<Float> {
    try changes.map { try AugmentedSamples(source, $0.augmentation, shape: $0.shape, seed: seed) } ?? source
  }

  private typealias Observer = (Epoch, FeedForward<Float>) -> Void

  private func run(
    _ start: FeedForward<Float>, _ samples: OrdinaryTraining.Samples<Float>, _ loss: LossKind, _ seed: UInt64,
    _ options: ExperimentOptions, _ observer: @escaping Observer
  ) throws -> (network: FeedForward<Float>, status: Status) {
    switch kind {
    case .lifted(let form, var settings):
      settings.seed = seed
      var training = LiftedTraining<Float>(form, settings: settings)
      training.limits.cancellation = options.cancellation
      training.observer = observer
      training.changes = { try augmented($0, seed) }
      let outcome = try training.run(
        from: start, x: samples.x, targets: samples.targets, weights: samples.weights, loss: loss)
      return (outcome.network, outcome.status)
    case .ordinary(var training):
      (training.seed, training.cancellation) = (seed, options.cancellation)
      let outcome = try training.run(
        from: start, augmented(training.memory(samples, loss), seed), progress: observer)
      return (outcome.network, outcome.status)
    case .sweeps(let count, let make):
      let begin = ContinuousClock().now
      var training = SweepTraining<Float>(epochs: count)
      training.limits.cancellation = options.cancellation
      training.observer = observer
      let outcome = try training.run(
        try make(start, SweepData(samples, kind: loss, for: start)), since: begin)
      return (outcome.network, outcome.status)
    case .batches(var training, let make):
      (training.seed, training.cancellation) = (seed, options.cancellation)
      let outcome = try training.run(
        make(start), from: start, training.memory(samples, loss), progress: observer)
      return (outcome.network, outcome.status)
    }
  }
}
