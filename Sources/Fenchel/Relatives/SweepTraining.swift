import ConvexOptimization
import LinearAlgebra

/// A method that visits the variables of all layers and samples in sweeps.
package protocol SweepMethod<Element>: Resumable {
  associatedtype Element: Scalar
  /// The network of the weights as they are.
  var network: FeedForward<Element> { get }
  /// The value of the method's own model at its point.
  var objective: Double { get }
  /// Visits every block once.
  ///
  /// - Throws: `FactorisationError` where a block has no solution in this precision.
  mutating func sweep() throws
}

/// The samples that sweeps go over.
package struct SweepData<Element: Scalar> {
  /// X: n × d.
  package let x: Matrix<Element>
  package let loss: any Loss<Element>
  package let kind: LossKind

  /// - Throws: `RelativeError.shape` where the samples do not fit a network; `LossError` for targets that the loss does not
  ///   take.
  package init(
    _ samples: OrdinaryTraining.Samples<Element>, kind: LossKind, for network: FeedForward<Element>,
    parameters: LossParameters = LossParameters()
  ) throws {
    let (widths, n) = (network.widths, samples.x.rows)
    guard widths[0] == samples.x.columns, widths[widths.count - 1] == samples.targets.columns else {
      throw RelativeError.shape(
        "a network of \(widths[0]) inputs and \(widths[widths.count - 1]) outputs for data of "
          + "\(samples.x.columns) and \(samples.targets.columns)")
    }
    guard n > 0, samples.targets.rows == n, samples.weights.count == n else {
      throw RelativeError.shape(
        "\(n) rows of features, \(samples.targets.rows) of targets and \(samples.weights.count) sample weights; "
          + "give as many of each, at least one")
    }
    guard samples.x.firstNonFinite == nil, network.isFinite else {
      throw RelativeError.shape("a feature or a weight to start from is not a finite number")
    }
    x = samples.x
    loss = try kind.makeLoss(
      targets: samples.targets, weights: samples.weights.allSatisfy { $0 == 1 } ? nil : samples.weights,
      parameters: parameters)
    self.kind = kind
  }
}

/// Runs sweeps within limits, and keeps the last network whose numbers are all finite.
package struct SweepTraining<Element: Scalar> {
  package var epochs: Int
  package var limits = Limits()
  package var progress: ProgressHandler?
  /// Called after every sweep with the network so far.
  package var observer: ((Epoch, FeedForward<Element>) -> Void)?
  package var checkpoints: CheckpointKeeper?

  package init(epochs: Int) { self.epochs = epochs }

  package struct Outcome {
    package var network: FeedForward<Element>
    /// `completed`, `cancelled`, `stoppedAtLimit(.time)`; `numericalFailure` where a sweep gave numbers that are not
    /// finite or a factorisation failed: the network is that before the sweep.
    package var status: Status
    package var history: [Epoch]
  }

  /// - Throws: `CheckpointError` where a checkpoint to go on from does not fit.
  package func run(
    _ method: some SweepMethod<Element>, since begin: ContinuousClock.Instant
  ) throws -> Outcome {
    var method = method
    var record = RunRecord(after: checkpoints?.earlierSeconds ?? 0, since: begin)
    func transfer(_ state: inout StateTransfer) throws {
      try state.carry("run", &record)
      try state.carry("method", &method)
    }
    try checkpoints?.restore(transfer)
    var (network, status) = (method.network, Status.completed)
    while record.history.count < epochs {
      if let reason = limits.interruption(after: record.secondsHere) {
        status = reason
        break
      }
      do { try method.sweep() } catch {
        status = .numericalFailure
        break
      }
      let (next, value) = (method.network, method.objective)
      guard value.isFinite, next.weights.allSatisfy({ $0.firstNonFinite == nil }) else {
        status = .numericalFailure
        break
      }
      network = next
      let epoch = record.append(loss: value)
      observer?(epoch, network)
      progress?(Progress(phase: "sweeps", iteration: epoch.number, seconds: epoch.seconds))
      try checkpoints?.offer(transfer)
    }
    if status != .numericalFailure { try checkpoints?.offer(isOver: true, transfer) }
    return Outcome(network: network, status: status, history: record.history)
  }
}
