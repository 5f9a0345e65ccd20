import ConvexOptimization
import Fenchel

/// Gu, Askari & El Ghaoui 2019, and how its numbers are read.
enum Gu2019 {
  static let paper = Paper(
    key: "gu-2019",
    citation:
      "F. Gu, A. Askari, L. El Ghaoui: Fenchel Lifted Networks: A Lagrange Relaxation of Neural Network "
      + "Training. AISTATS 2020 (arXiv 1811.08039, 2019)")

  /// Open in every figure.
  static let openPoints = [
    "the authors’ code (github.com/beeperman/Fenchel_Lifted_Networks) has 2B where the paper has B: the λ = 0.1 that "
      + "appendix C prints is λ = 0.2 of eq. 5",
    "the ρ of appendix C for batched models are the γ of eq. 13, as the authors’ code shows; ρ is 0 there",
    "losses are sums over the batch, biases share the proximal term and begin at 0.1, inputs lie in [0, 1]: from the "
      + "authors’ code, the paper does not say",
  ]

  /// Appendix C's batched setting for 784-300-10 as the code has it, every block solved.
  static func solvedBlocks(epochs: Int, batchSize: Int, share: Double) -> LiftedSettings {
    var settings = LiftedSettings()
    (settings.epochs, settings.batchSize, settings.inputShare) = (epochs, batchSize, share)
    settings.batched.solvesBlocks = true
    settings.batched.λ = 0.2
    settings.batched.proximity = 1 / 500.0
    settings.batched.lastProximity = 100 / 500.0
    settings.batched.proximityGrowth = 0
    return settings
  }

  /// Our batched method with one step a block.
  static func steps(epochs: Int, batchSize: Int, share: Double) -> LiftedSettings {
    var settings = LiftedSettings()
    (settings.epochs, settings.batchSize, settings.inputShare) = (epochs, batchSize, share)
    return settings
  }
}
