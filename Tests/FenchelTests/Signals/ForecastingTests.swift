import FoundationEssentials
import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct ForecastingTests {
  /// s_t = 1 − 1.7 |s_{t−1}|: chaotic, and a ReLU network of two neurons and a bias of its last value.
  static func tent(_ n: Int, from start: Double = 0.3) -> Signal {
    var values = [start]
    while values.count < n { values.append(1 - 1.7 * abs(values[values.count - 1])) }
    return Signal(source: "tent", values: values)
  }

  /// A sum of two oscillations a_t = c a_{t−1} − a_{t−2}, which obeys a linear recursion of order four exactly.
  static func oscillations(_ n: Int) -> Signal {
    var (a, b) = ([0.3, 0.6], [0.5, 0.45])
    while a.count < n {
      let t = a.count
      a.append(1.9 * a[t - 1] - a[t - 2])
      b.append(1.99 * b[t - 1] - b[t - 2])
    }
    return Signal(source: "oscillations", values: zip(a, b).map { $0 + $1 })
  }

  private static func settings(_ window: Int, _ horizon: Int, _ rivals: [ForecastRival]) -> ForecastSettings {
    var settings = ForecastSettings()
    (settings.window, settings.horizon, settings.rivals, settings.rivalEpochs) = (window, horizon, rivals, 3)
    return settings
  }

  private static func training(_ ratio: Double = 1e-3) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.lambda = .ratio(ratio)
    settings.bound = BoundEffort.none
    return settings
  }

  private func forecast(
    _ signal: Signal, window: Int, horizon: Int = 3, rivals: [ForecastRival] = [],
    training: TrainingSettings = ForecastingTests.training()
  ) throws -> ForecastResult {
    try Forecasting(signal, settings: Self.settings(window, horizon, rivals), training: training).run()
  }

  @Test(arguments: 0..<40)
  func noSampleIsSeenByBothParts(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let n = Int.random(in: 40...200, using: &random)
    let (p, horizon) = (Int.random(in: 1...6, using: &random), Int.random(in: 1...5, using: &random))
    let share = Double.random(in: 0.3...0.7, using: &random)
    let signal = Signal(source: "s", values: (0..<n).map { Double($0) })
    let windows = try SignalWindows(signal, window: p, horizon: horizon, heldOut: share)
    // Values are the numbers of their samples, so that a row says what it was made of.
    let (x, test) = (windows.inputs(windows.training), windows.inputs(windows.test))
    let (y, ahead) = (windows.training.map { signal.values[$0] }, windows.outcomes(windows.test))
    let m = Double(windows.cut)
    #expect(x.storage.allSatisfy { $0 < m } && y.allSatisfy { $0 < m }, "seed \(seed)")
    #expect(test.storage.allSatisfy { $0 >= m } && ahead.storage.allSatisfy { $0 >= m }, "seed \(seed)")
    // No window on either side is left out.
    #expect(y.max() == m - 1 && x[0, 0] == 0 && x.rows == windows.cut - p)
    #expect(test[0, 0] == m && ahead.storage.max() == Double(n - 1))
    #expect(ahead.rows == n - windows.cut - p - horizon + 1)
    for k in 0..<x.rows { #expect(x.row(k) + [y[k]] == (0...p).map { Double(k + $0) }) }
    for k in 0..<test.rows {
      #expect(test.row(k) + ahead.row(k) == (0..<p + horizon).map { m + Double(k + $0) })
    }
  }

  @Test func theEndOfTheSignalDoesNotChangeTheNetwork() throws {
    let signal = Self.tent(200)
    var other = signal
    for t in 160..<200 { other.values[t] = Double(t) }
    let (first, second) = try (forecast(signal, window: 3), forecast(other, window: 3))
    #expect(first.model.network == second.model.network && first.model.scaling == second.model.scaling)
    #expect(first.report.methods[0].steps != second.report.methods[0].steps)
    other.values[159] += 0.1
    #expect(try forecast(other, window: 3).model.network != first.model.network)
  }

  @Test func linearSignalsAreForecastExactlyByLeastSquares() throws {
    let result = try forecast(Self.oscillations(400), window: 6, horizon: 20, rivals: [.linear, .last])
    let linear = try #require(result.report.methods.first { $0.name == "linear" })
    #expect(linear.steps.allSatisfy { $0.rmse < 1e-6 }, "\(linear.steps.map(\.rmse))")
    let last = try #require(result.report.methods.first { $0.name == "last" })
    // The last value again: |s_{t+h−1} − s_{t−1}|, from the signal alone.
    let values = result.windows.signal.values
    for (h, step) in last.steps.enumerated() {
      let squares = result.windows.test.map { t in
        (values[t + h] - values[t - 1]) * (values[t + h] - values[t - 1])
      }
      let rmse = (squares.reduce(0, +) / Double(squares.count)).squareRoot()
      #expect(abs(step.rmse - rmse) <= 1e-12 * rmse, "step \(h + 1)")
    }
  }

  @Test(arguments: [Precision.float, .double])
  func kinkedSignalsNeedTheNetwork(precision: Precision) throws {
    var training = Self.training(1e-5)
    training.precision = precision
    let result = try forecast(Self.tent(400), window: 2, rivals: [.linear, .sgd, .adam], training: training)
    #expect(result.status == .solved)
    let methods = Dictionary(uniqueKeysWithValues: result.report.methods.map { ($0.name, $0) })
    let (relu, linear) = try (#require(methods["relu"]), #require(methods["linear"]))
    #expect(relu.steps[0].rmse < 0.01 && linear.steps[0].rmse > 0.3, "\(relu.steps[0]) \(linear.steps[0])")
    #expect(relu.steps[2].rmse < 0.1 * linear.steps[2].rmse)
    // The certificate is the network's: its objective, and below those of the same network by gradients.
    let certificate = try #require(result.report.training.certificate)
    #expect(abs(result.report.training.network.objective - certificate.primal) <= 1e-6 * certificate.primal)
    #expect(certificate.relativeGap <= 1e-4)
    for name in ["sgd", "adam"] {
      let rival = try #require(methods[name])
      #expect(try #require(rival.objective) > certificate.dual && rival.neurons == relu.neurons, "\(name)")
    }
  }

  /// The errors, from the forecasts and the signal by themselves; several steps are forecasts of forecasts.
  @Test func reportsSayWhatTheForecastsAre() throws {
    let result = try forecast(Self.tent(150), window: 3, horizon: 4, rivals: [.linear])
    let forecaster = Forecaster(network: result.model.network, scaling: result.model.scaling)
    let (values, test) = (result.windows.signal.values, result.windows.test)
    for (k, t) in test.enumerated() {
      var window = Array(values[t - 3..<t])
      for h in 0..<4 {
        let next = forecaster.next(Matrix(1, 3, storage: window))[0]
        #expect(abs(next - result.forecasts[0][k, h]) <= 1e-12, "window \(t), step \(h + 1)")
        window = window.dropFirst() + [next]
      }
    }
    for (method, forecasts) in zip(result.report.methods, result.forecasts) {
      for (h, step) in method.steps.enumerated() {
        let errors = test.enumerated().map { forecasts[$0.offset, h] - values[$0.element + h] }
        let rmse = (errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
        #expect(step.step == h + 1 && abs(step.rmse - rmse) <= 1e-12)
        #expect(abs(step.mae - errors.reduce(0) { $0 + abs($1) } / Double(errors.count)) <= 1e-12)
      }
    }
    #expect(result.report.future.map(\.index) == [150, 151, 152, 153])
    let future = forecaster.forecasts(Matrix(1, 3, storage: Array(values.suffix(3))), steps: 4)
    #expect(result.report.future.map(\.value) == future.storage)
    let text = try JSONText.encode(result.report)
    #expect(try JSONDecoder().decode(ForecastReport.self, from: Data(text.utf8)) == result.report)
  }

  @Test func filesAreReadBack() throws {
    let result = try forecast(Self.tent(120), window: 3, horizon: 2, rivals: [.linear])
    let text = result.windows.csv(result.windows.training)
    let table = try Table.parse(Array(text.utf8), source: "windows.csv", format: .csv)
    #expect(
      table.names == ["lag_3", "lag_2", "lag_1", "next"] && table.rows == result.windows.training.count)
    let model = try ModelFile(decoding: result.model.encoded())
    let data: Dataset<Double> = try model.schema.dataset(from: table)
    #expect(data.features == result.windows.inputs(result.windows.training))
    #expect(try verify(model, data: data).agrees)
    let forecasts = try Table.parse(Array(result.csv.utf8), source: "f.csv", format: .csv)
    #expect(forecasts.names == ["index", "actual", "ahead_1", "ahead_2", "future"])
    let values = result.windows.signal.values
    let first = result.windows.test.lowerBound
    let columns = forecasts.columns.map { $0.numbers ?? [] }
    #expect(forecasts.rows == 120 - first + 2)
    for (row, index) in columns[0].enumerated() {
      let t = Int(index)
      #expect(t == first + row)
      #expect(t < 120 ? columns[1][row] == values[t] : columns[1][row].isNaN)
      #expect(t < 119 ? columns[2][row] == result.forecasts[0][row, 0] : columns[2][row].isNaN)
      let ahead = (first + 1..<120).contains(t)
      #expect(ahead ? columns[3][row] == result.forecasts[0][row - 1, 1] : columns[3][row].isNaN)
      #expect(t < 120 ? columns[4][row].isNaN : columns[4][row] == result.report.future[t - 120].value)
    }
    #expect(result.chart(samples: 10).lines.map(\.name) == ["signal", "relu", "linear"])
    #expect(result.chart(samples: 10).lines.allSatisfy { $0.points.count == 10 })
    #expect(result.errorChart.lines.allSatisfy { $0.points.count == 2 })
  }

  @Test func threadsDoNotChangeABit() throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    let results = try [1, 2, 3].map { threads in
      Parallel.threads = threads
      return try forecast(Self.tent(300), window: 4, rivals: [.linear, .sgd, .adam])
    }
    for other in results.dropFirst() {
      #expect(other.forecasts == results[0].forecasts && other.model.network == results[0].model.network)
    }
  }

  @Test func whatCannotBeForecastIsRefused() throws {
    func expect(_ error: ForecastError, _ body: () throws -> Void) {
      #expect(throws: error, performing: body)
    }
    func windows(_ values: [Double], _ p: Int, _ horizon: Int, _ share: Double = 0.5) throws {
      _ = try SignalWindows(
        Signal(source: "s", values: values), window: p, horizon: horizon, heldOut: share)
    }
    let ramp = (0..<20).map { Double($0) }
    expect(.number("the window", 0)) { try windows(ramp, 0, 1) }
    expect(.number("the window", -3)) { try windows(ramp, -3, 1) }
    expect(.number("the horizon", 0)) { try windows(ramp, 1, 0) }
    for share in [0, 1, -0.5, 2] { expect(.heldOut(share)) { try windows(ramp, 1, 1, share) } }
    #expect(throws: ForecastError.self) { try windows(ramp, 1, 1, .nan) }
    for (p, horizon) in [(9, 1), (7, 4), (20, 1), (Int.max, 1), (1, Int.max)] {
      #expect(throws: ForecastError.self, "\(p) \(horizon)") { try windows(ramp, p, horizon) }
    }
    // The number that is needed is enough, and one less is not.
    for (p, horizon, share) in [(9, 1, 0.5), (15, 10, 0.2), (3, 1, 0.9), (1, 1, 0.31)] {
      do {
        try windows([], p, horizon, share)
        Issue.record("no samples at all")
      } catch ForecastError.tooShort(_, _, _, _, let needed) {
        try windows((0..<needed).map { Double($0) }, p, horizon, share)
      }
    }
    try windows(ramp, 8, 2)
    expect(.constant(source: "s", value: 3)) {
      try windows([Double](repeating: 3, count: 10) + ramp.prefix(10), 2, 2)
    }
    try windows([Double](repeating: 3, count: 9) + ramp.prefix(11), 2, 2)
    var settings = TrainingSettings()
    settings.model = .mlp
    expect(.model(.mlp)) { _ = try Forecasting(Self.tent(100), training: settings) }
    (settings.model, settings.loss) = (.relu, .hinge)
    expect(.loss(.hinge)) { _ = try Forecasting(Self.tent(100), training: settings) }
  }

  @Test func windowsThatDoNotFitIntoMemoryAreRefused() throws {
    let windows = try SignalWindows(Self.tent(1000), window: 20, horizon: 1, heldOut: 0.3)
    #expect(throws: DataError.self) { try windows.table(windows.training, memoryLimit: 100_000) }
  }

  @Test func signalsComeFromColumns() throws {
    let text = "time,volt\n0,1.5\n1,2.5\n2,nan\n3,x\n"
    func table(_ lines: Int) throws -> Table {
      let kept = text.split(separator: "\n").prefix(lines).joined(separator: "\n")
      return try Table.parse(Array(kept.utf8), source: "s.csv", format: .csv)
    }
    let signal = try Signal(table(3))
    #expect(signal.values == [1.5, 2.5] && signal.name == "volt" && signal.source == "s.csv")
    #expect(try Signal(table(3), column: "time").values == [0, 1])
    #expect(try Signal(table(3), column: "0").name == "time")
    for (lines, column, words) in [
      (3, "ampere", ["ampere", "volt"]), (3, "7", ["0 to 1"]),
      (4, "volt", ["s.csv:4", "missing", "1 sample of 3"]),
      (5, "volt", ["s.csv:5", "x"]),
    ] {
      do {
        _ = try Signal(table(lines), column: column)
        Issue.record("\(lines) \(column)")
      } catch let error as DataError {
        for word in words { #expect(error.description.contains(word), "\(error)") }
      }
    }
  }

  @Test("An empty line in the only column is a sample that is missing, at the end it is none")
  func emptyLines() throws {
    func signal(_ text: String) throws -> Signal {
      try Signal(Table.parse(Array(text.utf8), source: "s.csv", format: .csv))
    }
    #expect(try signal("volt\n1\n2\n3\n\n\n").values == [1, 2, 3])
    #expect(try signal("time,volt\n0,1\n\n1,2\n").values == [1, 2])
    #expect {
      try signal("volt\n1\n2\n\n3\n")
    } throws: {
      "\($0)".contains("s.csv:4") && "\($0)".contains("is empty")
    }
  }

  @Test func theElectrocardiogramIsBuiltIn() throws {
    let signal = try Signal(Table.read("ecg"))
    #expect(signal.values.count == 108_000 && signal.name == "millivolt")
    #expect(signal.values.prefix(3) == [-0.245, -0.215, -0.185])
    // As SciPy documents it.
    let mean = signal.values.reduce(0, +) / 108_000
    let deviation = (signal.values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 108_000).squareRoot()
    #expect(abs(mean + 0.16510875) < 1e-8 && abs(deviation - 0.5992473991177294) < 1e-8)
  }
}
