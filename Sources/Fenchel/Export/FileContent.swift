/// What a safetensors file of Fenchel holds. The raw value is the key of its metadata that has the version of the format.
enum FileContent: String, CaseIterable {
  case model = "format"
  case checkpoint
  case generator

  /// The key of the version of Fenchel that made the file.
  static let maker = "fenchel"

  /// Nil for a file of something else.
  init?(_ metadata: [String: String]) {
    guard let content = Self.allCases.first(where: { metadata[$0.rawValue] != nil }) else { return nil }
    self = content
  }

  /// What to do with a file that is given in place of another one.
  private var remedy: String {
    switch self {
    case .model: "a model of a network; fenchel predict, evaluate, verify and inspect take it"
    case .checkpoint: "a checkpoint, not a model; fenchel train --resume goes on with it"
    case .generator:
      "a generator of pictures, which predicts nothing; fenchel gan --from makes pictures with it"
    }
  }

  /// Why a file with these metadata holds no content of this kind; nil where it does.
  func misfit(_ metadata: [String: String]) -> String? {
    guard metadata[rawValue] == nil else { return nil }
    return FileContent(metadata)?.remedy ?? Self.foreign
  }

  static let foreign = "a safetensors file, but not of fenchel"

  /// Reads what the file with these bytes holds, up to a version of its format; `source` names it in errors.
  ///
  /// - Throws: `ModelFileError` for whatever is wrong with the file.
  func read<Value>(
    _ bytes: [UInt8], newest: Int, source: String, _ body: (Safetensors) throws -> Value
  ) throws -> Value {
    do {
      let file = try Safetensors(decoding: bytes, needsChecksum: true)
      try check(file.metadata, newest: newest, source)
      return try body(file)
    } catch let error as ModelFileError {
      throw error
    } catch let error as DecodingError {
      throw ModelFileError.damaged(path: source, "the metadata do not fit: \(JSONText.describe(error))")
    } catch {
      throw ModelFileError.damaged(path: source, "\(error)")
    }
  }

  private func check(_ metadata: [String: String], newest: Int, _ source: String) throws {
    if let misfit = misfit(metadata) { throw ModelFileError.damaged(path: source, misfit) }
    guard let text = metadata[rawValue], let format = Int(text), let madeBy = metadata[Self.maker],
      Self.isVersion(madeBy)
    else { throw ModelFileError.damaged(path: source, Self.foreign) }
    guard format <= newest else { throw ModelFileError.newer(path: source, madeBy: madeBy) }
  }

  /// Whether a text begins as versions do: `0.1.0`, `1.0.0-rc.1`.
  private static func isVersion(_ text: String) -> Bool {
    let numbers = text.prefix { $0 != "-" && $0 != "+" }.split(
      separator: ".", omittingEmptySubsequences: false)
    return numbers.count == 3 && numbers.allSatisfy { UInt32($0) != nil }
  }

  /// The bytes of a file.
  ///
  /// - Throws: `ModelFileError.unreadable`.
  static func bytes(of path: String) throws -> [UInt8] {
    do {
      return try InputFile.contents(of: path, limit: .max)
    } catch let error as DataError {
      guard case .unreadable(_, let reason) = error else { throw error }
      throw ModelFileError.unreadable(path: path, reason: reason)
    }
  }
}

/// One layer of a network in the metadata of a file; its tensors are `PREFIXlayer.N.NAME`.
struct LayerText: Codable {
  var kind: String
  var attributes: [String: Int]?
}

extension Safetensors {
  private static let layerPrefix = "layer."

  /// A text of the metadata.
  func text(_ key: String) throws -> String {
    guard let text = metadata[key] else { throw SafetensorsError("the metadata have no \(key)") }
    return text
  }

  /// The tensors whose names begin with the prefix, without it.
  func tensors(prefix: String) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, tensor) in tensors where name.hasPrefix(prefix) {
      result[String(name.dropFirst(prefix.count))] = tensor
    }
    return result
  }

  /// Adds the tensors of a network, and returns what the metadata are to say of its layers.
  mutating func add(_ network: Network, prefix: String = "") -> [LayerText] {
    network.layers.enumerated().map { index, layer in
      let content = layer.content
      for (name, tensor) in content.tensors {
        tensors["\(prefix)\(Self.layerPrefix)\(index).\(name)"] = tensor
      }
      return LayerText(
        kind: content.kind, attributes: content.attributes.isEmpty ? nil : content.attributes)
    }
  }

  /// The network of these layers.
  ///
  /// - Throws: `NetworkError` where tensors are missing or do not fit.
  func network(_ layers: [LayerText], prefix: String = "") throws -> Network {
    try Network(
      layers: layers.enumerated().map { index, layer in
        try Layer.read(
          kind: layer.kind,
          from: LayerParts(
            index: index, attributes: layer.attributes ?? [:],
            tensors: tensors(prefix: "\(prefix)\(Self.layerPrefix)\(index).")))
      })
  }
}
