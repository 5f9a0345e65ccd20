import ConvexOptimization
import Fenchel

/// Descent from many starts against the optimum of a convex program, as the papers draw it: how many starts reach it, and when.
struct Starts {
  /// The rows of the table share it, such as `m = 8`.
  let group: String
  /// Of the network that the convex program trained.
  let optimum: Double
  /// Of the program, patterns included.
  let seconds: Double
  let curves: [ObjectiveCurve]
  let rate: Double

  /// The relative distance within which a start counts as one that reached the optimum.
  static let nearness = 0.01

  static let convex = "convex program"

  private var method: String { curves.first?.method ?? "" }

  /// Starts that end near the optimum.
  var reached: Int { curves.count(method, within: Self.nearness, of: optimum) }

  var comparisons: [Comparison] {
    let ends = curves.compactMap(\.final)
    return [
      Comparison(group: group, name: Self.convex, ours: Measurement(optimum)),
      Comparison(group: group, name: "SGD, mean of \(ends.count) starts", ours: Measurement(ends)),
      Comparison(group: group, name: "SGD, best start", ours: ends.min().map { Measurement($0) }),
      Comparison(group: group, name: "SGD, worst start", ours: ends.max().map { Measurement($0) }),
    ]
  }

  var remarks: [String] {
    let ends = curves.compactMap(\.final)
    guard let best = ends.min(), let worst = ends.max() else { return [] }
    var remarks = [
      "\(group): the convex program ends at \(significantDecimal(optimum, digits: 5)) after "
        + "\(significantDecimal(seconds, digits: 2)) s; SGD (rate \(rate)) between \(significantDecimal(best, digits: 5)) and "
        + "\(significantDecimal(worst, digits: 5)) after "
        + "\(significantDecimal(curves.compactMap { $0.points.last?.seconds }.max() ?? .nan, digits: 2)) s, \(reached) of "
        + "\(ends.count) starts within \(Int(100 * Self.nearness)) % of the optimum"
    ]
    if best < optimum * (1 - 1e-6) {
      remarks.append("\(group): the best start of SGD is BELOW the convex program")
    }
    return remarks
  }

  /// Objectives by seconds, the starts as lines, the convex program as a point with its level.
  func chart(title: String, subtitle: String) -> LineChart {
    let name = "SGD, \(counted(curves.count))"
    let near = ", \(reached) of \(curves.count) near the optimum"
    var lines = curves.lines(method) { _ in name }
    if !lines.isEmpty { lines[0].note = "rate \(rate)" + near }
    let own = ChartLine(
      Self.convex,
      note: "\(significantDecimal(optimum, digits: 4)) after \(significantDecimal(seconds, digits: 2)) s",
      points: [.init(x: seconds, y: optimum, spread: 0)], level: optimum)
    return LineChart(
      title: title, subtitle: subtitle, x: ChartAxis("seconds of training", isLogarithmic: true),
      y: ChartAxis("training objective", isLogarithmic: true), lines: lines + [own], levelName: "its optimum")
  }

  private func counted(_ count: Int) -> String { count == 1 ? "1 start" : "\(count) starts" }
}

extension Findings {
  /// Sets descent from every seed, at the best of some rates, beside the network of a convex program: curves, rows, remarks
  /// and a chart. Adds nothing where the run is cancelled.
  mutating func add<Model: DescentModel>(
    startsOf group: String, against convex: TrainingResult, rates: [Double], seeds: Range<UInt64>,
    _ settings: StochasticDescent, _ options: ExperimentOptions,
    chart: (file: String, title: String, subtitle: String), start: (UInt64) throws -> Model
  ) throws {
    let (rate, runs) = try StochasticDescent.best(
      of: rates, name: "SGD, \(group)", seeds: seeds, options, settings: settings, start: start)
    guard !options.isCancelled else { return }
    let starts = Starts(
      group: group, optimum: convex.report.network.objective, seconds: convex.report.seconds,
      curves: runs.map(\.curve), rate: rate)
    descents += starts.curves
    comparisons += starts.comparisons
    remarks += starts.remarks
    charts.append((chart.file, starts.chart(title: chart.title, subtitle: chart.subtitle)))
  }
}
