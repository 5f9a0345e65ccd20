import Fenchel
import Synchronization

/// The command line of this process, and what config files and checkpoints add to it.
enum Invocation {
  private static let current = Mutex<[String: String]>([:])

  /// The options of the command by name, for a later run to go on with; without those of this run alone.
  static var options: [String: String] { current.withLock { $0 } }

  private static let ownOfARun: Set = ["config", "json", "quiet", "resume", "checkpoint"]

  /// The command that the arguments name. Options come, in falling order, from the command line, from its config file,
  /// and from the checkpoint that it goes on with.
  ///
  /// - Throws: what the parser throws of the arguments alone, `ConfigError` where they do not fit a config file,
  ///   `CheckpointError`.
  static func command<Command>(
    _ arguments: [String], parse: ([String]) throws -> Command,
    failure: (any Error, _ file: String) -> any Error
  ) throws -> Command {
    var (arguments, command) = (arguments, try parse(arguments))
    func add(_ options: NamedOptions, of file: String) throws {
      guard let configurable = command as? any Configurable else { return }
      let own = Array(arguments.dropFirst())
      arguments =
        [arguments[0]] + options.arguments(overriddenBy: own, of: configurable) + own
      do { command = try parse(arguments) } catch { throw failure(error, file) }
    }
    if let path = (command as? any Configurable)?.config {
      try add(ConfigFile(path: path).options(), of: path)
    }
    if let train = command as? TrainCommand, let path = train.checkpoints.resume {
      let begun = try Checkpoint(contentsOf: path).options
      try refuseAnotherStart(than: begun, train.training.layers, path)
      try add(NamedOptions(begun), of: path)
    }
    let options = NamedOptions(arguments: arguments.dropFirst()).values.filter { !ownOfARun.contains($0.key) }
    current.withLock { $0 = options }
    return command
  }

  /// A run that goes on has its weights, and its start behind it.
  private static func refuseAnotherStart(
    than begun: [String: String], _ now: LayerOptions, _ path: String
  ) throws {
    let before = begun["init"]
    if let model = now.initialModel, model != before {
      throw CheckpointError.setting(path: path, name: "init", before: before ?? "unset", now: model)
    }
    if let initialiser = now.initialiser, before != nil {
      throw CheckpointError.setting(
        path: path, name: "initialiser", before: "unset", now: initialiser.rawValue)
    }
  }
}
