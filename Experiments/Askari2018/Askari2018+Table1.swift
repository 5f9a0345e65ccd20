import Fenchel

extension Askari2018 {
  /// Lifted weights as the start of ordinary training, five architectures, two learning rates.
  struct Table1: Experiment {
    let paper = Askari2018.paper
    let figure = "table-1"
    let subject = "MNIST, five architectures, two learning rates: lifted weights as a start, against others"
    let openPoints = Askari2018.openPoints
    let seeds = 5

    /// A row of the table: our model, then ordinary training from Normal, Xavier, σ-scale and Lifted.
    struct Row {
      var hidden: [Int]
      var lifted: (Double, Double)
      /// By learning rate, by start.
      var trained: [[(Double, Double)]]
    }

    static let rates = [1e-5, 1e-6]

    static let rows = [
      Row(
        hidden: [300], lifted: (0.898, 0.005),
        trained: [
          [(0.915, 0.004), (0.923, 0.005), (0.924, 0.003), (0.962, 0.003)],
          [(0.800, 0.011), (0.836, 0.008), (0.844, 0.011), (0.875, 0.022)],
        ]),
      Row(
        hidden: [300, 100], lifted: (0.875, 0.005),
        trained: [
          [(0.919, 0.003), (0.932, 0.003), (0.931, 0.003), (0.969, 0.004)],
          [(0.792, 0.013), (0.838, 0.007), (0.842, 0.012), (0.899, 0.021)],
        ]),
      Row(
        hidden: [500, 150], lifted: (0.865, 0.005),
        trained: [
          [(0.927, 0.003), (0.936, 0.004), (0.935, 0.005), (0.970, 0.005)],
          [(0.824, 0.007), (0.850, 0.004), (0.858, 0.002), (0.890, 0.018)],
        ]),
      Row(
        hidden: [500, 200, 100], lifted: (0.853, 0.003),
        trained: [
          [(0.927, 0.001), (0.939, 0.005), (0.935, 0.003), (0.958, 0.008)],
          [(0.821, 0.017), (0.857, 0.007), (0.848, 0.011), (0.926, 0.053)],
        ]),
      Row(
        hidden: [400, 200, 100, 50], lifted: (0.770, 0.015),
        trained: [
          [(0.919, 0.005), (0.938, 0.003), (0.936, 0.006), (0.919, 0.030)],
          [(0.751, 0.045), (0.838, 0.017), (0.815, 0.020), (0.959, 0.003)],
        ]),
    ]

    func run(_ options: ExperimentOptions) throws -> Findings {
      let images = try ImageSet(options)
      let seeds = options.seeds(of: self)
      let rates = options.isQuick ? [1e-3, 1e-4] : Self.rates
      var findings = Findings(setting: setting(images, seeds.count, options))
      for row in options.isQuick ? Array(Self.rows.prefix(2)) : Self.rows {
        let hidden = options.isQuick ? row.hidden.map { $0 / 6 } : row.hidden
        let study = InitialisationStudy(images: images, options: options, hidden: hidden, rates: rates)
        let result = try study.run(seeds: seeds)
        let name = hidden.map(String.init).joined(separator: "-")
        findings.comparisons.append(
          Comparison(
            group: name, name: "our model", ours: Measurement(result.lifted),
            paper: options.isQuick ? nil : measured(row.lifted)))
        for (index, rate) in rates.enumerated() {
          add(result.curves[index], of: row.trained[index], to: &findings, "\(name), η = \(rate)", options)
        }
      }
      findings.isComplete = !options.isCancelled
      findings.remarks += options.isQuick ? [] : findings.comparisons.shortfalls()
      return findings
    }

    private func measured(_ value: (Double, Double)) -> Measurement {
      Measurement(value.0, deviation: value.1, count: 5)
    }

    private func add(
      _ curves: [LearningCurve], of row: [(Double, Double)], to findings: inout Findings, _ group: String,
      _ options: ExperimentOptions
    ) {
      for (start, paper) in zip(Askari2018.starts, row) {
        findings.comparisons.append(
          Comparison(
            group: group, name: start.name, ours: curves.final(start.name),
            paper: options.isQuick ? nil : measured(paper)))
      }
      findings.curves += curves.map { curve in
        var named = curve
        named.method = "\(group), \(curve.method)"
        return named
      }
      guard let lifted = curves.final("Lifted"), let xavier = curves.final("Xavier") else { return }
      let isAhead = lifted.mean > xavier.mean
      let inPaper = row[3].0 > row[1].0
      findings.remarks.append(
        "\(group): Lifted is \(isAhead ? "ahead of" : "behind") Xavier by "
          + fixedDecimal(abs(lifted.mean - xavier.mean), digits: 4)
          + (options.isQuick ? "" : isAhead == inPaper ? ", as in the paper" : ", other than in the paper"))
    }

    private func setting(_ images: ImageSet, _ seeds: Int, _ options: ExperimentOptions) -> [String] {
      [
        images.description(options),
        options.isQuick
          ? "quick: two architectures at a sixth of their widths, rates 1e-3 and 1e-4, batches of 20; nothing of the "
            + "paper’s to compare with"
          : "five architectures, ReLU, biases from 0.1; Adam, 17 epochs in batches of 100, no decay",
        "lifted: squared distances, λ = 10, ρ = 1e-3, five sweeps over all samples from Xavier’s weights; “our model” is "
          + "its accuracy when fed forward",
        "\(seeds) seeds",
      ]
    }
  }
}
