import Fenchel

extension Gu2019 {
  /// CIFAR-10, LeNet-5, cross-entropy: batched Fenchel network against Adam and SGD.
  struct Figure4: Experiment {
    let paper = Gu2019.paper
    let figure = "figure-4"
    let subject = "CIFAR-10, LeNet-5, cross-entropy: batched Fenchel network against Adam and SGD"
    let seeds = 1
    let openPoints =
      LeNetStudy.openPoints + [
        "the paper’s 50,000 training images are used where FENCHEL_DATA has them all, else those that there are",
        "no augmentation and no other input than pixels from 0 to 1 are spoken of",
      ]

    func run(_ options: ExperimentOptions) throws -> Findings {
      try LeNetStudy(source: .cifar10, epochs: 80, paper: (0.606, 0.625, 0.565), accuracies: 0.2...0.7)
        .run(options, seeds: options.seeds(of: self))
    }
  }
}
