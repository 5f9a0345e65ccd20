import LinearAlgebra

/// The windows of a signal, cut into a part to learn from and a later one to test on.
///
/// The window of target t is (s_{t−p}, …, s_{t−1}), oldest first; s_t is what comes next. With m the first sample held out,
/// training windows lie before m whole, target and all; test windows have every sample and every target from m on. Windows
/// across the cut belong to neither part, so that no sample is seen by both.
public struct SignalWindows: Sendable {
  public let signal: Signal
  /// p.
  public let window: Int
  /// H: the steps that are forecast.
  public let horizon: Int
  /// m.
  public let cut: Int

  /// - Parameter heldOut: the share of the samples, at the end of the signal, that is held out, in (0, 1).
  /// - Throws: `ForecastError` where a number is out of range, the signal too short, or constant before the cut.
  public init(_ signal: Signal, window: Int, horizon: Int, heldOut: Double) throws(ForecastError) {
    guard window > 0 else { throw .number("the window", window) }
    guard horizon > 0 else { throw .number("the horizon", horizon) }
    guard heldOut > 0, heldOut < 1 else { throw .heldOut(heldOut) }
    let n = signal.values.count
    cut = n - Int((Double(n) * heldOut).rounded())
    let (atTest, overflow) = window.addingReportingOverflow(horizon)
    guard !overflow, cut >= 2, cut - 2 >= window, n - cut >= atTest else {
      let needed = max(
        (Double(window) + Double(horizon) + 0.5) / heldOut, (Double(window) + 2.5) / (1 - heldOut))
      throw .tooShort(
        source: signal.source, samples: n, window: window, horizon: horizon,
        needed: Int(min(needed.rounded(.up), 1e15)))
    }
    (self.signal, self.window, self.horizon) = (signal, window, horizon)
    if signal.values[..<cut].allSatisfy({ $0 == signal.values[0] }) {
      throw .constant(source: signal.source, value: signal.values[0])
    }
  }

  /// Targets t of the windows to learn from: m − p of them.
  public var training: Range<Int> { window..<cut }

  /// Targets t of the windows to test on, after each of which the horizon lies within the signal: n − m − p − H + 1.
  public var test: Range<Int> { cut + window..<signal.values.count - horizon + 1 }

  /// The windows of some targets: one row each, p columns.
  public func inputs(_ targets: Range<Int>) -> Matrix<Double> {
    precondition(targets.lowerBound >= window && targets.upperBound <= signal.values.count + 1)
    var rows: [Double] = []
    rows.reserveCapacity(targets.count * window)
    for t in targets { rows += signal.values[t - window..<t] }
    return Matrix(targets.count, window, storage: rows)
  }

  /// What comes after the windows of some targets: row t has s_t, …, s_{t+H−1}.
  public func outcomes(_ targets: Range<Int>) -> Matrix<Double> {
    Matrix(targets.count, horizon, storage: targets.flatMap { signal.values[$0..<$0 + horizon] })
  }

  /// The window at the end of the signal, from which the future is forecast: 1 × p.
  public var last: Matrix<Double> { inputs(signal.values.count..<signal.values.count + 1) }

  /// Names of the columns of a window: `lag_15`, …, `lag_1`.
  public var columnNames: [String] { (1...window).reversed().map { "lag_\($0)" } }

  /// The column of what comes next.
  public static let target = "next"

  /// Windows with their targets as a table, whose last column is the target.
  ///
  /// Errors: `DataError.tooLarge` where the windows take more memory than the limit.
  public func table(_ targets: Range<Int>, memoryLimit: Int = ReadOptions.defaultMemoryLimit) throws -> Table
  {
    let (entries, overflow) = targets.count.multipliedReportingOverflow(by: window + 1)
    // The table and the features made of it.
    let bytes = overflow || entries > Int.max / 16 ? Int.max : 16 * entries
    guard bytes <= memoryLimit else {
      throw DataError.tooLarge(
        source: signal.source, what: "\(targets.count) windows of \(window) samples", bytes: bytes,
        limit: memoryLimit)
    }
    var rows: [Double] = []
    rows.reserveCapacity(entries)
    for t in targets { rows += signal.values[t - window...t] }
    let array = NumericArray(targets.count, window + 1, .double(rows))
    var table = Table(
      source: signal.source, sha256: signal.sha256, names: columnNames + [Self.target],
      columns: (0...window).map { .numeric(array, index: $0) })
    table.declaredTask = .regression
    return table
  }

  /// Windows with their targets as CSV, all digits kept: what `predict`, `evaluate` and `verify` read.
  public func csv(_ targets: Range<Int>) -> String {
    var text = (columnNames + [Self.target]).joined(separator: ",") + "\n"
    for t in targets { text += signal.values[t - window...t].map { "\($0)" }.joined(separator: ",") + "\n" }
    return text
  }
}
