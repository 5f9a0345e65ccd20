import ConvexOptimization
import Fenchel

extension Gu2019 {
  /// The Fenchel network on whole data against other lifted models and SGD, squared loss, 784-300-10.
  struct Figure1: Experiment {
    let paper = Gu2019.paper
    let figure = "figure-1"
    let subject = "MNIST, 784-300-10, squared loss: the Fenchel network against other lifted models"
    let seeds = 5

    let openPoints =
      Gu2019.openPoints + [
        "how many sweeps the methods made is not said",
        "Taylor et al. and Lau et al. are run with the settings of public implementations whose networks are other ones "
          + "(784-256-256-10 without biases, 784-2048-2048-2048-10); here with the papers’ own numbers on 784-300-10",
        "batch size and number of epochs of the network trained by SGD are not said",
        "Zhang & Brand and the method of auxiliary coordinates are not in the paper’s figure",
      ]

    private static let fenchel = "Fenchel (this paper)"

    private static let otherλ = "Fenchel, λ = 1"

    /// Algorithm 1 with accelerated sweeps.
    private func fenchel(_ options: ExperimentOptions, λ: Double = 0.2) -> LiftedSettings {
      var settings = LiftedSettings()
      (settings.epochs, settings.batchSize) = (options.isQuick ? 20 : 60, nil)
      (settings.λ, settings.ρ, settings.lastρ) = (λ, 1e-2, options.isQuick ? 0.1 : 10)
      settings.inputShare = options.isQuick ? 1 : 0.95
      (settings.blockSteps, settings.acceleration) = (3, 10)
      return settings
    }

    private func contest(_ options: ExperimentOptions) -> Contest {
      let sweeps = options.isQuick ? 20 : 60
      var lifted = LiftedSettings()
      (lifted.epochs, lifted.batchSize, lifted.λ) = (sweeps, nil, 0.1)
      let sgd = OrdinaryTraining(
        optimizer: .sgd, epochs: sweeps, batchSize: options.isQuick ? 20 : 100, learningRate: 0.1)
      return Contest(
        hidden: [options.isQuick ? 50 : 300], loss: .squared,
        entries: [
          .init(method: .lifted(Self.fenchel, .fenchel, fenchel(options)), paper: 0.961),
          .init(method: .lifted(Self.otherλ, .fenchel, fenchel(options, λ: 1)), seeds: 1),
          .init(method: .ordinary("network, SGD", sgd), paper: 0.957, seeds: 1),
          .init(
            method: .sweeps("three-splitting (Lau)", sweeps) { try ThreeSplittingDescent($0, $1) },
            initialiser: .normal, paper: 0.914, seeds: 1),
          .init(method: .lifted("lifted (Askari)", .squaredDistance, lifted), paper: 0.863, seeds: 1),
          .init(
            method: .sweeps("ADMM (Taylor)", sweeps) { try MultiplierDescent($0, $1) }, paper: 0.834, seeds: 1
          ),
          .init(method: .sweeps("Zhang & Brand", sweeps) { try TikhonovDescent($0, $1) }, seeds: 1),
          .init(
            method: .sweeps("auxiliary coordinates", sweeps) { try AuxiliaryCoordinates($0, $1) }, seeds: 1),
        ])
    }

    func run(_ options: ExperimentOptions) throws -> Findings {
      let images = try ImageSet(options)
      let seeds = options.seeds(of: self)
      let contest = options.isQuick ? contest(options).withoutPaper : contest(options)
      let sweeps = options.isQuick ? 20 : 60
      var findings = Findings(setting: [
        images.description(options),
        "network \(images.inputs)-\(contest.hidden[0])-\(images.classes), ReLU, Xavier’s weights (Lau’s: N(0, 0.01²)), "
          + "biases from 0.1; \(sweeps) sweeps over all samples, or epochs of SGD",
        "\(Self.fenchel): Algorithm 1, λ = 0.2 and ρ = (0.01, \(options.isQuick ? "0.1" : "10"))"
          + "\(options.isQuick ? "" : " as appendix C"), three steps a block; \(Self.otherλ): the same with another λ, which did as "
          + "well on 5,000 training images held out",
        "Anderson’s combination of ten sweeps begins the next, and is taken back where the model’s value would rise"
          + (options.isQuick ? "" : "; both see the directions that hold 95 % of the inputs’ second moment"),
        "\(seeds.count) seeds of the Fenchel network, one of the others",
      ])
      findings.curves = try contest.run(on: images, seeds: seeds, options)
      findings.isComplete = !options.isCancelled
      findings.comparisons = contest.comparisons(findings.curves)
      findings.charts = contest.charts(
        findings.curves, title: "Lifted models with squared loss",
        subtitle:
          "\(images.name), \(images.inputs)-\(contest.hidden[0])-\(images.classes), all samples at once",
        epochs: "sweeps over all samples (epochs of SGD)", accuracies: options.isQuick ? 0.4...1 : 0.75...1)
      findings.remarks = findings.comparisons.shortfalls()
      return findings
    }
  }
}
