import FoundationEssentials

/// A trained model as a file: the network, how rows of a table become its inputs, and the proof of its training.
///
/// The file is safetensors: tensors `layer.N.NAME` of the network, `certificate.NAME` of the proof and
/// `settings.gates`, with JSON texts in the metadata (`network`, `schema`, `scaling`, `report`).
public struct ModelFile: Sendable {
  public var network: Network
  /// How columns of a table become inputs and targets.
  public var schema: Schema
  /// How inputs and targets were scaled.
  public var scaling: Scaling
  /// What the training run came to, settings included.
  public var report: TrainingReport
  /// What `verify` needs, such as `theta` (n × c), `patterns` (U8, packed bits) and `gates`.
  public var certificate: [String: Tensor]

  public init(
    network: Network, schema: Schema, scaling: Scaling, report: TrainingReport,
    certificate: [String: Tensor] = [:]
  ) {
    self.network = network
    self.schema = schema
    self.scaling = scaling
    self.report = report
    self.certificate = certificate
  }

  /// All settings of the run, resolved.
  public var settings: TrainingSettings { report.settings }

  /// Version of the format that is written. Older ones stay readable for ever.
  public static let formatVersion = 1
}

/// The scalings of features and targets that a network was trained under.
public struct Scaling: Codable, Sendable, Equatable {
  public var features: Standardisation
  public var targets: Standardisation

  public init(features: Standardisation, targets: Standardisation) {
    self.features = features
    self.targets = targets
  }
}

extension Standardisation {
  /// Whether it is a map of this many columns, finite and invertible.
  fileprivate func isUsable(columns: Int) -> Bool {
    mean.count == columns && scale.count == columns && mean.allSatisfy(\.isFinite)
      && scale.allSatisfy { $0.isFinite && $0 > 0 }
  }
}

/// Why a model file cannot be used.
public enum ModelFileError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The file cannot be opened or read.
  case unreadable(path: String, reason: String)
  /// The bytes are not a model, or were changed after they were written.
  case damaged(path: String, String)
  /// A newer version of Fenchel made the file.
  case newer(path: String, madeBy: String)

  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): \(reason)"
    case .damaged(let path, let what): "\(path): not a usable model file: \(what)"
    case .newer(let path, let version):
      "\(path): made by version \(version) of fenchel, this is \(Release.version); update fenchel to read it"
    }
  }
}

extension ModelFile {
  private enum Key {
    static let network = "network"
    static let schema = "schema"
    static let scaling = "scaling"
    static let report = "report"
    static let certificatePrefix = "certificate."
    static let gates = "settings.gates"
  }

  /// The file as bytes; equal models give equal bytes.
  public func encoded() throws -> [UInt8] {
    var file = Safetensors()
    let layers = file.add(network)
    file.metadata = [
      FileContent.model.rawValue: String(ModelFile.formatVersion), FileContent.maker: Release.version,
      Key.network: try JSONText.encode(layers), Key.schema: try JSONText.encode(schema),
      Key.scaling: try JSONText.encode(scaling), Key.report: try JSONText.encode(report),
    ]
    for (name, tensor) in certificate { file.tensors[Key.certificatePrefix + name] = tensor }
    if case .gates(let gates) = settings.patterns { file.tensors[Key.gates] = Tensor(gates) }
    return file.encoded()
  }

  /// Writes the file atomically.
  ///
  /// - Throws: `FileWriteError`; then an older file at the path is intact.
  public func write(to path: String) throws { try AtomicFile.write(encoded(), to: path) }

  /// Reads a model file.
  ///
  /// - Throws: `ModelFileError`.
  public init(contentsOf path: String) throws {
    try self.init(decoding: FileContent.bytes(of: path), source: path)
  }

  /// Reads the bytes of a model file; `source` names it in errors.
  ///
  /// - Throws: `ModelFileError`.
  public init(decoding bytes: [UInt8], source: String = "model") throws {
    self = try FileContent.model.read(bytes, newest: ModelFile.formatVersion, source: source) {
      try ModelFile($0)
    }
  }

  private init(_ file: Safetensors) throws {
    network = try file.network(JSONText.decode([LayerText].self, file.text(Key.network)))
    schema = try JSONText.decode(Schema.self, file.text(Key.schema))
    scaling = try JSONText.decode(Scaling.self, file.text(Key.scaling))
    report = try JSONText.decode(TrainingReport.self, file.text(Key.report))
    certificate = file.tensors(prefix: Key.certificatePrefix)
    if let misfit { throw SafetensorsError(misfit) }
    guard certificate.values.allSatisfy(\.isFinite) else {
      throw SafetensorsError("a certificate tensor holds NaN or an infinity")
    }
    if case .gates = report.settings.patterns {
      guard let gates = file.tensors[Key.gates]?.matrix else {
        throw SafetensorsError("\(Key.gates) is missing")
      }
      report.settings.patterns = .gates(gates)
    }
  }

  /// Why the network, the schema, the scaling and the loss cannot belong together, or nil.
  private var misfit: String? {
    let (d, c) = (network.inputs, network.outputs)
    guard schema.width == d else { return "\(schema.width) features for a network of \(d) inputs" }
    let hasOneOutput = schema.classes.count == 2 && report.loss != .softmax
    let expected = schema.task == .classification && hasOneOutput ? 1 : schema.outputs
    guard c == expected else { return "\(expected) targets for a network of \(c) outputs" }
    guard scaling.features.isUsable(columns: d), scaling.targets.isUsable(columns: c) else {
      return "the scaling does not fit the network, or is not finite"
    }
    return nil
  }
}
