extension ForecastResult {
  /// Forecasts of the model as CSV: the number of a sample held out, its value, what was forecast for it one and H steps
  /// before, and after the end of the signal the future. Cells without a forecast are empty.
  public var csv: String {
    let (n, horizon, first) = (windows.signal.values.count, windows.horizon, windows.test.lowerBound)
    var header = ["index", "actual", "ahead_1"]
    if horizon > 1 { header.append("ahead_\(horizon)") }
    var lines = [header + ["future"]]
    for t in first..<n {
      var line = ["\(t)", "\(windows.signal.values[t])", text(forecast(of: t, ahead: 1))]
      if horizon > 1 { line.append(text(forecast(of: t, ahead: horizon))) }
      lines.append(line + [""])
    }
    for value in report.future {
      lines.append(
        ["\(value.index)"] + [String](repeating: "", count: header.count - 1) + [text(value.value)])
    }
    return lines.map { $0.joined(separator: ",") + "\n" }.joined()
  }

  private func text(_ value: Double?) -> String { value.flatMap { $0.isFinite ? "\($0)" : nil } ?? "" }

  /// What was forecast for s_t so many steps before, by the method of some place.
  private func forecast(of t: Int, ahead: Int, method: Int = 0) -> Double? {
    let origin = t - ahead + 1
    guard windows.test.contains(origin) else { return nil }
    return forecasts[method][origin - windows.test.lowerBound, ahead - 1]
  }

  /// The first samples held out, and what model and rivals forecast for them H steps before.
  public func chart(samples: Int = 300) -> LineChart {
    let first = windows.test.lowerBound + windows.horizon - 1
    let shown = first..<min(first + samples, windows.test.upperBound + windows.horizon - 1)
    let values = windows.signal.values
    let drawn = values[shown]
    let (least, greatest) = (drawn.min() ?? 0, drawn.max() ?? 1)
    let margin = 0.25 * max(greatest - least, 1e-12 * max(abs(greatest), 1))
    let methods = report.methods.enumerated().map { place, method in
      ChartLine(
        method.name, note: "rmse \(significantDecimal(method.steps[windows.horizon - 1].rmse, digits: 3))",
        points: shown.compactMap { t in
          forecast(of: t, ahead: windows.horizon, method: place).map { .init(x: Double(t), y: $0) }
        })
    }
    let signal = ChartLine("signal", points: shown.map { .init(x: Double($0), y: values[$0]) })
    let ahead = windows.horizon == 1 ? "one step" : "\(windows.horizon) steps"
    return LineChart(
      title: "Forecasts \(ahead) ahead", subtitle: "\(windows.signal.source), windows of \(windows.window)",
      x: ChartAxis("sample"), y: ChartAxis(windows.signal.name, range: least - margin...greatest + margin),
      lines: [signal] + methods)
  }

  /// The errors of model and rivals by the steps ahead.
  public var errorChart: LineChart {
    LineChart(
      title: "Errors by steps ahead",
      subtitle:
        "\(windows.signal.source), windows of \(windows.window), \(report.testWindows) windows held out",
      x: ChartAxis("steps ahead"), y: ChartAxis("root mean square error", isLogarithmic: true),
      lines: report.methods.map { method in
        ChartLine(method.name, points: method.steps.map { .init(x: Double($0.step), y: $0.rmse) })
      })
  }
}
