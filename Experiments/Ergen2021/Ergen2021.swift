import ConvexOptimization
import Fenchel

/// Ergen & Pilanci 2021, and how its numbers are read.
enum Ergen2021 {
  static let paper = Paper(
    key: "ergen-2021",
    citation:
      "T. Ergen, M. Pilanci: Global Optimality Beyond Two Layers: Training Deep ReLU Networks via Convex Programs. "
      + "ICML 2021 (arXiv 2110.05518)")

  /// Open in every figure.
  static let openPoints = [
    "the sizes n, d, m₁, K, the β and the learning rates of the experiments are formulas that the text at hand has lost: all "
      + "are chosen here",
    "the first layers have Frobenius norm one at most, as the paper’s (5) has it; SGD is taken back to that after each "
      + "step, for which the paper gives no rule",
  ]

  /// λ, sub-networks and neurons of a comparison.
  struct Network {
    var λ: Double
    /// K of SGD; the convex program chooses its own.
    var subnetworks: Int
    /// m₁.
    var neurons = 2

    func settings(_ patterns: PatternChoice, _ norm: SubnetworkNorm, tolerance: Double) -> TrainingSettings {
      var settings = TrainingSettings()
      (settings.model, settings.lambda, settings.patterns) = (.threeLayer, .value(λ), patterns)
      (settings.subnetwork, settings.columns, settings.tolerance) = (neurons, norm, tolerance)
      return settings
    }

    func start(_ samples: RegressionSamples, seed: UInt64) throws -> RectifierDescent {
      try .parallel(
        x: samples.x, loss: samples.loss, λ: λ, subnetworks: subnetworks, neurons: neurons, norm: .frobenius,
        seed: seed)
    }
  }
}
