/// Why a training cannot go on from a checkpoint.
public enum CheckpointError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The file cannot be opened or read.
  case unreadable(path: String, reason: String)
  /// The bytes are not a checkpoint, or were changed after they were written.
  case damaged(path: String, String)
  /// Another version of Fenchel wrote the file: its steps may be others.
  case otherVersion(path: String, madeBy: String)
  /// The file is a model.
  case model(path: String)
  /// The run that was stopped had other settings: name, then, now.
  case setting(path: String, name: String, before: String, now: String)
  /// The run that was stopped had other data.
  case data(path: String, source: String)
  /// Training that is no run of steps from weights to weights.
  case convexProgram(ModelKind)

  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): \(reason)"
    case .damaged(let path, let what): "\(path): not a usable checkpoint: \(what)"
    case .otherVersion(let path, let version):
      "\(path): made by version \(version) of fenchel, this is \(Release.version); a run goes on only in the version "
        + "that began it: begin it anew"
    case .model(let path): "\(path): a model, not a checkpoint; --init goes on from a model's weights"
    case .setting(let path, let name, let before, let now):
      "\(path): the run was begun with \(name) \(before), not \(now); leave it as it was, or begin a new run"
    case .data(let path, let source):
      "\(path): the run was begun on other rows than \(source) gives now; give the same data and column options, or "
        + "begin a new run"
    case .convexProgram(let model):
      "the model \(model.rawValue) is a convex program, which has no checkpoints; take a model trained layer by layer"
    }
  }
}
