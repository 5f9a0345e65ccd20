import ConvexOptimization

/// The epochs of a run so far, and its clock, which goes on where a run that was stopped goes on.
struct RunRecord: Resumable {
  private(set) var history: [Epoch] = []
  private let begin: ContinuousClock.Instant
  /// Seconds before the run was stopped.
  private let earlier: Double

  init(after earlier: Double = 0, since begin: ContinuousClock.Instant = .now) {
    (self.earlier, self.begin) = (earlier, begin)
  }

  /// Seconds in this process.
  var secondsHere: Double { begin.duration(to: .now).seconds }

  /// Seconds in all.
  var seconds: Double { earlier + secondsHere }

  /// Notes one more epoch.
  mutating func append(loss: Double, validationLoss: Double? = nil) -> Epoch {
    let epoch = Epoch(
      number: history.count + 1, loss: loss, validationLoss: validationLoss, seconds: seconds)
    history.append(epoch)
    return epoch
  }

  mutating func transfer(_ state: inout StateTransfer) throws {
    var losses = history.map(\.loss)
    var times = history.map(\.seconds)
    var held = history.compactMap(\.validationLoss)
    try state.carry("losses", &losses, isAnyCount: true)
    try state.carry("seconds", &times, isAnyCount: true)
    try state.carry("validation-losses", &held, isAnyCount: true)
    guard state.isRestoring else { return }
    guard times.count == losses.count, held.isEmpty || held.count == losses.count else {
      throw StateError("the history of the epochs has columns of different lengths")
    }
    history = losses.indices.map {
      Epoch(
        number: $0 + 1, loss: losses[$0], validationLoss: held.isEmpty ? nil : held[$0], seconds: times[$0])
    }
  }
}

/// Where a run stands inside of an epoch.
struct EpochPosition: Resumable {
  /// Batches of the epoch that are done.
  var batches = 0
  /// Σ s ℓ over them.
  var loss = 0.0
  /// Σ s over them.
  var mass = 0.0

  mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("batches", &batches)
    try state.carry("loss", &loss)
    try state.carry("mass", &mass)
  }
}
