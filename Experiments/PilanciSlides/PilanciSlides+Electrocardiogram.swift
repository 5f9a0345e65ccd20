import ConvexOptimization
import Fenchel

extension PilanciSlides {
  /// The next value of an electrocardiogram from the fifteen before it: the convex program against gradients on the same
  /// network and against linear autoregression.
  struct Electrocardiogram: Experiment {
    let paper = PilanciSlides.paper
    let figure = "ecg"
    let subject =
      "electrocardiogram, windows of 15 samples: the convex program against SGD, Adam and linear autoregression"
    let seeds = 5

    let openPoints = [
      "the slides show the training and the prediction as curves and print no number but the window of 15 samples: there is "
        + "nothing of theirs to set beside ours but the order of the methods",
      "record, sampling rate, length, λ, width of the network, and step sizes and epochs of SGD are not said",
      "here: MIT-BIH record 208 (inside the program, fenchel data info ecg), 360 Hz, which has ectopic beats; a fit of its "
        + "first part may meet beats in the second that it has not seen",
      "several steps ahead, Adam and linear autoregression are not in the slides",
    ]

    private static let horizon = 10

    /// The samples that are learnt from, and those tested on.
    private func sizes(_ options: ExperimentOptions) throws -> (training: Int, test: Int) {
      let sizes = options.isQuick ? (training: 800, test: 200) : (training: 10_000, test: 5_000)
      guard let held = options.heldOut else { return sizes }
      guard (1..<sizes.training).contains(held) else {
        throw DataError.unsuitable(source: "ecg", "\(held) samples cannot be held out of \(sizes.training)")
      }
      return (sizes.training - held, held)
    }

    func run(_ options: ExperimentOptions) throws -> Findings {
      let sizes = try sizes(options)
      let samples = sizes.training + sizes.test
      let signal = try Signal(Table.read("ecg")).prefix(samples)
      var settings = ForecastSettings()
      (settings.window, settings.horizon) = (15, Self.horizon)
      settings.heldOut = Double(sizes.test) / Double(samples)
      settings.rivals = [.sgd, .adam, .linear, .last]
      settings.rivalEpochs = options.isQuick ? 20 : 400
      settings.rivalLearningRates = [.sgd: 0.1, .adam: 0.003]
      settings.rivalSchedule = .cosine
      settings.rivalSeeds = options.seeds(of: self).count
      var training = TrainingSettings()
      training.lambda = .ratio(options.isQuick ? 0.02 : 1e-4)
      training.bound = BoundEffort.none
      var forecasting = try Forecasting(signal, settings: settings, training: training)
      (forecasting.cancellation, forecasting.progress) = (options.cancellation, options.progress)
      let result = try forecasting.run()
      return findings(result, settings, options)
    }

    private func findings(
      _ result: ForecastResult, _ settings: ForecastSettings, _ options: ExperimentOptions
    ) -> Findings {
      let report = result.report
      let neurons = report.training.network.neurons
      var findings = Findings(setting: [
        (options.isQuick ? "quick: " : "")
          + "\(report.signal.samples) samples, \(report.trainingWindows) windows of 15 to "
          + "learn from, \(report.testWindows) later ones to test on, none with a sample of both",
        "ReLU network of two layers, squared loss, λ = \(options.isQuick ? "0.02" : "0.0001")·λ_max = \(significantDecimal(report.training.lambda ?? .nan, digits: 3)), windows and values "
          + "scaled; patterns by search"
          + (options.isQuick
            ? "" : "; λ is the best of 1e-3, 1e-4 and 3e-5 ten steps ahead with --held-out 2000"),
        "SGD (learning rate 0.1) and Adam (0.003), cosine schedules, \(settings.rivalEpochs) epochs in batches of "
          + "\(settings.rivalBatchSize): the same network with the \(neurons) neurons of the convex one, the same λ, an output bias; "
          + "rates are the best of 0.001, 0.003, … 0.3 by the training objective",
        "errors are root mean squares in µV; those held out have a deviation of "
          + "\(significantDecimal(1000 * report.deviation, digits: 3)) µV",
      ])
      let names: [(String, String)] = [
        ("relu", "convex program"), ("sgd", "network, SGD"), ("adam", "network, Adam"),
        ("linear", "linear autoregression"), ("last", "the last value again"),
      ]
      func measured(_ name: String, _ value: (ForecastReport.Method) -> Double?) -> Measurement? {
        Measurement(report.methods.filter { $0.name == name }.compactMap(value))
      }
      for (name, title) in names.prefix(3) {
        findings.comparisons.append(
          Comparison(group: "training objective", name: title, ours: measured(name) { $0.objective }))
      }
      for step in [1, Self.horizon] {
        for (name, title) in names {
          findings.comparisons.append(
            Comparison(
              group: step == 1 ? "test error, one step" : "test error, \(step) steps", name: title,
              ours: measured(name) { 1000 * $0.steps[step - 1].rmse }))
        }
      }
      findings.charts = [("forecast", result.chart()), ("errors", result.errorChart)]
      findings.isComplete = !options.isCancelled
      findings.remarks = remarks(findings.comparisons, report)
      return findings
    }

    /// Where the convex program is better, and plainly where it is worse.
    private func remarks(_ rows: [Comparison], _ report: ForecastReport) -> [String] {
      var remarks: [String] = []
      var groups: [String] = []
      for row in rows where !groups.contains(row.group) { groups.append(row.group) }
      for group in groups {
        let own = rows.filter { $0.group == group }
        guard let convex = own.first?.ours?.mean else { continue }
        let worse = own.dropFirst().filter { $0.ours.map { $0.mean < convex } ?? false }.map(\.name)
        remarks.append(
          "\(group): "
            + (worse.isEmpty
              ? "the convex program has the least"
              : "the convex program is WORSE than \(worse.joined(separator: ", "))"))
      }
      if let proof = report.training.certificate {
        remarks.append(
          "the convex program is within \(significantDecimal(proof.relativeGap, digits: 2)) of optimal over its patterns; a search for better ones "
            + "found a violation of \(significantDecimal(proof.heuristicViolation ?? .nan, digits: 2)) (an estimate)"
        )
      }
      return remarks
    }
  }
}
