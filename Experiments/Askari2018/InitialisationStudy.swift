import ConvexOptimization
import Fenchel

/// Ordinary training of a network from several starts, one of them the weights of a lifted model.
struct InitialisationStudy {
  let images: ImageSet
  let options: ExperimentOptions
  let hidden: [Int]
  let rates: [Double]

  /// Passes over the data, as the paper has it.
  static let epochs = 17

  /// What a study of one architecture gives.
  struct Result {
    /// Of the lifted models themselves, fed forward.
    var lifted: [Double] = []
    /// By the index of the learning rate; the method of a curve is the name of its start.
    var curves: [[LearningCurve]]
  }

  /// Trains from every start, for every rate and seed, until cancelled.
  func run(seeds: Range<UInt64>) throws -> Result {
    var result = Result(curves: rates.map { _ in [] })
    for seed in seeds {
      let lifted = try liftedModel(seed)
      if options.isCancelled { break }
      result.lifted.append(images.accuracy(of: lifted))
      for (name, initialiser) in Askari2018.starts {
        let start = initialiser == .lifted ? lifted : try drawn(initialiser, seed)
        for (index, rate) in rates.enumerated() where !options.isCancelled {
          let trained = try ordinary(name, rate).train(
            start, on: images, loss: .softmax, seed: seed, options)
          if !options.isCancelled { result.curves[index].append(trained.curve) }
        }
      }
    }
    return result
  }

  private func ordinary(_ name: String, _ rate: Double) -> TrainingMethod {
    .ordinary(
      name,
      OrdinaryTraining(
        optimizer: .adam, epochs: Self.epochs, batchSize: options.isQuick ? 20 : 100, learningRate: rate))
  }

  private func drawn(_ initialiser: Initialiser, _ seed: UInt64) throws -> FeedForward<Float> {
    try initialiser.feedForward(
      widths: [images.inputs] + hidden + [images.classes],
      activations: [Activation](repeating: .relu, count: hidden.count), bias: 0.1, seed: seed)
  }

  /// A few sweeps of block-coordinate descent on the squared distance model, from Xavier's weights.
  private func liftedModel(_ seed: UInt64) throws -> FeedForward<Float> {
    var settings = LiftedSettings()
    (settings.epochs, settings.batchSize) = (5, nil)
    (settings.λ, settings.ρ) = (10, 1e-3)
    return try TrainingMethod.lifted("lifted model", .squaredDistance, settings).train(
      drawn(.xavier, seed), on: images, loss: .softmax, seed: seed, options
    ).network
  }
}
