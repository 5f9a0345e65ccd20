import Fenchel

extension Gu2019 {
  /// CIFAR-10, LeNet-5, cross-entropy: batched Fenchel network against Adam and SGD, on the images as they are, or moved and
  /// mirrored anew in every epoch.
  struct Figure4: Experiment {
    let paper = Gu2019.paper
    var isAugmented = false

    var figure: String { isAugmented ? "figure-4-augmented" : "figure-4" }
    var subject: String {
      "CIFAR-10, LeNet-5, cross-entropy: batched Fenchel network against Adam and SGD"
        + (isAugmented ? ", images moved and mirrored" : "")
    }
    var seeds: Int { isAugmented ? 1 : 3 }
    let openPoints =
      LeNetStudy.openPoints + [
        "the paper’s 50,000 training images are used where FENCHEL_DATA has them all, else those that there are",
        "no augmentation and no other input than pixels from 0 to 1 are spoken of",
      ]

    func run(_ options: ExperimentOptions) throws -> Findings {
      // Without a ridge, images that never change are learned by heart within the 80 epochs.
      try LeNetStudy(
        source: .cifar10, epochs: 80, paper: (0.606, 0.625, 0.565), accuracies: 0.2...0.7,
        own: LeNetStudy.Numbers(share: 0.01, λ: 30, ridge: isAugmented ? 0.15 : 0.3),
        augmentation: isAugmented ? Augmentation(shift: 2, flips: true) : nil
      ).run(options, seeds: options.seeds(of: self))
    }
  }
}
