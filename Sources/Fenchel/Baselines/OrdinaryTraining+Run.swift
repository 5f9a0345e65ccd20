import ConvexOptimization
import LinearAlgebra

extension OrdinaryTraining {
  /// A run as it goes: the network, the samples with their losses, and what was seen so far.
  struct Run<Element: Scalar> {
    private let settings: OrdinaryTraining
    private var source: any SampleSource<Element>
    private let validation: MemorySamples<Element>?
    private let progress: ((Epoch, FeedForward<Element>) -> Void)?
    private let checkpoints: CheckpointKeeper?
    private var backpropagation: Backpropagation<Element>
    private var stopping: EarlyStopping.Record<Element>?
    private var network: FeedForward<Element>
    private var status = Status.completed
    private var record: RunRecord
    private var position = EpochPosition()

    init(
      _ settings: OrdinaryTraining, _ start: FeedForward<Element>, _ source: any SampleSource<Element>,
      _ validation: MemorySamples<Element>?, _ checkpoints: CheckpointKeeper?,
      _ progress: ((Epoch, FeedForward<Element>) -> Void)?
    ) throws {
      (self.settings, self.source, self.validation) = (settings, source, validation)
      (self.checkpoints, self.progress) = (checkpoints, progress)
      record = RunRecord(after: checkpoints?.earlierSeconds ?? 0)
      backpropagation = try Backpropagation(start.activations)
      network = start
      let held = heldLoss
      stopping = settings.earlyStopping.map {
        EarlyStopping.Record($0, start: start, loss: held ?? .infinity)
      }
    }

    var outcome: Outcome<Element> {
      let best = stopping?.best
      return Outcome(
        network: best?.network ?? network, status: status, history: record.history,
        epoch: best?.epoch ?? record.history.count, seconds: record.seconds)
    }

    /// Why the run should end now, nil where it should go on.
    private var interruption: Status? {
      Limits(seconds: settings.seconds, cancellation: settings.cancellation)
        .interruption(after: record.secondsHere)
    }

    /// Notes an epoch; returns false where early stopping ends the run.
    private mutating func note(loss: Double) -> Bool {
      let held = heldLoss
      let epoch = record.append(loss: loss, validationLoss: held)
      progress?(epoch, network)
      guard let held, stopping?.note(epoch.number, held, network) == true else { return true }
      return false
    }

    /// The mean loss of the network on the samples held out.
    private var heldLoss: Double? {
      mutating get {
        guard let validation else { return nil }
        backpropagation.forward(network, validation.x)
        return Double(validation.loss.value(at: backpropagation.output))
          / max(validation.mass, .leastNormalMagnitude)
      }
    }

    /// All that the next step depends on.
    private mutating func transfer(
      _ state: inout StateTransfer, _ method: inout some Resumable
    ) throws {
      try state.carry("run", &record)
      try state.carry("position", &position)
      try state.carry("weights", &network.weights)
      try state.carry("method", &method)
      if stopping != nil {
        try state.within("stopping") { try stopping?.transfer(&$0) }
      }
    }

    /// Epoch after epoch, batch after batch.
    ///
    /// - Throws: `CheckpointError` where a checkpoint to go on from does not fit; `DataError` where samples cannot be read.
    mutating func train(_ method: some BatchMethod<Element>) throws {
      var method = method
      let order = Minibatches(samples: source.samples, batchSize: settings.batchSize, seed: settings.seed)
      try checkpoints?.restore { try transfer(&$0, &method) }
      while record.history.count < settings.epochs, stopping?.isOver != true {
        if try !visit(order.epoch(record.history.count), &method) { break }
        let isOn = note(loss: position.loss / source.mass)
        position = EpochPosition()
        guard isOn else { break }
        try checkpoints?.offer { try transfer(&$0, &method) }
      }
      guard status != .stalled, status != .numericalFailure else { return }
      try checkpoints?.offer(isOver: true) { try transfer(&$0, &method) }
    }

    /// The batches of an epoch that are left; returns false, with the status set, where the run ends among them.
    private mutating func visit(
      _ batches: [ArraySlice<Int>], _ method: inout some BatchMethod<Element>
    ) throws -> Bool {
      let number = record.history.count
      let rate = settings.baseRate * settings.schedule.factor(epoch: number, of: settings.epochs)
      source.begin(epoch: number)
      while position.batches < batches.count {
        if let interruption {
          status = interruption
          return false
        }
        let batch = try source.batch(batches[position.batches])
        if batch.mass > 0 {
          let step = method.step(&network, on: batch, learningRate: rate)
          guard step.outcome == .advanced || (step.outcome == .stalled && batches.count > 1) else {
            status = step.outcome == .failed ? .numericalFailure : .stalled
            return false
          }
          position.loss += step.loss
        }
        position.batches += 1
        try checkpoints?.offer { try transfer(&$0, &method) }
      }
      return true
    }

    /// L-BFGS on all samples, in Double between evaluations.
    mutating func minimise() throws {
      let method = LBFGS(
        maximumIterations: settings.epochs, maximumEvaluations: .max, cancellation: settings.cancellation)
      let all = try source.batch(ArraySlice(0..<source.samples))
      let (scale, decay) = (Element(1 / all.mass), Element(settings.weightDecay))
      var (trial, gradient) = (network, network.zeros)
      var work = backpropagation
      let objective = { (point: [Double], slope: inout [Double]) -> Double in
        trial.replace(by: point)
        let value = work.gradient(
          of: trial, all.x, loss: all.loss, scale: scale, decay: decay, into: &gradient)
        slope = flattened(gradient).converted(to: Double.self).storage
        return Double(value)
      }
      var state = LBFGS.State(at: network.doubles, memory: method.memory, objective)
      try checkpoints?.restore { try transfer(&$0, &state) }
      guard stopping?.isOver != true else { return }
      var (ending, failure) = (nil as Status?, nil as (any Error)?)
      let result = method.minimise(
        &state,
        shouldContinue: { state in
          network.replace(by: state.x)
          let penalty = settings.weightDecay / 2 * Double(network.squaredNorm)
          ending = note(loss: state.value - penalty) ? interruption : .completed
          do {
            try checkpoints?.offer { try transfer(&$0, &state) }
          } catch { (failure, ending) = (error, .numericalFailure) }
          return ending == nil
        }, objective)
      if let failure { throw failure }
      status = ending ?? (result.status == .stoppedAtLimit(.iterations) ? .completed : result.status)
      guard status != .stalled, status != .numericalFailure else { return }
      try checkpoints?.offer(isOver: true) { try transfer(&$0, &state) }
    }
  }
}

extension FeedForward {
  /// The weights of all layers in order.
  fileprivate var doubles: [Double] { flattened(weights).converted(to: Double.self).storage }

  /// Replaces the weights of all layers.
  fileprivate mutating func replace(by values: [Double]) {
    weights = parted(Matrix(column: values).converted(to: Element.self), like: weights)
  }
}
