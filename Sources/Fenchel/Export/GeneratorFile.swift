import LinearAlgebra

/// A trained generator of pictures as a file: its stages, and what its training came to.
///
/// The file is safetensors, as model files are. Of stage S it has the mean picture `stage.S.mean` (size²), the
/// `stage.S.directions` (r × size²) and the tensors `stage.S.layer.N.NAME` of the network; JSON texts `stages` and `report` are
/// in the metadata. Weights are kept in double precision: what is read makes the same pictures, bit for bit.
public struct GeneratorFile: Sendable, Equatable {
  public var generator: ProgressiveGenerator
  /// What the training came to.
  public var report: GenerativeReport

  public init(_ result: GenerativeResult) { (generator, report) = (result.generator, result.report) }

  /// Version of the format that is written. Older ones stay readable for ever.
  public static let formatVersion = 1

  private enum Key {
    static let stages = "stages"
    static let report = "report"
    static let mean = "mean"
    static let directions = "directions"

    static func prefix(_ stage: Int) -> String { "stage.\(stage)." }
  }

  /// One stage in the JSON text `stages`.
  private struct StageText: Codable {
    var size: Int
    var scale: Double
    var network: [LayerText]
  }

  /// The file as bytes; equal generators give equal bytes.
  public func encoded() throws -> [UInt8] {
    var file = Safetensors()
    var texts: [StageText] = []
    for (index, stage) in generator.stages.enumerated() {
      let prefix = Key.prefix(index)
      file.tensors[prefix + Key.mean] = Tensor(shape: [stage.mean.count], .float64(stage.mean))
      file.tensors[prefix + Key.directions] = Tensor(stage.directions)
      texts.append(
        StageText(size: stage.size, scale: stage.scale, network: file.add(stage.network, prefix: prefix)))
    }
    file.metadata = [
      FileContent.generator.rawValue: String(Self.formatVersion), FileContent.maker: Release.version,
      Key.stages: try JSONText.encode(texts), Key.report: try JSONText.encode(report),
    ]
    return file.encoded()
  }

  /// Writes the file atomically.
  ///
  /// - Throws: `FileWriteError`; then an older file at the path is intact.
  public func write(to path: String) throws { try AtomicFile.write(encoded(), to: path) }

  /// Reads a generator.
  ///
  /// - Throws: `ModelFileError`, also for a file that holds another thing.
  public init(contentsOf path: String) throws {
    try self.init(decoding: FileContent.bytes(of: path), source: path)
  }

  /// Reads the bytes of a generator's file; `source` names it in errors.
  ///
  /// - Throws: `ModelFileError`.
  public init(decoding bytes: [UInt8], source: String = "generator") throws {
    self = try FileContent.generator.read(bytes, newest: Self.formatVersion, source: source) {
      try GeneratorFile($0)
    }
  }

  private init(_ file: Safetensors) throws {
    let texts = try JSONText.decode([StageText].self, file.text(Key.stages))
    report = try JSONText.decode(GenerativeReport.self, file.text(Key.report))
    var stages: [GeneratorStage] = []
    for (index, text) in texts.enumerated() {
      let prefix = Key.prefix(index)
      guard let mean = file.tensors[prefix + Key.mean], mean.shape.count == 1,
        case .float64(let greys) = mean.values,
        let directions = file.tensors[prefix + Key.directions]?.matrix
      else { throw SafetensorsError("the mean or the directions of stage \(index) are missing") }
      stages.append(
        GeneratorStage(
          size: text.size, mean: greys, directions: directions,
          network: try file.network(text.network, prefix: prefix), scale: text.scale))
    }
    generator = ProgressiveGenerator(stages: stages, noiseDimensions: report.noise)
    if let misfit { throw SafetensorsError(misfit) }
  }

  /// Why the stages and the report cannot belong together, or nil.
  private var misfit: String? {
    guard !generator.stages.isEmpty, generator.stages.map(\.size) == report.stages.map(\.size) else {
      return "the stages are not those of the report"
    }
    var (earlier, size) = (0, 0)
    for (index, stage) in generator.stages.enumerated() {
      // Sizes first, so that their squares are numbers.
      guard stage.size > size, stage.size <= 1 << 20, stage.mean.count == stage.size * stage.size,
        stage.directions.columns == stage.mean.count
      else { return "the pictures of stage \(index) have no such size" }
      guard report.noise > 0, report.noise <= 1 << 30, stage.network.inputs == earlier + report.noise,
        stage.network.outputs == stage.directions.rows
      else { return "the network of stage \(index) does not fit the noise and the stage before" }
      guard stage.scale.isFinite, stage.scale > 0, stage.mean.allSatisfy(\.isFinite),
        stage.directions.storage.allSatisfy(\.isFinite)
      else { return "stage \(index) holds a number that is not finite, or a scale that is not positive" }
      (earlier, size) = (stage.network.outputs, stage.size)
    }
    return nil
  }
}

/// What a file of a training holds: a network, or a generator of pictures.
public enum SavedModel: Sendable {
  case network(ModelFile)
  case generator(GeneratorFile)

  /// Reads the file as what it says that it is.
  ///
  /// - Throws: `ModelFileError`.
  public init(contentsOf path: String) throws {
    let bytes = try FileContent.bytes(of: path)
    let isGenerator = (try? Safetensors(decoding: bytes)).flatMap { FileContent($0.metadata) } == .generator
    self =
      isGenerator
      ? .generator(try GeneratorFile(decoding: bytes, source: path))
      : .network(try ModelFile(decoding: bytes, source: path))
  }
}
