import ArgumentParser
import ConvexOptimization
import Fenchel
import LinearAlgebra
import RealModule

/// `fenchel path DATA`
struct PathCommand: ParsableCommand, Configurable {
  static let configuration = CommandConfiguration(
    commandName: "path", abstract: "Solve for a falling sequence of λ, each warm-started from the one before."
  )

  @Argument(help: ArgumentHelp("A file, a folder, - or a known name.", valueName: "data"))
  var source: String?

  @OptionGroup(title: "Columns") var columns: ColumnOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Training") var training: TrainingOptions
  @OptionGroup(title: "Path") var grid: RatioOptions

  @Option(
    help: ArgumentHelp("Rows to test on: a file, or a fraction of the data.", valueName: "file|fraction"))
  var test: String?

  @Option(
    help: ArgumentHelp("YAML file with any of these options; the command line wins.", valueName: "file"))
  var config: String?

  @OptionGroup(title: "Printing") var printing: OutputOptions

  func run() throws {
    let source = try Inputs.require(source)
    let settings = try training.settings()
    let ratios = try grid.values(training)
    if let threads = settings.threads { Parallel.threads = threads }
    let loader = Loader(columns: columns, reading: reading, printing: printing, settings: settings)
    let (data, testing) = try loader.trainingData(from: source, test: test)
    Interruption.install()
    let progress = ProgressLine(tolerance: settings.tolerance, isQuiet: printing.quiet)
    let result = try progress.showing {
      try path(
        data, test: testing, settings: settings, ratios: ratios, cancellation: Interruption.cancellation,
        progress: $0)
    }
    Terminal.output(
      printing.json ? try JSONText.encode(result.report, indented: true) : PathCommand.text(result.report))
    let gaps = result.report.points.map(\.certificate.relativeGap)
    throw ExitCode(Exit.code(for: result.status, gaps: gaps, tolerance: settings.tolerance))
  }

  static func text(_ report: PathReport) -> String {
    let test = report.points.contains { $0.test != nil }
    var table = TextTable(
      ("λ/λ_max", .right), ("λ", .right), ("primal", .right), ("gap", .right), ("neurons", .right),
      ("train", .right), (test ? "test" : "", .right), ("time", .right))
    for point in report.points {
      table.append(
        Format.significant(point.lambda / report.lambdaMax, 4), Format.significant(point.lambda, 5),
        Format.number(point.certificate.primal), Format.scientific(point.certificate.relativeGap),
        String(point.network.neurons), headline(point.train), point.test.map(headline) ?? "",
        Format.duration(point.seconds))
    }
    let missing = report.planned > report.points.count
    let rest = missing ? "\n\(report.points.count) of \(report.planned) points before the limit" : ""
    return "\(report.loss.rawValue) loss · λ_max = \(Format.number(report.lambdaMax)) · "
      + "\(Format.duration(report.seconds))\n\n\(table.text)\(rest)"
  }

  /// The one number that says most: accuracy for classes, the root mean square error for numbers.
  static func headline(_ card: Scorecard) -> String {
    if let accuracy = card.accuracy { return Format.percent(accuracy) }
    return "rmse " + Format.significant(card.rmse ?? card.loss, 5)
  }
}

/// Which λ a path or a cross-validation goes through.
struct RatioOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: ArgumentHelp("λ/λ_max to solve for, falling.", valueName: "r,…"))
  var ratios: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many, evenly spaced in log λ from λ_max down.", valueName: "n"))
  var steps = 20

  @Option(parsing: .unconditional, help: ArgumentHelp("The smallest λ/λ_max.", valueName: "R"))
  var smallestRatio = 0.001

  func validate() throws {
    guard (1...10_000).contains(steps) else {
      throw ValidationError("--steps \(steps) must lie between 1 and 10000")
    }
    guard smallestRatio.isFinite, smallestRatio > 0, smallestRatio < 1 else {
      throw ValidationError("--smallest-ratio \(smallestRatio) must lie between 0 and 1")
    }
    _ = try listed()
  }

  private func listed() throws -> [Double]? {
    guard ratios != nil else { return nil }
    let values = try commaSeparated(ratios).map { text in
      guard let value = Double(text), value.isFinite, value > 0 else {
        throw ValidationError("--ratios: `\(text)` is not a positive number")
      }
      return value
    }
    guard !values.isEmpty, zip(values, values.dropFirst()).allSatisfy({ $0 > $1 }) else {
      throw ValidationError("--ratios must be one or more numbers, each smaller than the one before")
    }
    return values
  }

  /// The ratios, largest first.
  func values(_ training: TrainingOptions) throws -> [Double] {
    if training.lambda != nil || training.lambdaRatio != nil {
      throw UsageError("the λ are chosen by --ratios, or --steps and --smallest-ratio; leave --lambda out")
    }
    if let listed = try listed() { return listed }
    return (1...steps).map { Double.pow(smallestRatio, Double($0) / Double(steps)) }
  }
}
