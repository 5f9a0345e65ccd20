import ConvexOptimization
import LinearAlgebra

/// Keeps the checkpoint of one training in a file: written after a step once some seconds have passed since it was last
/// written, and when the training ends by itself or is stopped.
///
/// A checkpoint that cannot be written does not end the training: the next one is tried as usual, and `failure` says so.
public final class CheckpointKeeper {
  public let path: String
  /// Seconds between two checkpoints; 0 writes one after every step.
  public let interval: Double
  /// The checkpoint that the training goes on from, until it has.
  private var resumed: Checkpoint?
  private var options: [String: String]
  private var blank: Checkpoint?
  private let clock = ContinuousClock()
  private var start: ContinuousClock.Instant
  private var last: ContinuousClock.Instant
  /// Seconds that the run took before it was stopped.
  public private(set) var earlierSeconds = 0.0
  /// Why the latest checkpoint could not be written, nil where it was.
  public private(set) var failure: FileWriteError?
  /// Called with every checkpoint after it was written.
  package var observer: ((Checkpoint) -> Void)?

  /// - Parameters:
  ///   - resumed: where the training goes on.
  ///   - options: of the command line, kept so that `fenchel train --resume` knows them.
  public init(
    path: String, interval: Double = 10, resuming resumed: Checkpoint? = nil, options: [String: String] = [:]
  ) {
    (self.path, self.interval, self.resumed, self.options) = (path, interval, resumed, options)
    start = clock.now
    last = start
  }

  /// Names the training whose checkpoint this is, `data` being their fingerprint, and checks that it is the one to go on
  /// with.
  ///
  /// - Throws: `CheckpointError` where settings or data are others.
  package func begin(_ settings: TrainingSettings, loss: LossKind, data: String, source: String) throws {
    var settings = settings
    settings.loss = loss
    settings.layers = settings.resolvedLayers
    (start, last) = (clock.now, clock.now)
    blank = Checkpoint(
      settings: settings, data: data, options: options, seconds: 0, blasCore: Parallel.blasCore, state: [:])
    guard let resumed else { return }
    if let (name, before, now) = try resumed.settings.difference(from: settings) {
      throw CheckpointError.setting(path: path, name: name, before: before, now: now)
    }
    guard resumed.data == data else { throw CheckpointError.data(path: path, source: source) }
    earlierSeconds = resumed.seconds.isFinite ? max(0, resumed.seconds) : 0
  }

  /// Whether there is a checkpoint that training is yet to take up.
  var isResuming: Bool { resumed != nil }

  /// A remark where the latest checkpoint could not be written.
  var failureNotice: String? { failure.map { "no checkpoint of the end of the run: \($0)" } }

  /// A remark where the run goes on with kernels that may round in another way.
  var notice: String? {
    guard let before = resumed?.blasCore, before != Parallel.blasCore else { return nil }
    return "the run was begun with the kernels \(before) of OpenBLAS and goes on with \(Parallel.blasCore): "
      + "its last digits may be others than those of a run that was never stopped"
  }

  /// Where there is a checkpoint to go on from, replaces the state of the training by it.
  ///
  /// - Throws: `CheckpointError.damaged` where the numbers do not fit the training.
  func restore(_ transfer: (inout StateTransfer) throws -> Void) throws {
    guard let resumed else { return }
    var state = StateTransfer(restoring: resumed.state)
    do {
      try transfer(&state)
      try state.finish()
    } catch let error as StateError {
      throw CheckpointError.damaged(path: path, error.description)
    }
    self.resumed = nil
  }

  /// Called between steps: writes a checkpoint where one is due, and where the training `isOver` in any case.
  func offer(isOver: Bool = false, _ transfer: (inout StateTransfer) throws -> Void) throws {
    guard var checkpoint = blank else { return }
    guard isOver || last.duration(to: clock.now).seconds >= interval else { return }
    var state = StateTransfer()
    try transfer(&state)
    checkpoint.state = state.tensors
    checkpoint.seconds = earlierSeconds + start.duration(to: clock.now).seconds
    do {
      try checkpoint.write(to: path)
      failure = nil
    } catch let error as FileWriteError { failure = error }
    last = clock.now
    observer?(checkpoint)
  }
}
