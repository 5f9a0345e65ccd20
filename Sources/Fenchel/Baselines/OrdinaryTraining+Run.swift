import ConvexOptimization
import LinearAlgebra

extension OrdinaryTraining {
  /// A run as it goes: the network, the samples with their losses, and what was seen so far.
  struct Run<Element: Scalar> {
    private let settings: OrdinaryTraining
    private let x: Matrix<Element>
    /// Over all samples that are trained on.
    private let loss: any Loss<Element>
    private let mass: Double
    private let validation: (x: Matrix<Element>, loss: any Loss<Element>, mass: Double)?
    private let progress: ((Epoch, FeedForward<Element>) -> Void)?
    private let clock = ContinuousClock()
    private let begin: ContinuousClock.Instant
    private var backpropagation: Backpropagation<Element>
    private var stopping: EarlyStopping.Record<Element>?
    private var network: FeedForward<Element>
    private var status = Status.completed
    private var history: [Epoch] = []

    init(
      _ settings: OrdinaryTraining, _ start: FeedForward<Element>, _ samples: Samples<Element>,
      _ validation: Samples<Element>?, _ kind: LossKind, _ progress: ((Epoch, FeedForward<Element>) -> Void)?
    ) throws {
      func makeLoss(_ samples: Samples<Element>) throws -> any Loss<Element> {
        try kind.makeLoss(
          targets: samples.targets, weights: samples.weights.allSatisfy { $0 == 1 } ? nil : samples.weights,
          parameters: settings.lossParameters)
      }
      self.settings = settings
      x = samples.x
      loss = try makeLoss(samples)
      mass = total(samples.weights)
      self.validation = try validation.map { ($0.x, try makeLoss($0), total($0.weights)) }
      self.progress = progress
      begin = clock.now
      backpropagation = try Backpropagation(start.activations)
      stopping = settings.earlyStopping.map { EarlyStopping.Record($0) }
      network = start
    }

    var outcome: Outcome<Element> {
      let best = stopping?.best
      return Outcome(
        network: best?.network ?? network, status: status, history: history,
        epoch: best?.epoch ?? history.last?.number ?? 0, seconds: seconds)
    }

    private var seconds: Double { begin.duration(to: clock.now).seconds }

    /// Why the run should end now, nil where it should go on.
    private var interruption: Status? {
      if settings.cancellation?.isRequested == true { return .cancelled }
      if let limit = settings.seconds, seconds >= limit { return .stoppedAtLimit(.time) }
      return nil
    }

    /// Notes an epoch; returns false where early stopping ends the run.
    private mutating func note(_ epoch: Int, loss: Double) -> Bool {
      var held: Double?
      if let validation {
        backpropagation.forward(network, validation.x)
        held =
          Double(validation.loss.value(at: backpropagation.output))
          / max(validation.mass, .leastNormalMagnitude)
      }
      let record = Epoch(number: epoch, loss: loss, validationLoss: held, seconds: seconds)
      history.append(record)
      progress?(record, network)
      guard let held, stopping?.note(epoch, held, network) == true else { return true }
      status = .stalled
      return false
    }

    /// Epoch after epoch, batch after batch.
    mutating func train(_ method: any BatchMethod<Element>) {
      var method = method
      let order = Minibatches(samples: x.rows, batchSize: settings.batchSize, seed: settings.seed)
      var gathered = Matrix<Element>(0, x.columns)
      for epoch in 0..<settings.epochs {
        let rate = settings.baseRate * settings.schedule.factor(epoch: epoch, of: settings.epochs)
        var sum = 0.0
        for samples in order.epoch(epoch) {
          if let interruption {
            status = interruption
            return
          }
          guard let batch = batch(samples, isWhole: order.count == 1, into: &gathered) else { continue }
          let step = method.step(&network, on: batch, learningRate: rate)
          sum += step.loss
          guard step.outcome == .advanced || (step.outcome == .stalled && order.count > 1) else {
            status = step.outcome == .failed ? .numericalFailure : .stalled
            return
          }
        }
        guard note(epoch + 1, loss: sum / mass) else { return }
      }
    }

    /// The samples as a batch; nil where their weights are all 0.
    private func batch(
      _ samples: ArraySlice<Int>, isWhole: Bool, into gathered: inout Matrix<Element>
    ) -> Batch<Element>? {
      guard !isWhole else { return Batch(x: x, loss: loss, mass: mass) }
      let part = loss.restricted(toSamples: samples)
      let mass = total(part.weights)
      guard mass > 0 else { return nil }
      if gathered.rows != samples.count { gathered = Matrix(samples.count, x.columns) }
      gathered.setRows(from: x, samples)
      return Batch(x: gathered, loss: part, mass: mass)
    }

    /// L-BFGS on all samples, in Double between evaluations.
    mutating func minimise() {
      let method = LBFGS(
        maximumIterations: settings.epochs, maximumEvaluations: .max, cancellation: settings.cancellation)
      let (scale, decay) = (Element(1 / mass), Element(settings.weightDecay))
      var (trial, gradient) = (network, network.zeros)
      var work = backpropagation
      var ending: Status?
      let result = method.minimise(from: network.doubles) { iterate in
        network.replace(by: iterate.point)
        let penalty = settings.weightDecay / 2 * Double(network.squaredNorm)
        if !note(iterate.iteration, loss: iterate.value - penalty) {
          ending = status
        } else {
          ending = interruption
        }
        return ending == nil
      } _: { point, slope in
        trial.replace(by: point)
        let value = work.gradient(of: trial, x, loss: loss, scale: scale, decay: decay, into: &gradient)
        slope = flattened(gradient).converted(to: Double.self).storage
        return Double(value)
      }
      status = ending ?? (result.status == .stoppedAtLimit(.iterations) ? .completed : result.status)
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

/// Σ s in Double.
@specialized(where Element == Double)
@specialized(where Element == Float)
private func total<Element: Scalar>(_ weights: [Element]) -> Double {
  weights.reduce(0.0) { $0 + Double($1) }
}
