import ArgumentParser
import Fenchel
import Foundation
import LinearAlgebra

/// `fenchel predict MODEL DATA`
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict", abstract: "Predict with a model: one line a row, as CSV.")

  @Argument(help: "The model file.") var model: String
  @Argument(help: ArgumentHelp("A file, a folder, - or a known name.", valueName: "data")) var source: String
  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where predictions go (default: standard output).", valueName: "file"))
  var output: String?
  @Flag(help: "Probabilities of all classes instead of the class.") var probabilities = false
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Printing") var printing: OutputOptions

  func run() throws {
    if let output { try Outputs.check(output, differsFrom: [model, source]) }
    let file = try ModelFile(contentsOf: model)
    let data = try Loader.dataset(source, schema: file.schema, reading, printing, targets: .ignored)
    Notes(printing).warn(data.notices)
    let f = file.network.predict(file.scaling.features.applied(to: data.features))
    let text = try lines(f, file).joined(separator: "\n") + "\n"
    if let output {
      try AtomicFile.write(Array(text.utf8), to: output)
    } else {
      Terminal.write(text, to: 1)
    }
  }

  /// A header and one line a row.
  private func lines(_ f: Matrix<Double>, _ file: ModelFile) throws -> [String] {
    let classes = file.schema.classes
    if probabilities {
      guard let p = Scores.probabilities(f, loss: file.report.loss), p.columns == classes.count else {
        throw UsageError(
          "--probabilities needs a model with the logistic or softmax loss; this one has \(file.report.loss.rawValue)"
        )
      }
      return [classes.map(csv).joined(separator: ",")] + rows(p)
    }
    let names = file.schema.targets.map { csv($0.name) }.joined(separator: ",")
    guard file.schema.task == .classification else { return [names] + rows(file.scaling.targets.inverted(f)) }
    return [names] + Scores.classes(f).map { csv(classes[$0]) }
  }

  private func rows(_ values: Matrix<Double>) -> [String] {
    (0..<values.rows).map { k in values.row(k).map { "\($0)" }.joined(separator: ",") }
  }

  /// A field with quotes where it needs them.
  private func csv(_ text: String) -> String {
    guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
    return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }
}
