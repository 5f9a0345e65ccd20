import ConvexOptimization
import Fenchel
import LinearAlgebra

extension Ergen2021 {
  /// SGD from several starts against the convex program over all patterns, on the outputs of a random three-layer network.
  struct Figure4: Experiment {
    let paper = Ergen2021.paper
    let figure = "figure-4"
    let subject =
      "outputs of a random three-layer network: SGD from several starts against the convex program"
    let seeds = 10

    let openPoints =
      Ergen2021.openPoints + [
        "how many starts the figure has, its batch size, and whether its program ran over all patterns are not in the text",
        "the figure prints no numbers; its message is that starts of SGD get stuck where K is small, and reach the program’s "
          + "optimum where it is large",
      ]

    private static let (n, d, planted) = (10, 2, 5)
    private static let λ = 0.05
    private static let rates = [0.01, 0.03, 0.1, 0.3]

    func run(_ options: ExperimentOptions) throws -> Findings {
      let seeds = options.seeds(of: self)
      let widths = options.isQuick ? [2] : [2, 5, 15, 50]
      var findings = Findings(setting: setting(seeds.count, options))
      let samples = try Self.samples()
      let network = Ergen2021.Network(λ: Self.λ, subnetworks: Self.planted)
      let convex = try samples.trained(
        network.settings(.exact, .frobenius, tolerance: options.isQuick ? 1e-4 : 1e-7), options)
      for count in widths where !options.isCancelled {
        let own = Ergen2021.Network(λ: Self.λ, subnetworks: count)
        try findings.add(
          startsOf: "K = \(count)", against: convex, rates: Self.rates, seeds: seeds, descent(options),
          options,
          chart: (
            "sub-networks-\(count)", "Three-layer network of \(count) sub-networks",
            "n = \(Self.n), d = \(Self.d), m₁ = 2, β = \(Self.λ)"
          )
        ) { try own.start(samples, seed: $0) }
      }
      if let proof = convex.report.certificate {
        findings.remarks.append(
          "the program’s value is \(significantDecimal(proof.primal, digits: 6)), that of its network by proposition 1 "
            + "\(significantDecimal(convex.report.network.objective, digits: 6)), and no network of this form has less than "
            + "\(significantDecimal(proof.dual, digits: 6)): \(convex.report.patterns?.count ?? 0) patterns, all there are"
        )
      }
      findings.isComplete = !options.isCancelled
      return findings
    }

    private func descent(_ options: ExperimentOptions) -> StochasticDescent {
      StochasticDescent(epochs: options.isQuick ? 500 : 20_000, batchSize: 5, rate: Self.rates[0])
    }

    private func setting(_ starts: Int, _ options: ExperimentOptions) -> [String] {
      [
        "\(options.isQuick ? "quick: K = 2 alone, fewer epochs; " : "")\(Self.n) samples of N(0, I) in \(Self.d) dimensions, "
          + "outputs of a network of \(Self.planted) sub-networks with two neurons and weights of N(0, 1), scaled to a mean "
          + "square of 1; β = \(Self.λ); no bias",
        "convex program over all patterns of both layers, by enumeration",
        "SGD: K sub-networks, \(starts) starts, \(descent(options).epochs) epochs in batches of \(descent(options).batchSize), "
          + "cosine schedule; for each K the rate of \(Self.rates.map { "\($0)" }.joined(separator: ", ")) with the least mean "
          + "objective",
      ]
    }

    /// Samples with the outputs of the planted network, scaled to a mean square of one.
    private static func samples() throws -> RegressionSamples {
      let (m, random) = (2, Philox(seed: 2021, stream: 4))
      let x: Matrix<Double> = random.normalMatrix(n, d)
      let weights: [Matrix<Double>] = [(d, planted * m), (planted * m, planted), (planted, 1)].enumerated()
        .map {
          Philox(seed: 2021, stream: 5 + UInt64($0.offset)).normalMatrix($0.element.0, $0.element.1)
        }
      var middle = weights[1]
      for j in 0..<middle.rows { for k in 0..<planted where j / m != k { middle[j, k] = 0 } }
      let network = try FeedForward(
        weights: [weights[0], middle, weights[2]], activations: [.relu, .relu], hasBias: false)
      var y = network.output(x)
      y.scale(by: Double(n).squareRoot() / y.frobeniusNorm)
      return RegressionSamples(source: "planted", x: x, y: y.storage)
    }
  }
}
