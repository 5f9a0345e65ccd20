import ArgumentParser
import Fenchel
import Foundation
import LinearAlgebra

/// `fenchel predict MODEL DATA`
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict", abstract: "Predict with a model: one line a row, as CSV.",
    discussion: """
      Of a known data set with a test part (mnist, cifar-10) the test part is predicted, as fenchel evaluate scores it. Other
      rows come from a file.
      """)

  @Argument(help: "The model file.") var model: String
  @Argument(help: ArgumentHelp("A file, a folder, - or a known name.", valueName: "data")) var source: String
  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where predictions go (default: standard output).", valueName: "file"))
  var output: String?
  @Flag(help: "Probabilities of all classes instead of the class.") var probabilities = false
  @Option(help: "Layer by layer, or as the minimiser of the lifted model (of fenchel and lifted).")
  var rule: PredictionRule = .feedForward
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Printing") var printing: OutputOptions

  func run() throws {
    if let output { try Outputs.check(output, differsFrom: [model, source]) }
    let file = try ModelFile(contentsOf: model)
    let lifted = try rule == .lifted ? LiftedPrediction(file) : nil
    let data = try Loader.dataset(
      source, schema: file.schema, reading, printing, targets: .ignored, part: Loader.partToScore(source))
    Notes(printing).warn(data.notices)
    let x = file.scaling.features.applied(to: data.features)
    let f = try lifted?.predict(x).outputs ?? file.network.predict(x)
    let predictions = try Predictions(f, file, probabilities: probabilities)
    let text = printing.json ? try JSONText.encode(predictions, indented: false) + "\n" : predictions.csv
    if let output {
      try AtomicFile.write(Array(text.utf8), to: output)
    } else {
      Terminal.write(text, to: 1)
    }
  }
}

extension PredictionRule: ExpressibleByArgument {}

/// Predictions as a table: a column a target, or a column a class with `--probabilities`.
private struct Predictions: Encodable {
  /// One entry of the table.
  enum Entry: Encodable {
    case number(Double)
    case name(String)

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .number(let value): try container.encode(value)
      case .name(let text): try container.encode(text)
      }
    }

    var csv: String {
      switch self {
      case .number(let value): "\(value)"
      case .name(let text): Predictions.field(text)
      }
    }
  }

  var columns: [String]
  var rows: [[Entry]]

  /// From the network's outputs F.
  init(_ f: Matrix<Double>, _ file: ModelFile, probabilities: Bool) throws {
    let classes = file.schema.classes
    func numbers(_ values: Matrix<Double>) -> [[Entry]] {
      (0..<values.rows).map { values.row($0).map { .number($0) } }
    }
    columns = file.schema.targets.map(\.name)
    if probabilities {
      guard let p = Scores.probabilities(f, loss: file.report.loss), p.columns == classes.count else {
        let loss = file.report.loss.rawValue
        throw UsageError(
          "--probabilities needs a model with the logistic or softmax loss; this one has \(loss)")
      }
      (columns, rows) = (classes, numbers(p))
    } else if file.schema.task == .classification {
      rows = Scores.classes(f).map { [.name(classes[$0])] }
    } else {
      rows = numbers(file.scaling.targets.inverted(f))
    }
  }

  /// A header and one line a row.
  var csv: String {
    let lines = [columns.map(Predictions.field)] + rows.map { $0.map(\.csv) }
    return lines.map { $0.joined(separator: ",") + "\n" }.joined()
  }

  /// A field with quotes where it needs them.
  private static func field(_ text: String) -> String {
    guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
    return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }
}
