import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra
import Testing

/// Model files that were written once and must be readable, and predict the same, for ever.
///
/// Beside every `Golden/NAME.safetensors` lies its `NAME.json`: the inputs, as the network sees them, and the outputs
/// at the time of writing. A new kind of model is a line of `kinds`, and
///
///     FENCHEL_GOLDEN=write swift test -c release --filter GoldenModelTests
///
/// writes the files that are missing. Those that are there are never written anew: a file that reads no longer is a
/// fault of the reader. (A new version of the format gets new files, under other names, beside the old ones.)
@Suite struct GoldenModelTests {
  /// What is kept beside a file.
  struct Record: Codable {
    var inputs: [[Double]]
    var outputs: [[Double]]
    /// SHA-256 of the model file.
    var sha256: String
  }

  /// Settings by the name of the file.
  private static let kinds: [String: @Sendable (inout TrainingSettings) -> Void] = [
    "relu": { $0.patterns = .refine },
    "gated-relu": { ($0.model, $0.patterns) = (.gatedReLU, .sampled(6)) },
    "gates": { ($0.model, $0.patterns) = (.gatedReLU, .gates(Matrix(rows: [[1, 0, -1], [0, 1, 1]]))) },
    "quantile": {
      ($0.loss, $0.lossParameters) = (.quantile, LossParameters(tau: 0.8))
      ($0.model, $0.patterns) = (.gatedReLU, .sampled(6))
    },
    "batch-norm": { ($0.model, $0.patterns) = (.batchNorm, .sampled(6)) },
    "batch-norm-after": {
      ($0.model, $0.patterns, $0.normalisation) = (.batchNorm, .sampled(6), .after)
    },
    "cnn": {
      ($0.model, $0.patterns, $0.convolution) = (.cnn, .sampled(6), Self.patches)
    },
    "gated-cnn": {
      ($0.model, $0.patterns, $0.convolution) = (.gatedCNN, .sampled(6), Self.patches)
    },
    "threshold": { ($0.model, $0.patterns) = (.threshold, .sampled(8)) },
    "three-layer": { ($0.model, $0.patterns) = (.threeLayer, .sampled(6)) },
    "three-layer-penalty": {
      ($0.model, $0.patterns, $0.penalty) = (.threeLayer, .sampled(6), ConePenalty())
    },
    "polynomial": { $0.model = .polynomial },
    "quadratic": { $0.model = .quadratic },
    "fenchel": { $0 = Self.layered(.fenchel, $0) },
    "lifted": { $0 = Self.layered(.lifted, $0) },
    "mlp": { $0 = Self.layered(.mlp, $0) },
    "admm": { $0 = Self.layered(.admm, $0) },
    "lpom": { $0 = Self.layered(.lpom, $0) },
  ]

  /// Kinds of generators by the name of the file. Their inputs are noise, their outputs the pictures of the last stage.
  private static let generators: [String: GeneratorKind] = [
    "generator-linear": .linear, "generator-relu": .relu,
  ]

  private static var patches: PatchSettings {
    var patches = PatchSettings()
    patches.kernelWidth = 2
    return patches
  }

  private static func layered(_ model: ModelKind, _ settings: TrainingSettings) -> TrainingSettings {
    var settings = settings
    settings.model = model
    var layers = LayerSettings(for: model)
    (layers.hidden, layers.epochs) = ([4, 3], 2)
    settings.layers = layers
    settings.lambda = .value(1)
    return settings
  }

  private static var folder: URL {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")
  }

  /// Twelve rows of three numbers and one of a few categories, with a number to predict.
  private static func data() throws -> Dataset<Double> {
    let random: Matrix<Double> = Philox(seed: 7).normalMatrix(12, 3)
    let y = (0..<12).map { max(0, random[$0, 0]) - 0.5 * random[$0, 1] + 0.1 * Double($0 % 3) }
    let table = Table(
      source: "twelve rows", names: ["a", "b", "c", "y"],
      columns: (0..<3).map { .numbers(random.column($0)) } + [.numbers(y)])
    var options = SchemaOptions()
    options.task = .regression
    return try Schema(inferredFrom: table, options: options).dataset(from: table)
  }

