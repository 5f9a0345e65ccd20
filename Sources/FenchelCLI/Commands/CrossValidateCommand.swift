import ArgumentParser
import ConvexOptimization
import Fenchel
import LinearAlgebra

/// `fenchel cv DATA`
struct CrossValidateCommand: ParsableCommand, Configurable {
  static let configuration = CommandConfiguration(
    commandName: "cv", abstract: "Choose λ (and the model) by cross-validation, then train on all rows.")

  @Argument(help: ArgumentHelp("A file, a folder, - or a known name.", valueName: "data"))
  var source: String?

  @OptionGroup(title: "Columns") var columns: ColumnOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Training") var training: TrainingOptions
  @OptionGroup(title: "Choice") var grid: RatioOptions

  @Option(help: ArgumentHelp("Parts that the rows are cut into.", valueName: "n"))
  var folds = 5

  @Option(help: ArgumentHelp("Models to choose from (default: that of --model).", valueName: "model,…"))
  var models: String?

  @Option(name: [.short, .long], help: ArgumentHelp("Where the chosen model goes.", valueName: "model"))
  var output = "model.safetensors"

  @Option(
    help: ArgumentHelp("YAML file with any of these options; the command line wins.", valueName: "file"))
  var config: String?

  @OptionGroup(title: "Printing") var printing: OutputOptions

  func validate() throws {
    guard (2...1000).contains(folds) else {
      throw ValidationError("--folds \(folds) must lie between 2 and 1000")
    }
    _ = try chosenModels()
  }

  private func chosenModels() throws -> [ModelKind] {
    guard models != nil else { return [training.model] }
    let names = ModelKind.allCases.map(\.rawValue)
    let kinds = try commaSeparated(models).map { name in
      guard let kind = ModelKind(rawValue: name) else {
        throw ValidationError(
          "--models: there is no model `\(name)`\(Suggestion.phrase(for: name, among: names))")
      }
      return kind
    }
    guard !kinds.isEmpty else { throw ValidationError("--models names no model") }
    return kinds
  }

  func run() throws {
    let source = try Inputs.require(source)
    let settings = try training.settings(compared: chosenModels())
    let ratios = try grid.values(training)
    try Outputs.check(output, differsFrom: [source, columns.targetFile, config])
    if let threads = settings.threads { Parallel.threads = threads }
    let loader = Loader(columns: columns, reading: reading, printing: printing, settings: settings)
    let (data, _) = try loader.trainingData(from: source, test: nil)
    Interruption.install()
    let progress = ProgressLine(tolerance: settings.tolerance, isQuiet: printing.quiet)
    let result = try progress.showing {
      try crossValidate(
        data, settings: settings, models: chosenModels(), ratios: ratios, folds: folds,
        cancellation: Interruption.cancellation, progress: $0)
    }
    let verb = Outputs.verb(for: output)
    try result.model.write(to: output)
    try show(result.report, source: source, verb)
    let gaps = [result.report.report.certificate?.relativeGap].compactMap { $0 }
    throw ExitCode(Exit.code(for: result.status, gaps: gaps, tolerance: settings.tolerance))
  }

  private func show(_ report: CrossValidationReport, source: String, _ verb: String) throws {
    if printing.json { return Terminal.output(try JSONText.encode(report, indented: true)) }
    var table = TextTable(
      ("", .left), ("model", .left), ("λ/λ_max", .right), (report.score, .right), ("±", .right),
      ("neurons", .right))
    for (index, candidate) in report.candidates.enumerated() {
      table.append(
        index == report.best ? "→" : "", candidate.model.rawValue,
        Format.significant(candidate.lambdaRatio, 4),
        Format.significant(candidate.mean, 5), Format.significant(candidate.standardError, 2),
        Format.significant(candidate.neurons, 4))
    }
    let isCut = report.candidates.count < report.planned
    let count = isCut ? " · \(report.candidates.count) of \(report.planned) candidates before the limit" : ""
    Terminal.output(
      "\(report.folds) folds\(count) · \(Format.duration(report.seconds))\n\n\(table.text)\n\n")
    Terminal.output(ReportText(report: report.report, source: source).text)
    Terminal.output("\(verb)\(output)")
  }
}
