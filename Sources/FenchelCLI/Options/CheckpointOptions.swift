import ArgumentParser
import Fenchel

/// Where a training that goes on in steps keeps its state, and where it takes it up.
struct CheckpointOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Keep the state of a training layer by layer in this file (with --run: in its folder).",
      valueName: "file"))
  var checkpoint: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seconds between two checkpoints (default: 10); 0 for one after every step.", valueName: "s"))
  var checkpointInterval: Double?

  @Option(
    help: ArgumentHelp(
      "Go on with a stopped run from its checkpoint (or run folder), bit for bit, with its data and options.",
      valueName: "file"))
  var resume: String?

  func validate() throws {
    if let checkpointInterval, !(checkpointInterval >= 0 && checkpointInterval.isFinite) {
      throw ValidationError("--checkpoint-interval \(checkpointInterval) must be a number of at least 0")
    }
  }

  /// What keeps the checkpoints of a training: nil where none are asked for. A run folder has them of models that can.
  ///
  /// - Throws: `CheckpointError` for a checkpoint that cannot be read, or a convex program; `UsageError` for places that
  ///   cannot be written to.
  func keeper(
    for model: ModelKind, in folder: RunFolder?, inputs: [String?], outputs: [String]
  ) throws -> CheckpointKeeper? {
    guard !model.isConvexProgram else {
      guard checkpoint == nil, resume == nil else { throw CheckpointError.convexProgram(model) }
      return nil
    }
    guard let path = checkpoint ?? resume.map({ Checkpoint.file($0) }) ?? folder?.checkpoint else {
      guard checkpointInterval == nil else {
        throw UsageError("--checkpoint-interval needs a place for checkpoints: --checkpoint, or --run")
      }
      return nil
    }
    guard !outputs.contains(path) else {
      throw UsageError("\(path) is the place of the model; keep the checkpoint somewhere else")
    }
    let resumed = try resume.map { try Checkpoint(contentsOf: $0) }
    try Outputs.check(path, differsFrom: inputs)
    return CheckpointKeeper(
      path: path, interval: checkpointInterval ?? 10, resuming: resumed, options: Invocation.options)
  }
}
