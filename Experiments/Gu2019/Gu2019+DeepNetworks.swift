import ConvexOptimization
import Fenchel

extension Gu2019 {
  /// Deeper networks, which the paper leaves to future work: its batched method against Adam.
  struct DeepNetworks: Experiment {
    let paper = Gu2019.paper
    let figure = "deep-networks"
    let subject =
      "MNIST, 784-500-200-100-50-10, cross-entropy: batched Fenchel network against Adam (not in the paper)"
    let seeds = 5

    let openPoints = [
      "the paper has no network with more than one hidden layer but LeNet-5; “how to train deeper networks” is its future work"
    ]

    private static let (fenchel, adam) = ("Fenchel, one step a block", "Adam, 1e-3")

    private func contest(_ options: ExperimentOptions) -> Contest {
      let hidden = options.isQuick ? [50, 40, 30, 20] : [500, 200, 100, 50]
      let (epochs, batch) = (10, options.isQuick ? 50 : 500)
      var fenchel = LiftedSettings(hiddenLayers: hidden.count)
      fenchel.epochs = epochs
      if options.isQuick {
        fenchel.batchSize = batch
      } else {
        fenchel.inputShare = LiftedSettings.imageShare(hiddenLayers: hidden.count)
      }
      let adam = OrdinaryTraining(optimizer: .adam, epochs: epochs, batchSize: batch, learningRate: 1e-3)
      return Contest(
        hidden: hidden, loss: .softmax,
        entries: [
          .init(method: .lifted(Self.fenchel, .fenchel, fenchel)), .init(method: .ordinary(Self.adam, adam)),
        ])
    }

    func run(_ options: ExperimentOptions) throws -> Findings {
      let images = try ImageSet(options)
      let (contest, seeds) = (contest(options), options.seeds(of: self))
      let network = ([images.inputs] + contest.hidden + [images.classes]).map(String.init).joined(
        separator: "-")
      var findings = Findings(setting: [
        images.description(options),
        "network \(network), ReLU, Xavier’s weights; 10 epochs; \(seeds.count) seeds, the same for both",
        "Fenchel: the defaults of --model fenchel for this depth, chosen on 5,000 training images held out; Adam in "
          + "batches of \(options.isQuick ? 50 : 500)",
      ])
      findings.curves = try contest.run(on: images, seeds: seeds, options)
      findings.isComplete = !options.isCancelled
      findings.comparisons = contest.comparisons(findings.curves)
      findings.charts = contest.charts(
        findings.curves, title: "Four hidden layers, without back-propagation and with it",
        subtitle:
          "\(images.name), \(network), cross-entropy, mean of \(seeds.count) seeds ± 1 standard deviation",
        accuracies: options.isQuick ? 0...1 : 0.92...0.99)
      if let ours = findings.curves.final(Self.fenchel), let adam = findings.curves.final(Self.adam) {
        let difference = fixedDecimal(ours.mean - adam.mean, digits: 4)
        findings.remarks = ["Fenchel less Adam at the end: \(difference)"]
      }
      return findings
    }
  }
}
