import ConvexOptimization
import Fenchel

/// Askari, Negiar, Sambharya & El Ghaoui 2018, and how its numbers are read.
enum Askari2018 {
  static let paper = Paper(
    key: "askari-2018",
    citation:
      "A. Askari, G. Negiar, R. Sambharya, L. El Ghaoui: Lifted Neural Networks. arXiv 1805.01532, 2018 "
      + "(UCB/EECS-2021-218)")

  /// Open in every figure.
  static let openPoints = [
    "“mini-batch gradient descent” at 1e-5 would hardly move from its start: the accuracies printed are those of Adam at "
      + "that rate, which is used here (an inference from the numbers, not a word of the paper)",
    "the λ of the lifted model, found by Bayesian optimisation, are not given; neither is the number of its sweeps",
    "“σ-scale” is read as variance scaling, w ~ N(0, 2/d); “Normal” as N(0, 0.1)",
    "ρ = 1e-3 is that of the lifted model; ordinary training has none here, as its scale beside the mean loss of a batch is "
      + "not said",
  ]

  /// The starts of ordinary training that the paper compares, in the order of its table.
  static let starts: [(name: String, initialiser: Initialiser)] = [
    ("Normal", .wideNormal), ("Xavier", .xavier), ("σ-scale", .varianceScaling), ("Lifted", .lifted),
  ]
}
