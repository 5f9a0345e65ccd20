import ConvexOptimization
import Fenchel
import LinearAlgebra

extension PilanciSlides {
  /// Outputs of a planted network with a quadratic or polynomial activation: SGD from several starts against the
  /// semidefinite program.
  struct Planted: Experiment {
    enum Form: String { case quadratic, polynomial }

    let form: Form
    let paper = PilanciSlides.paper
    var figure: String { form.rawValue }
    var subject: String {
      "planted network with \(form == .quadratic ? "quadratic" : "polynomial") activation: SGD against the semidefinite program"
    }
    let seeds = 5

    var openPoints: [String] {
      [
        form == .quadratic
          ? "the slides say n = 100, d = 10, ten planted neurons and a mark at the solver’s time; λ, widths, rates and starts of "
            + "the trained networks are not said, and no number is printed"
          : "the slides show the polynomial figure without any setting: that of the quadratic one is taken",
        "their regulariser is the nuclear norm, or λ Z₄ with positive neurons alone; here λ Σ|α| over neurons of both signs",
        "whether the planted outputs have noise is not said; here they have none",
      ]
    }

    private static let (n, d, planted) = (100, 10, 10)
    private static let rates = [0.001, 0.003, 0.01, 0.03]
    /// λ as a share of the least λ at which the zero network is optimal.
    private static let ratio = 0.01

    private var activation: Polynomial { form == .quadratic ? .quadratic : .nearReLU }

    func run(_ options: ExperimentOptions) throws -> Findings {
      let (samples, seeds) = (samples, options.seeds(of: self))
      let convex = try samples.trained(settings(options), options)
      let λ = convex.report.lambda ?? .nan
      var findings = Findings(setting: setting(λ, seeds.count, options))
      for m in options.isQuick ? [Self.planted] : [Self.planted, 5 * Self.planted] where !options.isCancelled
      {
        try findings.add(
          startsOf: "m = \(m)", against: convex, rates: Self.rates, seeds: seeds, descent(options), options,
          chart: (
            "neurons-\(m)", "Planted \(form.rawValue) network, \(m) neurons trained",
            "n = \(Self.n), d = \(Self.d), \(Self.planted) planted neurons"
          )
        ) { try PolynomialDescent(samples, λ: λ, activation: activation, neurons: m, seed: $0) }
      }
      if let proof = convex.report.certificate {
        findings.remarks.append(
          "no network of any width has an objective below \(significantDecimal(proof.dual, digits: 7)); that of the convex program, of "
            + "\(convex.model.network.neurons) neurons, has \(significantDecimal(convex.report.network.objective, digits: 7))"
        )
      }
      findings.isComplete = !options.isCancelled
      return findings
    }

    private func settings(_ options: ExperimentOptions) -> TrainingSettings {
      var settings = TrainingSettings()
      settings.model = form == .quadratic ? .quadratic : .polynomial
      (settings.lambda, settings.precision) = (.ratio(Self.ratio), .double)
      settings.tolerance = options.isQuick ? 1e-5 : 1e-8
      return settings
    }

    private func descent(_ options: ExperimentOptions) -> StochasticDescent {
      StochasticDescent(epochs: options.isQuick ? 100 : 5000, batchSize: 10, rate: Self.rates[0])
    }

    private func setting(_ λ: Double, _ starts: Int, _ options: ExperimentOptions) -> [String] {
      [
        "\(options.isQuick ? "quick: m = \(Self.planted) alone, fewer epochs; " : "")\(Self.n) samples of N(0, I) in \(Self.d) "
          + "dimensions, outputs of \(Self.planted) neurons with directions and α of N(0, I), normed; λ = \(Self.ratio)·λ_max = "
          + significantDecimal(λ, digits: 4),
        "σ(t) = "
          + (form == .quadratic ? "t²" : "0.09 t² + 0.5 t + 0.47")
          + ", ½‖f − y‖² + λ Σ|α|, ‖w‖ = 1; the program by accelerated "
          + "proximal gradients in Double",
        "SGD: m neurons, \(starts) starts, \(descent(options).epochs) epochs in batches of \(descent(options).batchSize), cosine "
          + "schedule; for each m the rate of \(Self.rates.map { "\($0)" }.joined(separator: ", ")) with the least mean objective",
      ]
    }

    /// Samples with the outputs of the planted network.
    private var samples: RegressionSamples {
      let x: Matrix<Double> = Philox(seed: 2021, stream: 1).normalMatrix(Self.n, Self.d)
      var w: Matrix<Double> = Philox(seed: 2021, stream: 2).normalMatrix(Self.d, Self.planted)
      let α: Matrix<Double> = Philox(seed: 2021, stream: 3).normalMatrix(Self.planted, 1)
      for j in 0..<w.columns {
        let column = w.column(j)
        let norm = column.reduce(0) { $0 + $1 * $1 }.squareRoot()
        w.setColumn(j, column.map { $0 / norm })
      }
      let y = matrixProduct(activation.apply(to: matrixProduct(x, w)), α)
      return RegressionSamples(source: "planted", x: x, y: y.storage)
    }
  }
}
