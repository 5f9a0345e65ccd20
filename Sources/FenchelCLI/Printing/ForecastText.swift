import Fenchel

/// A forecast's report for people: the training, then the errors of all methods by the steps ahead.
struct ForecastText {
  var report: ForecastReport
  var source: String

  var text: String {
    let training = ReportText(
      report: report.training,
      source: "\(source) · \(Format.count(report.signal.samples, "sample")) in windows of \(report.window)")
    return """
      \(training.text)

      root mean square errors on \(Format.count(report.testWindows, "window")) held out (deviation of their values: \
      \(Format.significant(report.deviation, 4))), by steps ahead

      \(table.text)
      """
  }

  /// The steps that are shown: 1, 2, 5, 10, … and the last.
  private var steps: [Int] {
    var steps: [Int] = []
    var power = 1
    while power <= report.horizon, steps.count < 30 {
      steps += [1, 2, 5].map { $0 * power }.filter { $0 <= report.horizon }
      power *= 10
    }
    return steps.last == report.horizon ? steps : steps + [report.horizon]
  }

  /// Four digits; forecasts of forecasts may grow beyond all numbers.
  private func shown(_ error: Double) -> String { error.isFinite ? Format.significant(error, 4) : "–" }

  private var table: TextTable {
    let hasObjectives = report.methods.contains { $0.objective != nil }
    var table = TextTable(
      ("method", .left), ("neurons", .right), ("objective", .right), ("time", .right), ("training", .right))
    for step in steps {
      table.header.append(step == 1 ? "1 step" : "\(step)")
      table.alignments.append(.right)
    }
    for method in report.methods {
      table.rows.append(
        [
          method.name, method.neurons.map(String.init) ?? "", method.objective.map(Format.number) ?? "",
          Format.duration(method.seconds), shown(method.trainRMSE),
        ] + steps.map { shown(method.steps[$0 - 1].rmse) })
    }
    return hasObjectives ? table : table.without(columns: [2])
  }
}
