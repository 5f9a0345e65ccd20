import ArgumentParser
import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra

/// `fenchel tune DATA`
struct TuneCommand: ParsableCommand, Configurable {
  static let configuration = CommandConfiguration(
    commandName: "tune",
    abstract: "Search settings by random or Bayesian trials on rows held out of the training data.",
    discussion: """
      --search names settings with a range (LOW:HIGH, or LOW:HIGH:log) or values (A/B/C):
        fenchel tune mnist --model mlp --search learning-rate=1e-4:1e-1:log,hidden=100/300/300-100
      Settings are options of fenchel train and the numbers of --numbers. The test set is never looked at. With
      --journal FILE a search that was stopped goes on with the same trials when the command is given again.
      """)

  @Argument(help: ArgumentHelp("A file, a folder, - or a known name.", valueName: "data"))
  var source: String?

  @OptionGroup(title: "Columns") var columns: ColumnOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Training") var training: TrainingOptions

  @Option(
    help: ArgumentHelp(
      "What to search through; may be repeated (default: what is usual for the model).",
      valueName: "name=values,…"))
  var search: [String] = []

  @Option(help: "How trials are chosen.")
  var method: SearchMethod = .bayesian

  @Option(parsing: .unconditional, help: ArgumentHelp("Trials in all.", valueName: "n"))
  var trials = 20

  @Option(
    help: ArgumentHelp(
      "Rows to measure trials on: a fraction held out, or a file.", valueName: "file|fraction"))
  var validation = "0.2"

  @Option(help: "What trials are compared by (default: accuracy of classes, rmse of numbers).")
  var measure: TuningMeasure?

  @Option(help: ArgumentHelp("Keep the trials here, and go on with those that are there.", valueName: "file"))
  var journal: String?

  @Option(
    help: ArgumentHelp("Write the best settings as a config file for fenchel train.", valueName: "file"))
  var best: String?

  @Option(
    help: ArgumentHelp("YAML file with any of these options; the command line wins.", valueName: "file"))
  var config: String?

  @OptionGroup(title: "Printing") var printing: OutputOptions

  func validate() throws {
    guard (1...100_000).contains(trials) else {
      throw ValidationError("--trials \(trials) must lie between 1 and 100000")
    }
    if let fraction = Double(validation), !(fraction > 0 && fraction < 1) {
      throw ValidationError("--validation \(validation) must be a file, or a fraction between 0 and 1")
    }
  }

  func run() throws {
    let source = try Inputs.require(source)
    let start = try training.layers.start(for: training.model)
    let settings = try training.settings(from: start)
    if !search.isEmpty { _ = try space(for: settings, rows: .max) }
    let inputs = [source, Double(validation) == nil ? validation : nil, columns.targetFile, config]
    for file in [journal, best].compactMap({ $0 }) { try Outputs.check(file, differsFrom: inputs) }
    guard journal == nil || journal != best else {
      throw UsageError("--journal and --best are one file; write the best settings somewhere else")
    }
    if let threads = settings.threads { Parallel.threads = threads }
    let loader = Loader(
      columns: columns, reading: reading, printing: printing, settings: settings, start: start)
    let (data, held) = try loader.trainingData(from: source, test: validation)
    guard let held else { throw UsageError("--validation \(validation) holds no rows back") }
    let space = try space(for: settings, rows: data.rows)
    let tuning = try Tuning(
      settings: settings, space: space, method: method, trials: trials, measure: measure)
    Interruption.install()
    let table = TrialTable(space: space, measure: measure ?? .usual(for: data.schema.task))
    if !printing.json { Terminal.output(table.header) }
    let progress = ProgressLine(tolerance: settings.tolerance, isQuiet: printing.quiet)
    let report = try progress.showing { handler in
      try tuning.run(
        data, validation: held, from: start, journal: journal.map { TuningJournal(path: $0) },
        cancellation: Interruption.cancellation, progress: handler
      ) { trial, isBest in
        progress.finish()
        if !printing.json { Terminal.output(table.line(trial, isBest: isBest)) }
      }
    }
    try show(report)
  }

  private func space(for settings: TrainingSettings, rows: Int) throws -> SearchSpace {
    do {
      return try SearchSpace(
        search.isEmpty ? SearchSpace.usual(for: settings, rows: rows) : search, for: settings)
    } catch let error as TuningError {
      guard case .unknown(let name, _, let known) = error else { throw error }
      throw UsageError("\(error)\(Suggestion.phrase(for: name, among: known))")
    }
  }

