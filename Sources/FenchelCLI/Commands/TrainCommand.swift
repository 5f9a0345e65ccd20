import ArgumentParser
import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra

/// `fenchel train DATA`
struct TrainCommand: ParsableCommand, Configurable {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a network, certify it, save it and report.",
    discussion: """
      The report says how far from optimal the network is: dual ≤ optimum ≤ primal, and over what the bound holds.
      Ctrl-C stops at the next iteration and saves what there is with its real gap.
      Models trained layer by layer can stop at any moment and go on bit for bit: --checkpoint FILE (or --run
      FOLDER), and later fenchel train --resume FILE.
      """)

  @Argument(help: ArgumentHelp("A file, a folder, - or a known name.", valueName: "data"))
  var source: String?

  @OptionGroup(title: "Columns") var columns: ColumnOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Training") var training: TrainingOptions

  @Option(
    help: ArgumentHelp("Rows to test on: a file, or a fraction of the data.", valueName: "file|fraction"))
  var test: String?

  @Flag(
    help: """
      Leave the rows in their file and read them batch by batch; so is done without it where memory would not hold them.
      """)
  var stream = false

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where the model goes (default: model.safetensors).", valueName: "model"))
  var output: String?

  @Option(
    name: .customLong("run"), help: ArgumentHelp("A folder for run.json and the model.", valueName: "folder"))
  var runFolder: String?

  @OptionGroup(title: "Checkpoints") var checkpoints: CheckpointOptions

  @Option(
    help: ArgumentHelp("YAML file with any of these options; the command line wins.", valueName: "file"))
  var config: String?

  @OptionGroup(title: "Printing") var printing: OutputOptions

  func run() throws {
    let source = try Inputs.require(source)
    let start = try training.layers.start(for: training.model)
    let settings = try training.settings(from: start)
    guard runFolder == nil || output == nil else {
      throw UsageError("--output and --run exclude each other: the model lies in the folder")
    }
    let folder = try runFolder.map { try RunFolder($0) }
    let target = folder?.model ?? output ?? "model.safetensors"
    let inputs = [source, test, columns.targetFile, config, training.layers.initialModel]
    try Outputs.check(target, differsFrom: inputs)
    let keeper = try checkpoints.keeper(
      for: settings.model, in: folder, inputs: inputs, outputs: [target])
    if let threads = settings.threads { Parallel.threads = threads }
    let loader = Loader(
      columns: columns, reading: reading, printing: printing, settings: settings, start: start)
    let progress = ProgressLine(tolerance: settings.tolerance, isQuiet: printing.quiet)
    let result = try self.result(loader, source, keeper, progress)
    let verb = Outputs.verb(for: target)
    try result.model.write(to: target)
    try folder?.write(result.report)
    try show(result, source: source, target: target, verb)
    if let failure = keeper?.failure { throw failure }
    throw ExitCode(
      Exit.code(
        for: result.status, gaps: [result.report.certificate?.relativeGap].compactMap { $0 },
        tolerance: settings.tolerance))
  }

  private func result(
    _ loader: Loader, _ source: String, _ keeper: CheckpointKeeper?, _ progress: ProgressLine
  ) throws -> TrainingResult {
    let (settings, start) = (loader.settings, loader.start)
    guard loader.readsInBatches(source, isAskedFor: stream) else {
      let (data, testing) = try loader.trainingData(from: source, test: test)
      forecast(settings, data)
      Interruption.install()
      return try progress.showing {
        try train(
          data, test: testing, settings: settings, from: start, checkpoints: keeper,
          cancellation: Interruption.cancellation, progress: $0)
      }
    }
    // What no file could tell is refused before a long pass over one.
    try settings.checkStream(rows: .max)
    let (data, testing) = try loader.streamedData(from: source, test: test)
    Interruption.install()
    return try progress.showing {
      try train(
        data, test: testing, settings: settings, from: start, checkpoints: keeper,
        cancellation: Interruption.cancellation, progress: $0)
    }
  }

  /// Says before it begins what will take very long.
  private func forecast(_ settings: TrainingSettings, _ data: Dataset<Double>) {
    guard let seconds = settings.secondsOfProjections(on: data), seconds > 600 else { return }
    Notes(printing).warn([
      "projections on the cones of so many patterns take about \(Format.duration(seconds)) for each of several passes;"
        + " --time-limit ends in time with what there is, --model \(settings.model == .cnn ? "gated-cnn" : "gated-relu") has no cones, --patterns takes fewer"
    ])
  }

  private func show(_ result: TrainingResult, source: String, target: String, _ verb: String) throws {
    Notes(printing).warn(result.report.warnings)
    if printing.json { return Terminal.output(try JSONText.encode(result.report, indented: true)) }
    Terminal.output(ReportText(report: result.report, source: source).text)
    Terminal.output("\(verb)\(target)")
  }
}

/// Exit codes of commands that train.
enum Exit {
  /// 0 for a result that is certified to the tolerance, 128 + signal after a signal, 5 for anything that stopped
  /// before: the certificates judge, whatever the solver says of itself.
  static func code(for status: Status, gaps: [Double], tolerance: Double) -> Int32 {
    if let signal = Interruption.signal { return 128 + signal }
    let isDone = status == .solved || status == .completed
    let isCertified = isDone && gaps.allSatisfy { $0 <= tolerance }
    return isCertified ? Outcome.done.rawValue : Outcome.stoppedEarly.rawValue
  }
}

/// Remarks on standard error, unless `--quiet`.
struct Notes {
  private let isQuiet: Bool
  init(_ options: OutputOptions) { isQuiet = options.quiet }

  func warn(_ warnings: [String]) {
    guard !isQuiet else { return }
    for warning in warnings { Terminal.error("fenchel: note: \(warning)") }
  }
}

extension ProgressLine {
  /// Runs a computation with the handler, and leaves a clean line behind.
  func showing<R>(_ body: (ProgressHandler?) throws -> R) rethrows -> R {
    defer { finish() }
    return try body(handler)
  }
}
