import LinearAlgebra

/// A training as it stood between two of its steps, as a file: its numbers, and what it must be given to go on with them.
///
/// The file is safetensors, as model files are: a tensor `state.NAME` for every number, and in the metadata the
/// settings, a fingerprint of the data and the options of the command line. Damage anywhere is found by its checksum.
public struct Checkpoint: Sendable, Equatable {
  public var settings: TrainingSettings
  /// `TrainingProblem.fingerprint` of the data.
  public var data: String
  /// Options of the command that began the run, by name; `data` is the location of the data.
  public var options: [String: String]
  /// Seconds that the run took so far.
  public var seconds: Double
  /// The kernels of the processor it ran on: others may round in another way.
  public var blasCore: String
  public var state: [String: Tensor]

  /// Version of the format. A checkpoint is read only by the version of Fenchel that wrote it.
  public static let formatVersion = 4

  enum Key {
    static let format = FileContent.checkpoint.rawValue
    static let version = FileContent.maker
    static let settings = "settings"
    static let data = "data"
    static let options = "options"
    static let seconds = "seconds"
    static let blasCore = "blasCore"
    static let prefix = "state."
  }

  /// The file as bytes.
  public func encoded() throws -> [UInt8] {
    var file = Safetensors()
    file.metadata = [
      Key.format: String(Self.formatVersion), Key.version: Release.version,
      Key.settings: try JSONText.encode(settings), Key.data: data,
      Key.options: try JSONText.encode(options), Key.seconds: try JSONText.encode(seconds),
      Key.blasCore: blasCore,
    ]
    for (name, tensor) in state { file.tensors[Key.prefix + name] = tensor }
    return file.encoded()
  }

  /// Writes the file atomically: at any moment the path holds the whole old or the whole new checkpoint.
  ///
  /// - Throws: `FileWriteError`; then the older checkpoint is intact.
  public func write(to path: String) throws { try AtomicFile.write(encoded(), to: path) }

  /// Where a run keeps its checkpoint: in its folder where the path is one.
  public static func file(_ path: String) -> String {
    InputFile.kind(path).isFolder ? path + "/" + nameInFolder : path
  }

  /// The name of the checkpoint in a run folder.
  public static let nameInFolder = "checkpoint.safetensors"
}

extension Checkpoint {
  /// Reads a checkpoint, of a run folder the one in it.
  ///
  /// - Throws: `CheckpointError`.
  public init(contentsOf path: String) throws {
    let path = Self.file(path)
    do {
      self = try Self.decoded(InputFile.contents(of: path, limit: .max), path)
    } catch DataError.unreadable(_, let reason) {
      throw CheckpointError.unreadable(path: path, reason: reason)
    } catch let error as DecodingError {
      throw CheckpointError.damaged(path: path, "the metadata do not fit: \(JSONText.describe(error))")
    } catch let error as SafetensorsError {
      throw CheckpointError.damaged(path: path, error.description)
    } catch let error as JSONError {
      throw CheckpointError.damaged(path: path, error.description)
    }
  }

  private static func decoded(_ bytes: [UInt8], _ path: String) throws -> Checkpoint {
    let file = try Safetensors(decoding: bytes, needsChecksum: true)
    if FileContent(file.metadata) == .model { throw CheckpointError.model(path: path) }
    guard let format = file.metadata[Key.format], let madeBy = file.metadata[Key.version] else {
      let misfit = FileContent.checkpoint.misfit(file.metadata)
      throw CheckpointError.damaged(path: path, misfit ?? FileContent.foreign)
    }
    guard format == String(formatVersion), madeBy == Release.version else {
      throw CheckpointError.otherVersion(path: path, madeBy: printable(madeBy))
    }
    func text(_ key: String) throws -> String {
      guard let text = file.metadata[key] else { throw SafetensorsError("the metadata have no \(key)") }
      return text
    }
    var checkpoint = Checkpoint(
      settings: try JSONText.decode(TrainingSettings.self, text(Key.settings)), data: try text(Key.data),
      options: try JSONText.decode([String: String].self, text(Key.options)),
      seconds: try JSONText.decode(Double.self, text(Key.seconds)), blasCore: try text(Key.blasCore),
      state: [:])
    for (name, tensor) in file.tensors {
      guard name.hasPrefix(Key.prefix) else { throw SafetensorsError("\(name) is no number of a training") }
      checkpoint.state[String(name.dropFirst(Key.prefix.count))] = tensor
    }
    return checkpoint
  }
}

extension TrainingSettings {
  /// The first setting that decides what a run does and that another run does not share: its name, and its value in both.
  /// Threads, limits and where files lie do not decide; nor do the epochs, unless the lengths of steps follow from them.
  func difference(from other: TrainingSettings) throws -> (name: String, own: String, other: String)? {
    let (mine, theirs) = (try deciding.flattened(), try other.deciding.flattened())
    for name in Set(mine.keys).union(theirs.keys).sorted() where mine[name] != theirs[name] {
      return (name, mine[name] ?? "unset", theirs[name] ?? "unset")
    }
    return nil
  }

  /// Whether steps are shares of the weights, which fall over the run.
  private var hasShrinkingSteps: Bool {
    guard model == .fenchel, let layers else { return false }
    return layers.architecture?.hasConvolutions == true || layers.numbers?["share"] != nil
  }

  private var deciding: TrainingSettings {
    var settings = self
    (settings.threads, settings.timeLimit, settings.maxMemory) = (nil, nil, nil)
    settings.layers?.initialModel = nil
    if settings.layers?.schedule != .cosine, !hasShrinkingSteps { settings.layers?.epochs = 0 }
    return settings
  }

  /// Every setting by its name on the command line, where it has one.
  private func flattened() throws -> [String: String] {
    var result: [String: String] = [:]
    func add(_ value: JSON, _ name: String) {
      switch value {
      case .object(let members) where !members.isEmpty: for (key, member) in members { add(member, key) }
      case .null: break
      case .boolean(let truth): result[name] = String(truth)
      case .number(let text), .string(let text): result[name] = text
      case .array(let items): result[name] = items.map(\.shortText).joined(separator: ",")
      case .object: result[name] = "none"
      }
    }
    var settings = self
    settings.layers?.earlyStopping = nil
    add(try JSON(parsing: try JSONText.encode(settings)), "")
    result["earlyStopping"] = layers?.earlyStopping?.description
    return Dictionary(result.map { (hyphenated($0.key), $0.value) }) { first, _ in first }
  }
}

/// `learningRate` as `learning-rate`.
private func hyphenated(_ name: String) -> String {
  name.reduce(into: "") { $0 += $1.isUppercase ? "-" + $1.lowercased() : String($1) }
}

extension JSON {
  /// A number or a text as it is; of anything else that it is there.
  fileprivate var shortText: String {
    switch self {
    case .number(let text), .string(let text): text
    default: "…"
    }
  }
}
