import Fenchel

/// What `inspect` says of a generator, as `--json` has it.
struct GeneratorInspection: Encodable {
  struct StageSummary: Encodable {
    var size: Int
    /// Of the network: the coordinates of the stage before and the noise.
    var inputs: Int
    /// Coordinates of the pictures.
    var outputs: Int
    var neurons: Int
    /// Weights of the network.
    var parameters: Int
    /// Numbers in the mean picture and the directions.
    var pictures: Int
  }

  /// `generator`, where models of networks have layers.
  var kind = "generator"
  var noise: Int
  var stages: [StageSummary]
  var report: GenerativeReport

  init(_ file: GeneratorFile) {
    (noise, report) = (file.generator.noiseDimensions, file.report)
    stages = file.generator.stages.map {
      StageSummary(
        size: $0.size, inputs: $0.network.inputs, outputs: $0.network.outputs, neurons: $0.network.neurons,
        parameters: $0.network.parameters, pictures: $0.mean.count + $0.directions.count)
    }
  }

  var text: String {
    var table = TextTable(
      ("pixels", .right), ("in", .right), ("out", .right), ("neurons", .right), ("parameters", .right),
      ("mean and directions", .right))
    for stage in stages {
      table.append(
        "\(stage.size)", "\(stage.inputs)", "\(stage.outputs)", "\(stage.neurons)", "\(stage.parameters)",
        "\(stage.pictures)")
    }
    let maker = TextTable.labelled([
      (label: "made by", text: "fenchel \(report.environment.version) · a generator of pictures"),
      (label: "data", text: "SHA-256 \(report.sha256.prefix(12))…"),
    ])
    return [GenerativeText(report: report).text, maker, table.text].joined(separator: "\n\n")
  }
}
