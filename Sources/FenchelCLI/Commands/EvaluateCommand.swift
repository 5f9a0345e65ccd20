import ArgumentParser
import Fenchel

/// `fenchel evaluate MODEL DATA`
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Score a model on data with targets.")

  @Argument(help: "The model file.") var model: String
  @Argument(help: ArgumentHelp("A file, a folder, - or a known name.", valueName: "data")) var source: String
  @Option(help: ArgumentHelp("The targets, where they are in a file of their own.", valueName: "file"))
  var targetFile: String?
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Printing") var printing: OutputOptions

  func run() throws {
    let file = try ModelFile(contentsOf: model)
    let data = try Loader.dataset(
      source, schema: file.schema, reading, printing, targets: .required, part: Loader.partToScore(source),
      targetFile: targetFile)
    Notes(printing).warn(data.notices)
    let card = try file.scorecard(on: data)
    if printing.json { return Terminal.output(try JSONText.encode(card, indented: true)) }
    Terminal.output("\(source) · \(Format.count(data.rows, "row")) · \(ReportText.scores(card))")
  }
}
