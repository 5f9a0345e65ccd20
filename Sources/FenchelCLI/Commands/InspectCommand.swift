import ArgumentParser
import Fenchel

/// `fenchel inspect MODEL`
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show a model: layers, neurons, weights, certificate, preprocessing; or a generator.")

  @Argument(help: "The model file.")
  var model: String

  @OptionGroup var output: OutputOptions

  func run() throws {
    switch try SavedModel(contentsOf: model) {
    case .network(let file): try show(Inspection(file)) { $0.text(of: file, path: model) }
    case .generator(let file): try show(GeneratorInspection(file)) { $0.text }
    }
  }

  private func show<Content: Encodable>(_ content: Content, _ text: (Content) -> String) throws {
    Terminal.output(output.json ? try JSONText.encode(content, indented: true) : text(content))
  }
}

/// What `inspect` says of a model, as `--json` has it.
private struct Inspection: Encodable {
  struct LayerSummary: Encodable {
    var kind: String
    var inputs: Int
    var outputs: Int
    var parameters: Int
    /// Entries that are not zero, and the largest magnitude.
    var nonZero: Int
    var largest: Double
  }

  struct TensorSummary: Encodable {
    var shape: [Int]
    var values: Int
  }

  var inputs: Int
  var outputs: Int
  var neurons: Int
  var parameters: Int
  var layers: [LayerSummary]
  /// Of networks of one hidden layer.
  var largestNeurons: LargestNeurons?
  var certificate: [String: TensorSummary]
  var schema: Schema
  var scaling: Scaling
  var report: TrainingReport

  init(_ file: ModelFile) {
    let network = file.network
    (inputs, outputs) = (network.inputs, network.outputs)
    (neurons, parameters) = (network.neurons, network.parameters)
    var width = network.inputs
    layers = network.layers.map { layer in
      let content = layer.content
      let values = content.tensors.values.flatMap(\.doubles)
      let out = content.outputs ?? width
      defer { width = out }
      return LayerSummary(
        kind: content.kind, inputs: width, outputs: out, parameters: content.parameters,
        nonZero: values.count { $0 != 0 }, largest: values.reduce(0) { max($0, abs($1)) })
    }
    largestNeurons = LargestNeurons(network, file.schema)
    certificate = file.certificate.mapValues { TensorSummary(shape: $0.shape, values: $0.values.count) }
    schema = file.schema
    scaling = file.scaling
    report = file.report
  }

  func text(of file: ModelFile, path: String) -> String {
    var table = TextTable(
      ("layer", .right), ("kind", .left), ("in", .right), ("out", .right), ("parameters", .right),
      ("non-zero", .right), ("largest", .right))
    for (index, layer) in layers.enumerated() {
      let hasWeights = layer.parameters > 0
      table.append(
        String(index), layer.kind, String(layer.inputs), String(layer.outputs), String(layer.parameters),
        hasWeights ? String(layer.nonZero) : "", hasWeights ? Format.significant(layer.largest, 4) : "")
    }
    let scaling =
      report.settings.standardise ? "features scaled by their mean and deviation" : "features as they are"
    let proof = certificate.sorted { $0.key < $1.key }.map { name, tensor in
      "\(name) \(tensor.shape.map(String.init).joined(separator: "×"))"
    }
    let lines = [
      (label: "made by", text: "fenchel \(report.environment.version) · seed \(report.settings.seed)"),
      (label: "input", text: "\(Format.count(inputs, "feature")) · \(scaling)"),
      (label: "proof", text: proof.isEmpty ? "not kept" : proof.joined(separator: " · ")),
    ]
    let source =
      "\(report.data.rows) × \(report.data.columns) table, SHA-256 \(report.data.sha256.prefix(12))…"
    let parts = [
      ReportText(report: report, source: source).text, TextTable.labelled(lines), table.text,
      largestNeurons?.text(), ColumnTable(schema, self.scaling)?.text,
    ]
    return parts.compactMap { $0 }.joined(separator: "\n\n")
  }
}

extension Tensor {
  /// The values where they are weights.
  fileprivate var doubles: [Double] {
    if case .float64(let values) = values { values } else { [] }
  }
}
