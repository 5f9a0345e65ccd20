import ConvexOptimization
import Fenchel
import LinearAlgebra

/// Batched Fenchel lifted networks against Adam and SGD on LeNet-5: figures 3 and 4 differ in their images and lengths.
struct LeNetStudy {
  let source: ImageSet.Source
  /// The paper's epochs and accuracies at the end.
  let epochs: Int
  let paper: (fenchel: Double, adam: Double, sgd: Double)
  let accuracies: ClosedRange<Double>
  /// Numbers of the lifted network that are not the defaults.
  var own: Numbers?
  /// Changes of the training images, the same for all methods.
  var augmentation: Augmentation?

  /// η, λ, and κ of the ridge.
  struct Numbers: CustomStringConvertible {
    var share: Double
    var λ: Double
    var ridge: Double

    func apply(to settings: inout BatchDescentSettings) {
      (settings.stepShare, settings.λ, settings.ridge) = (share, λ, ridge)
    }

    var description: String { "share = \(share), λ = \(λ), ridge = \(ridge)" }
  }

  static let openPoints =
    Gu2019.openPoints + [
      "LeNet-5 has 6 and 16 filters of 5 × 5, averages over 2 × 2 and dense layers of 120 and 84 in the authors’ code; the "
        + "paper says two convolutions and three dense layers",
      "the λ and γ of appendix C for LeNet-5 are in another order and scale than those of the authors’ code",
    ]

  static let (fenchel, adam, sgd) = ("Fenchel, one step a block", "Adam, 1e-3", "SGD, 1e-2")

  /// A small network of the same kind for images of 8 × 8.
  private static let small = LayerPlan(steps: [
    .convolution(channels: 6, height: 3, width: 3, padding: 1), .pooling(2),
    .convolution(channels: 12, height: 3, width: 3), .pooling(2), .dense(40),
  ])

  private func contest(_ options: ExperimentOptions, shape: ImageShape?) -> Contest {
    let plan = options.isQuick ? Self.small : .leNet5
    let (length, batch) = options.isQuick ? (10, 50) : (epochs, 500)
    var fenchel = LiftedSettings(plan: plan)
    (fenchel.epochs, fenchel.batchSize) = (length, batch)
    if !options.isQuick { own?.apply(to: &fenchel.batched) }
    func ordinary(_ optimizer: Optimizer, _ rate: Double) -> OrdinaryTraining {
      OrdinaryTraining(optimizer: optimizer, epochs: length, batchSize: batch, learningRate: rate)
    }
    let changes = augmentation.map { (augmentation: $0, shape: shape) }
    return Contest(
      plan: plan, loss: .softmax,
      entries: [
        .init(method: .lifted(Self.fenchel, .fenchel, fenchel, changes), paper: paper.fenchel),
        .init(method: .ordinary(Self.adam, ordinary(.adam, 1e-3), changes), paper: paper.adam),
        .init(method: .ordinary(Self.sgd, ordinary(.sgd, 1e-2), changes), paper: paper.sgd),
      ])
  }

  func run(_ options: ExperimentOptions, seeds: Range<UInt64>) throws -> Findings {
    let images = try ImageSet(options, of: source)
    let whole = contest(options, shape: images.shape)
    let contest = options.isQuick ? whole.withoutPaper : whole
    let length = options.isQuick ? 10 : epochs
    var findings = Findings(setting: [
      images.description(options),
      options.isQuick
        ? "a small network of two convolutions and two dense layers; \(length) epochs in batches of 50"
        : "LeNet-5 with averages and ReLU, images in the middle of 32 × 32; \(length) epochs in batches of 500",
      "Xavier’s weights, biases 0.1; \(seeds.count) seeds, the same for all"
        + (augmentation.map { "; training images changed anew in every epoch (\($0)), for all methods" } ?? ""),
      "Fenchel: the defaults of --model fenchel for networks with convolutions"
        + (own.map { options.isQuick ? "" : ", but \($0), chosen on training images held out" } ?? "")
        + "; Adam and SGD with the paper’s learning rates",
    ])
    findings.curves = try contest.run(on: images, seeds: seeds, options)
    findings.isComplete = !options.isCancelled
    findings.comparisons = contest.comparisons(findings.curves)
    for epoch in [1, 2] where epoch < length {
      findings.comparisons += contest.entries.map {
        Comparison(
          group: "after epoch \(epoch)", name: $0.method.name,
          ours: findings.curves.accuracy($0.method.name, epoch: epoch))
      }
    }
    findings.charts = contest.charts(
      findings.curves, title: "LeNet-5 as a Fenchel lifted network, and by Adam and SGD",
      subtitle: "\(images.name), cross-entropy, mean of \(seeds.count) seeds ± 1 standard deviation",
      accuracies: options.isQuick ? 0...1 : accuracies)
    findings.remarks = findings.comparisons.shortfalls()
    return findings
  }
}
