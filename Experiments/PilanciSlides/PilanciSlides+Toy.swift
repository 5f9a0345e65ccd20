import ConvexOptimization
import Fenchel
import LinearAlgebra

extension PilanciSlides {
  /// SGD from ten starts against the convex program by the interior-point method, on five points of a line.
  struct Toy: Experiment {
    let paper = PilanciSlides.paper
    let figure = "toy"
    let subject =
      "toy data: SGD from ten starts against the convex program solved by an interior-point method"
    let seeds = 10

    let openPoints = [
      "the slides say m = 8, d = 2 and ten starts; data, number of samples, λ, step size and number of iterations are not said, "
        + "and no objective is printed",
      "here: the points −2, −1, 0, 1, 2 with the values 1, −1, 1, 1, −1 and a constant column, which is two dimensions; our "
        + "choice, after the one-dimensional example of the ICML paper as we remember it",
      "m = 15 and 50 are not in the slides",
      "the slides’ λ(‖W₁‖² + ‖W₂‖²) is λ/2 here, and their squared loss ½ of it",
    ]

    private static let λ = 0.05
    private static let rates = [0.01, 0.03, 0.1, 0.3]
    private static let samples = RegressionSamples(
      source: "five points", x: Matrix(column: [-2, -1, 0, 1, 2]), y: [1, -1, 1, 1, -1]
    ).withConstant

    func run(_ options: ExperimentOptions) throws -> Findings {
      let (samples, seeds) = (Self.samples, options.seeds(of: self))
      var findings = Findings(setting: setting(seeds.count, options))
      let convex = try samples.trained(settings, options)
      for m in options.isQuick ? [8] : [8, 15, 50] where !options.isCancelled {
        try findings.add(
          startsOf: "m = \(m)", against: convex, rates: Self.rates, seeds: seeds, descent(options), options,
          chart: (
            "neurons-\(m)", "Two-layer ReLU network of \(m) neurons", "five points, λ = \(Self.λ)"
          )
        ) { try RectifierDescent.twoLayer(x: samples.x, loss: samples.loss, λ: Self.λ, neurons: m, seed: $0) }
      }
      if let proof = convex.report.certificate {
        findings.remarks.append(
          "no network of any width has an objective below \(significantDecimal(proof.dual, digits: 8)), proven over all "
            + "\(convex.report.patterns?.count ?? 0) patterns; the convex program’s, of \(convex.model.network.neurons) neurons, has "
            + significantDecimal(convex.report.network.objective, digits: 8))
      }
      findings.isComplete = !options.isCancelled
      return findings
    }

    private var settings: TrainingSettings {
      var settings = TrainingSettings()
      (settings.model, settings.lambda, settings.patterns) = (.relu, .value(Self.λ), .exact)
      (settings.solver, settings.tolerance) = (.interiorPoint, 1e-8)
      return settings
    }

    private func descent(_ options: ExperimentOptions) -> StochasticDescent {
      StochasticDescent(epochs: options.isQuick ? 1000 : 20_000, batchSize: 2, rate: Self.rates[0])
    }

    private func setting(_ starts: Int, _ options: ExperimentOptions) -> [String] {
      [
        "\(options.isQuick ? "quick: m = 8 alone, fewer epochs; " : "")five points of a line with a constant column, "
          + "½‖f − y‖² + (λ/2)(‖W₁‖² + ‖W₂‖²) with λ = \(Self.λ)",
        "convex program over all patterns, interior-point method to a relative gap of 1e-8",
        "SGD: \(starts) starts, \(descent(options).epochs) epochs in batches of \(descent(options).batchSize), cosine schedule; "
          + "for each m the rate of \(Self.rates.map { "\($0)" }.joined(separator: ", ")) with the least mean objective",
      ]
    }
  }
}
