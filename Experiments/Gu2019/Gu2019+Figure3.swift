import Fenchel

extension Gu2019 {
  /// MNIST, LeNet-5, cross-entropy: batched Fenchel network against Adam and SGD.
  struct Figure3: Experiment {
    let paper = Gu2019.paper
    let figure = "figure-3"
    let subject = "MNIST, LeNet-5, cross-entropy: batched Fenchel network against Adam and SGD"
    let seeds = 3
    let openPoints = LeNetStudy.openPoints

    func run(_ options: ExperimentOptions) throws -> Findings {
      try LeNetStudy(source: .mnist, epochs: 20, paper: (0.990, 0.989, 0.986), accuracies: 0.9...1)
        .run(options, seeds: options.seeds(of: self))
    }
  }
}
