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
    static let format = "format"
    static let version = "fenchel"
    static let network = "network"
    static let schema = "schema"
    static let scaling = "scaling"
    static let report = "report"
    static let layerPrefix = "layer."
    static let certificatePrefix = "certificate."
    static let gates = "settings.gates"
  }

  /// One layer in the JSON text `network`.
  private struct LayerText: Codable {
    var kind: String
    var attributes: [String: Int]?
  }

  /// The file as bytes; equal models give equal bytes.
  public func encoded() throws -> [UInt8] {
    var file = Safetensors()
    let layers = network.layers.map(\.content)
    file.metadata = [
      Key.format: String(ModelFile.formatVersion),
      Key.version: Release.version,
      Key.network: try JSONText.encode(
        layers.map { LayerText(kind: $0.kind, attributes: $0.attributes.isEmpty ? nil : $0.attributes) }),
      Key.schema: try JSONText.encode(schema),
      Key.scaling: try JSONText.encode(scaling),
      Key.report: try JSONText.encode(report),
    ]
    for (index, layer) in layers.enumerated() {
      for (name, tensor) in layer.tensors { file.tensors["\(Key.layerPrefix)\(index).\(name)"] = tensor }
    }
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
    let bytes: [UInt8]
    do {
      bytes = try InputFile.contents(of: path, limit: .max)
    } catch let error as DataError {
      guard case .unreadable(_, let reason) = error else { throw error }
      throw ModelFileError.unreadable(path: path, reason: reason)
    }
    try self.init(decoding: bytes, source: path)
  }

  /// Reads the bytes of a model file; `source` names it in errors.
  public init(decoding bytes: [UInt8], source: String = "model") throws {
    do {
      let file = try Safetensors(decoding: bytes, needsChecksum: true)
      try ModelFile.checkFormat(file.metadata, source)
      try self.init(file)
    } catch let error as ModelFileError {
      throw error
    } catch let error as DecodingError {
      throw ModelFileError.damaged(path: source, "the metadata do not fit: \(JSONText.describe(error))")
    } catch {
      throw ModelFileError.damaged(path: source, "\(error)")
    }
  }

  private static func checkFormat(_ metadata: [String: String], _ source: String) throws {
    guard let text = metadata[Key.format], let format = Int(text), let madeBy = metadata[Key.version],
      isVersion(madeBy)
    else {
      let isCheckpoint = metadata[Checkpoint.Key.format] != nil
      throw ModelFileError.damaged(
        path: source,
        isCheckpoint
          ? "a checkpoint, not a model; fenchel train --resume goes on with it"
          : "a safetensors file, but not of fenchel")
    }
    guard format <= formatVersion else { throw ModelFileError.newer(path: source, madeBy: madeBy) }
  }

  /// Whether a text begins as versions do: `0.1.0`, `1.0.0-rc.1`.
  private static func isVersion(_ text: String) -> Bool {
    let numbers = text.prefix { $0 != "-" && $0 != "+" }.split(
      separator: ".", omittingEmptySubsequences: false)
    return numbers.count == 3 && numbers.allSatisfy { UInt32($0) != nil }
  }

  private init(_ file: Safetensors) throws {
    func text(_ key: String) throws -> String {
      guard let text = file.metadata[key] else { throw SafetensorsError("the metadata have no \(key)") }
      return text
    }
    network = try ModelFile.network(try JSONText.decode([LayerText].self, text(Key.network)), file.tensors)
    schema = try JSONText.decode(Schema.self, text(Key.schema))
    scaling = try JSONText.decode(Scaling.self, text(Key.scaling))
    report = try JSONText.decode(TrainingReport.self, text(Key.report))
    certificate = ModelFile.tensors(of: file.tensors, prefix: Key.certificatePrefix)
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

  private static func network(_ layers: [LayerText], _ tensors: [String: Tensor]) throws -> Network {
    try Network(
      layers: layers.enumerated().map { index, layer in
        try Layer.read(
          kind: layer.kind,
          from: LayerParts(
            index: index, attributes: layer.attributes ?? [:],
            tensors: self.tensors(of: tensors, prefix: "\(Key.layerPrefix)\(index).")))
      })
  }

  /// The tensors whose names begin with the prefix, without it.
  private static func tensors(of all: [String: Tensor], prefix: String) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, tensor) in all where name.hasPrefix(prefix) {
      result[String(name.dropFirst(prefix.count))] = tensor
    }
    return result
  }
}
