import ArgumentParser
import ConvexOptimization
import Fenchel
import LinearAlgebra

/// `fenchel forecast SIGNAL`
struct ForecastCommand: ParsableCommand, Configurable {
  static let configuration = CommandConfiguration(
    commandName: "forecast", abstract: "Forecast a signal by a network over windows of it.",
    discussion: """
      fenchel forecast ecg --samples 5000 --window 15 --horizon 20 --figure forecast.svg
      fenchel predict model.safetensors windows.csv

      SIGNAL has one sample a row. The network of a convex program learns the next value from a window of earlier ones, on
      the beginning of the signal; its forecasts, and those of linear autoregression and of networks trained by gradients,
      are tested on the end. λ is 0.0001·λ_max unless --lambda or --lambda-ratio say otherwise.
      """)

  @Argument(help: ArgumentHelp("A file, - or a known name such as ecg.", valueName: "signal"))
  var source: String?

  @Option(
    help: ArgumentHelp(
      "The column that is the signal, by name or index (default: the last).", valueName: "column"))
  var column: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Use the first samples only (default: all).", valueName: "n"))
  var samples: Int?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Samples that a forecast is made from.", valueName: "n"))
  var window = 15

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Steps ahead, by forecasts of forecasts.", valueName: "n"))
  var horizon = 10

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The share of the signal, at its end, to test on.", valueName: "fraction"))
  var test = 0.2

  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Comparison") var comparison: ComparisonOptions
  @OptionGroup(title: "Training") var training: TrainingOptions

  @Option(help: ArgumentHelp("Where the model goes.", valueName: "model"))
  var save = "model.safetensors"

  @Option(name: [.short, .long], help: ArgumentHelp("Where forecasts go, as CSV.", valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("Where a chart of the forecasts goes, as SVG.", valueName: "file"))
  var figure: String?

  @Option(
    help: ArgumentHelp(
      "Where the windows learnt from go, as CSV: the data for fenchel verify.", valueName: "file"))
  var windows: String?

  @Option(
    help: ArgumentHelp("YAML file with any of these options; the command line wins.", valueName: "file"))
  var config: String?

  @OptionGroup(title: "Printing") var printing: OutputOptions

  func validate() throws {
    try Check.count(window, "--window")
    try Check.count(horizon, "--horizon")
    if let samples { try Check.count(samples, "--samples") }
    guard test > 0, test < 1 else {
      throw ValidationError("--test \(test) must be a fraction between 0 and 1")
    }
  }

  func run() throws {
    let source = try Inputs.require(source)
    var settings = try training.settings()
    if training.lambda == nil, training.lambdaRatio == nil { settings.lambda = .ratio(1e-4) }
    try checkOutputs(source)
    if let threads = settings.threads { Parallel.threads = threads }
    let table = try Loader.table(source, reading, printing, memoryLimit: settings.memoryLimit)
    var signal = try Signal(table, column: column)
    Notes(printing).warn(table.notices)
    if let samples {
      guard samples <= signal.values.count else {
        throw DataError.option(
          "--samples", "\(samples) of a signal that has \(signal.values.count) (\(printable(source)))")
      }
      signal = signal.prefix(samples)
    }
    var forecasting = try Forecasting(signal, settings: forecastSettings(), training: settings)
    Interruption.install()
    forecasting.cancellation = Interruption.cancellation
    let progress = ProgressLine(tolerance: settings.tolerance, isQuiet: printing.quiet)
    let result = try progress.showing { handler in
      forecasting.progress = handler
      return try forecasting.run()
    }
    try write(result)
    try show(result, source)
    let gaps = [result.report.training.certificate?.relativeGap].compactMap { $0 }
    throw ExitCode(Exit.code(for: result.status, gaps: gaps, tolerance: settings.tolerance))
  }

  private func forecastSettings() throws -> ForecastSettings {
    var settings = ForecastSettings()
    (settings.window, settings.horizon, settings.heldOut) = (window, horizon, test)
    try comparison.apply(to: &settings)
    return settings
  }

  private func checkOutputs(_ source: String) throws {
    let files = [save, output, figure, windows].compactMap { $0 }
    for file in files { try Outputs.check(file, differsFrom: [source, config]) }
    guard Set(files).count == files.count else {
      throw UsageError("two of --save, --output, --figure and --windows are one file; give each its own")
    }
  }

  private func write(_ result: ForecastResult) throws {
    try result.model.write(to: save)
    if let output { try AtomicFile.write(Array(result.csv.utf8), to: output) }
    if let figure { try AtomicFile.write(Array(result.chart().svg.utf8), to: figure) }
    if let windows {
      try AtomicFile.write(Array(result.windows.csv(result.windows.training).utf8), to: windows)
    }
  }

  private func show(_ result: ForecastResult, _ source: String) throws {
    Notes(printing).warn(result.report.training.warnings)
    if printing.json { return Terminal.output(try JSONText.encode(result.report, indented: true)) }
    let written = [save, output, figure, windows].compactMap { $0 }
    Terminal.output(ForecastText(report: result.report, source: source).text)
    Terminal.output("\nwritten      " + written.joined(separator: "\n             "))
  }
}

/// What a forecast is compared with.
struct ComparisonOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Any of linear, last (the last value again), sgd, adam (a ReLU network of as many neurons), or none (default: all).",
      valueName: "name,…"))
  var compare: String?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Epochs of sgd and adam.", valueName: "n"))
  var compareEpochs = 200

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Learning rate of sgd and adam (default: 0.01 and 0.001).", valueName: "rate"))
  var compareRate: Double?

  func validate() throws {
    guard (1...1_000_000).contains(compareEpochs) else {
      throw ValidationError("--compare-epochs \(compareEpochs) must lie between 1 and 1000000")
    }
    try Check.positive(compareRate, "--compare-rate")
    _ = try rivals()
  }

  func apply(to settings: inout ForecastSettings) throws {
    settings.rivals = try rivals()
    settings.rivalEpochs = compareEpochs
    if let compareRate { settings.rivalLearningRates = [.sgd: compareRate, .adam: compareRate] }
  }

  private func rivals() throws -> [ForecastRival] {
    guard let compare, compare != "none" else { return compare == nil ? ForecastRival.allCases : [] }
    let names = ForecastRival.allCases.map(\.rawValue)
    let chosen = try commaSeparated(compare).map { name in
      guard let rival = ForecastRival(rawValue: name) else {
        throw ValidationError(
          "--compare: there is no `\(name)`\(Suggestion.phrase(for: name, among: names + ["none"]))")
      }
      return rival
    }
    guard !chosen.isEmpty, Set(chosen).count == chosen.count else {
      throw ValidationError(
        "--compare \(compare): give each of \(names.joined(separator: ", ")) once, or none")
    }
    return chosen
  }
}