  private func show(_ report: TuningReport) throws {
    guard let place = report.best else {
      if printing.json { Terminal.output(try JSONText.encode(report, indented: true)) }
      if let signal = Interruption.signal { throw ExitCode(128 + signal) }
      throw TuningError.noTrials(report.trials.last?.failure ?? "none was made")
    }
    let options = BestOptions(report.trials[place].values, model: report.model)
    if let best { try AtomicFile.write(Array(options.yaml.utf8), to: best) }
    if printing.json {
      Terminal.output(try JSONText.encode(report, indented: true))
    } else {
      let failed = report.trials.count { $0.score == nil }
      Terminal.output(
        "\nbest trial \(place + 1) of \(report.trials.count)" + (failed > 0 ? " (\(failed) failed)" : "")
          + " · \(report.rows) rows trained on, \(report.validationRows) held out · \(Format.duration(report.seconds))"
      )
      Terminal.output(options.commandLine + (best.map { "\nwritten      \($0)" } ?? ""))
    }
    if let signal = Interruption.signal { throw ExitCode(128 + signal) }
  }
}

extension SearchMethod: ExpressibleByArgument {}
extension TuningMeasure: ExpressibleByArgument {}

/// The trials of a search, line by line as they come.
private struct TrialTable {
  private let names: [String]
  private let widths: [Int]
  private let measure: TuningMeasure

  init(space: SearchSpace, measure: TuningMeasure) {
    names = space.dimensions.map(\.name)
    widths = names.map { max(10, $0.count) }
    self.measure = measure
  }

  var header: String {
    let cells = zip(names, widths).map { padded($0, $1) }
    return (["  trial"] + cells + [padded(measure.rawValue, 10), padded("time", 8), " status"]).joined(
      separator: "  ")
  }

  func line(_ trial: Trial, isBest: Bool) -> String {
    let cells = zip(names, widths).map { padded(trial.values[$0] ?? "", $1) }
    let score = trial.score.map { Format.significant($0, 5) } ?? "–"
    let status = trial.failure.map { "\(trial.status): \($0)" } ?? trial.status
    return
      ([(isBest ? "→" : " ") + padded(String(trial.number), 6)] + cells
      + [padded(score, 10), padded(Format.duration(trial.seconds), 8), " " + status]).joined(separator: "  ")
  }

  private func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

/// The options of `fenchel train` that a trial stands for.
private struct BestOptions {
  private let options: [String: String]

  init(_ values: [String: String], model: ModelKind) {
    let own = ["search", "method", "trials", "validation", "measure", "journal", "best"]
    var options = Invocation.options.filter { !own.contains($0.key) }
    let known = Set(model.numberNames)
    var numbers: [String: String] = [:]
    for text in commaSeparated(options["numbers"]) {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      if parts.count == 2 { numbers[parts[0]] = parts[1] }
    }
    for (name, value) in values {
      if known.contains(name) {
        numbers[name] = value
      } else {
        options[name] = name == "hidden" ? value.replacingOccurrences(of: "-", with: ",") : value
      }
    }
    if values["lambda"] != nil { options["lambda-ratio"] = nil }
    if values["lambda-ratio"] != nil { options["lambda"] = nil }
    if !numbers.isEmpty {
      options["numbers"] = numbers.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(
        separator: ",")
    }
    self.options = options
  }

  var commandLine: String {
    let words = NamedOptions(options.filter { $0.key != ConfigKey.data }).pairs.flatMap {
      name, text -> [String] in
      guard ConfigKey.kinds[name] == .flag else { return ["--\(name)", quoted(text)] }
      return [text == "true" ? "--\(name)" : "--no-\(name)"]
    }
    return (["fenchel", "train", quoted(options[ConfigKey.data] ?? "")] + words).joined(separator: " ")
  }

  /// As a shell takes it.
  private func quoted(_ text: String) -> String {
    let isPlain = !text.isEmpty && text.allSatisfy { $0.isLetter || $0.isNumber || "-_./,=:+".contains($0) }
    return isPlain ? text : "'" + text.replacingOccurrences(of: "'", with: "'\\''") + "'"
  }

  var yaml: String {
    NamedOptions(options).pairs.map { name, text in
      let isWord = [.word, .list].contains(ConfigKey.kinds[name] ?? .word)
      return "\(name): \(isWord ? JSON.quoted(text) : text)\n"
    }.joined()
  }
}
