import ConvexOptimization
import LinearAlgebra
import RealModule

extension LiftedTraining {
  /// Trains batch by batch on samples whose features are in the axes of their second moment, or where they have no basis as
  /// they are.
  ///
  /// - Throws: `LiftedError.notSmooth`; `CheckpointError` where a checkpoint to go on from does not fit; what the source
  ///   throws.
  func descend(
    _ network: FeedForward<Element>, _ source: any SampleSource<Element>, _ basis: InputBasis<Element>?,
    _ record: RunRecord, batchSize: Int
  ) throws -> Outcome {
    func leaving(_ network: FeedForward<Element>) -> FeedForward<Element> {
      basis?.leaving(network) ?? network
    }
    var run = BatchedRun(
      descent: try BatchDescent(
        basis?.entering(network) ?? network, settings: settings.batched, moments: basis?.moments ?? []),
      source: source,
      record: record, limits: limits)
    let order = Minibatches(samples: source.samples, batchSize: batchSize, seed: settings.seed)
    try checkpoints?.restore { try run.transfer(&$0) }
    while run.record.history.count < settings.epochs, run.status == .completed {
      let number = run.record.history.count + 1
      run.descent.proximityFactor = Element(Double.pow(Double(number), settings.batched.proximityGrowth))
      let batches = order.epoch(number - 1)
      try run.visit(batches, of: settings.epochs, checkpoints)
      guard run.status == .completed, let epoch = try run.finishEpoch(batches) else { continue }
      report(epoch, leaving(run.network), phase: "epochs")
      try checkpoints?.offer { try run.transfer(&$0) }
    }
    if run.status != .numericalFailure { try checkpoints?.offer(isOver: true) { try run.transfer(&$0) } }
    return Outcome(
      network: leaving(run.network), status: run.status, history: run.record.history)
  }
}

/// A run of the batched method: where it stands, and where it would go back to.
private struct BatchedRun<Element: Scalar>: Resumable {
  var descent: BatchDescent<Element>
  private var source: any SampleSource<Element>
  var record: RunRecord
  private let limits: Limits
  /// `completed` until something ends the run.
  private(set) var status = Status.completed
  private var position = EpochPosition()
  /// As the last epoch that went well left it, with its loss, or that left behind where this is greater.
  private var last: (descent: BatchDescent<Element>, loss: Double)
  /// What the first epoch is judged by: the mean loss of the network before the first step, and the loss of outputs 0 over the
  /// batches met.
  private var start = (network: 0.0, zero: 0.0)
  /// The loss of the epoch's first batches as they were met, and their mass.
  private var met = (loss: 0.0, mass: 0.0)
  /// Samples, at least, that the end of an epoch is judged on.
  private static var judges: Int { 2000 }

  init(
    descent: BatchDescent<Element>, source: any SampleSource<Element>, record: RunRecord, limits: Limits
  ) {
    (self.descent, self.source, self.record, self.limits) = (descent, source, record, limits)
    last = (descent, .infinity)
  }

  /// The network so far: that of the last good epoch where steps since have left the numbers.
  var network: FeedForward<Element> { descent.isFinite ? descent.average : last.descent.average }

  mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("run", &record)
    try state.carry("position", &position)
    try state.carry("descent", &descent)
    try state.carry("last-epoch", &last.descent)
    try state.carry("last-loss", &last.loss)
    try state.carry("start-loss", &start.network)
    try state.carry("zero-loss", &start.zero)
    try state.carry("met-loss", &met.loss)
    try state.carry("met-mass", &met.mass)
  }

  /// Visits the batches that are left of an epoch, until one gives a loss that is not finite or the run must end. One that is
  /// cut short leaves nothing behind.
  mutating func visit(
    _ batches: [ArraySlice<Int>], of epochs: Int, _ checkpoints: CheckpointKeeper?
  ) throws {
    source.begin(epoch: record.history.count)
    let judging = judging(batches).count
    while position.batches < batches.count, !position.loss.isNaN {
      descent.progress =
        (Double(record.history.count) + Double(position.batches) / Double(batches.count)) / Double(epochs)
      let batch = try source.batch(batches[position.batches])
      let (record, limits) = (record, limits)
      var reason: Status?
      let step = descent.step(batch.x, batch.loss) {
        reason = limits.interruption(after: record.secondsHere)
        return reason != nil
      }
      guard let value = step else {
        status = reason ?? .completed
        return
      }
      if record.history.isEmpty {
        let outputs = Matrix<Element>(batch.x.rows, batch.loss.outputs)
        start.zero += Double(batch.loss.value(at: outputs))
        if position.mass == 0, batch.mass > 0 { start.network = Double(value) / batch.mass }
      }
      position.loss += value.isFinite ? Double(value) : .nan
      position.mass += batch.mass
      if position.batches < judging { met = (position.loss, position.mass) }
      position.batches += 1
      try checkpoints?.offer { try transfer(&$0) }
    }
  }

  /// The epoch that has ended with the mean loss of its batches as each was met; nil where that is far above the one
  /// before (for the first epoch: above both its start and outputs of 0), or not a number, and where that of the network left
  /// behind is, which the batches after the last do not show: then the run goes on from the last epoch's end with shorter
  /// steps, unless it stands still.
  mutating func finishEpoch(_ batches: [ArraySlice<Int>]) throws -> Epoch? {
    let mass = max(position.mass, .leastNormalMagnitude)
    let loss = position.loss / mass
    let before = record.history.isEmpty ? max(start.network, start.zero / mass) : last.loss
    let bound = 2 * max(before, met.loss / max(met.mass, .leastNormalMagnitude))
    let isGood = loss <= 2 * before && descent.isFinite
    let left = isGood ? try lossLeft(on: judging(batches)) : .infinity
    (position, start, met) = (EpochPosition(), (0, 0), (0, 0))
    guard left <= bound else {
      descent = last.descent
      descent.slowDown()
      last.descent = descent
      if descent.hasStopped { status = .numericalFailure }
      return nil
    }
    last = (descent, max(loss, left))
    return record.append(loss: loss)
  }

  /// The first batches of an epoch, on which its end is judged.
  private func judging(_ batches: [ArraySlice<Int>]) -> ArraySlice<ArraySlice<Int>> {
    let size = max(1, batches.first?.count ?? 1)
    return batches.prefix((Self.judges + size - 1) / size)
  }

  /// The mean loss on some batches of the weights as they are, or of their running mean, whichever is greater.
  private mutating func lossLeft(on batches: ArraySlice<ArraySlice<Int>>) throws -> Double {
    var (last, mean, mass) = (0.0, 0.0, 0.0)
    for samples in batches {
      let batch = try source.batch(samples)
      last += Double(batch.loss.value(at: descent.network.output(batch.x)))
      mean += Double(batch.loss.value(at: descent.average.output(batch.x)))
      mass += batch.mass
    }
    return max(last.isNaN ? .infinity : last, mean.isNaN ? .infinity : mean)
      / max(mass, .leastNormalMagnitude)
  }
}