  private static func rows(_ matrix: Matrix<Double>) -> [[Double]] { (0..<matrix.rows).map(matrix.row) }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["FENCHEL_GOLDEN"] == "write"))
  func missingFilesAreWritten() throws {
    let data = try Self.data()
    for (name, change) in Self.kinds where !Self.isThere(name) {
      var settings = TrainingSettings()
      (settings.seed, settings.bound, settings.threads) = (3, BoundEffort.none, 2)
      change(&settings)
      let model = try train(data, settings: settings).model
      let inputs = model.scaling.features.applied(to: data.features)
      try Self.write(name, model.encoded(), inputs, model.network.predict(inputs))
    }
    for (name, kind) in Self.generators where !Self.isThere(name) {
      var settings = GeneratorSettings()
      (settings.kind, settings.sizes, settings.β) = (kind, [2, 3], .ratio(0.05))
      let images = GenerativeTrainingTests.blobs(12, height: 6, width: 6)
      let result = try GenerativeTraining(settings).run(images)
      let noise = result.generator.noise(3, seed: 4)
      try Self.write(
        name, GeneratorFile(result).encoded(), noise, try #require(result.generator.pictures(noise).last))
    }
  }

  private static func isThere(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: folder.appending(path: "\(name).safetensors").path)
  }

  private static func write(
    _ name: String, _ bytes: [UInt8], _ inputs: Matrix<Double>, _ outputs: Matrix<Double>
  ) throws {
    let record = Record(inputs: rows(inputs), outputs: rows(outputs), sha256: SHA256.hexDigest(bytes))
    try Data(bytes).write(to: folder.appending(path: "\(name).safetensors"))
    try Data(JSONText.encode(record, indented: false).utf8).write(to: folder.appending(path: "\(name).json"))
  }

  /// A file with its record.
  private static func read(_ name: String) throws -> (bytes: [UInt8], record: Record) {
    let bytes = Array(try Data(contentsOf: folder.appending(path: "\(name).safetensors")))
    let record = try JSONDecoder().decode(
      Record.self, from: Data(contentsOf: folder.appending(path: "\(name).json")))
    #expect(SHA256.hexDigest(bytes) == record.sha256, "the file is the one that was written")
    return (bytes, record)
  }

  private static func expect(_ outputs: Matrix<Double>, of record: Record, _ name: String) {
    #expect(outputs.rows == record.outputs.count)
    for (row, expected) in record.outputs.enumerated() {
      for (column, value) in expected.enumerated() {
        #expect(abs(outputs[row, column] - value) <= 1e-9 * max(1, abs(value)), "\(name): row \(row)")
      }
    }
  }

  @Test("Every file is read, predicts what it did, and keeps its certificate", arguments: kinds.keys.sorted())
  func filesReadForEver(name: String) throws {
    let (bytes, record) = try Self.read(name)
    let model = try ModelFile(decoding: bytes)
    Self.expect(model.network.predict(Matrix(rows: record.inputs)), of: record, name)
    guard model.report.certificate != nil else { return }
    let result = try verify(model, data: Self.data())
    #expect(result.agrees, "\(name): \(result.falseStatements)")
  }

  @Test(arguments: generators.keys.sorted())
  func generatorsReadForEver(name: String) throws {
    let (bytes, record) = try Self.read(name)
    let file = try GeneratorFile(decoding: bytes)
    #expect(file.report.generator == Self.generators[name] && file.generator.stages.map(\.size) == [2, 3])
    let pictures = file.generator.pictures(Matrix(rows: record.inputs))
    Self.expect(try #require(pictures.last), of: record, name)
  }
}
