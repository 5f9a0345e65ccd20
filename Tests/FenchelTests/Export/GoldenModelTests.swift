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
    for (name, change) in Self.kinds {
      let place = Self.folder.appending(path: "\(name).safetensors")
      guard !FileManager.default.fileExists(atPath: place.path) else { continue }
      var settings = TrainingSettings()
      (settings.seed, settings.bound, settings.threads) = (3, BoundEffort.none, 2)
      change(&settings)
      let model = try train(data, settings: settings).model
      let bytes = try model.encoded()
      let inputs = model.scaling.features.applied(to: data.features)
      let record = Record(
        inputs: Self.rows(inputs), outputs: Self.rows(model.network.predict(inputs)),
        sha256: SHA256.hexDigest(bytes))
      try Data(bytes).write(to: place)
      try Data(JSONText.encode(record, indented: false).utf8).write(
        to: Self.folder.appending(path: "\(name).json"))
    }
  }

  @Test("Every file is read, predicts what it did, and keeps its certificate", arguments: kinds.keys.sorted())
  func filesReadForEver(name: String) throws {
    let place = Self.folder.appending(path: "\(name).safetensors")
    let bytes = Array(try Data(contentsOf: place))
    let record = try JSONDecoder().decode(
      Record.self, from: Data(contentsOf: Self.folder.appending(path: "\(name).json")))
    #expect(SHA256.hexDigest(bytes) == record.sha256, "the file is the one that was written")
    let model = try ModelFile(decoding: bytes)
    let outputs = model.network.predict(Matrix(rows: record.inputs))
    #expect(outputs.rows == record.outputs.count)
    for (row, expected) in record.outputs.enumerated() {
      for (column, value) in expected.enumerated() {
        #expect(abs(outputs[row, column] - value) <= 1e-9 * max(1, abs(value)), "\(name): row \(row)")
      }
    }
    guard model.report.certificate != nil else { return }
    let result = try verify(model, data: Self.data())
    #expect(result.agrees, "\(name): \(result.falseStatements)")
  }
}
