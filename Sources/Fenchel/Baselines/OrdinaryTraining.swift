import ConvexOptimization
import LinearAlgebra

/// Ordinary training of a feed-forward network, the baseline of everything convex: batch by batch along the gradient of
///
///     Σ_k s_k ℓ_k(f_W(x_k)) / Σ_k s_k + (η/2) Σ_l ‖W_l‖²
///
/// over the samples k of a batch, with a first-order rule or a second-order method. What comes out depends on where it
/// starts; nothing is proven of it. An epoch meets every sample once; for `l-bfgs` it is one iteration on all samples.
/// Rules and batches follow PyTorch, so that runs from the same weights in the same order agree.
public struct OrdinaryTraining: Sendable {
  public var optimizer: Optimizer
  /// At least 0.
  public var epochs: Int
  /// Samples in a batch, cut to as many as there are; `l-bfgs` takes all.
  public var batchSize: Int
  /// Nil for `Optimizer.defaultLearningRate`. `l-bfgs` searches along the line instead.
  public var learningRate: Double?
  /// η, for biases too.
  public var weightDecay: Double
  public var schedule: LearningRateSchedule
  /// Decides the order of the samples, and which are held out.
  public var seed: UInt64
  /// Seconds after which the training ends with the batch, or nil for no limit.
  public var seconds: Double?
  public var cancellation: Cancellation?
  public var earlyStopping: EarlyStopping?
  /// δ and τ of the losses that have them.
  public var lossParameters: LossParameters

  public init(
    optimizer: Optimizer = .adam, epochs: Int = 100, batchSize: Int = 128, learningRate: Double? = nil,
    weightDecay: Double = 0, schedule: LearningRateSchedule = .constant, seed: UInt64 = 0,
    seconds: Double? = nil, cancellation: Cancellation? = nil, earlyStopping: EarlyStopping? = nil,
    lossParameters: LossParameters = LossParameters()
  ) {
    self.optimizer = optimizer
    self.epochs = epochs
    self.batchSize = batchSize
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.schedule = schedule
    self.seed = seed
    self.seconds = seconds
    self.cancellation = cancellation
    self.earlyStopping = earlyStopping
    self.lossParameters = lossParameters
  }

  /// Inputs X: n × d_0 with targets Y: n × c and sample weights s: n.
  public struct Samples<Element: Scalar>: Sendable {
    public var x: Matrix<Element>
    public var targets: Matrix<Element>
    public var weights: [Element]

    /// Weights of 1 where none are given.
    public init(x: Matrix<Element>, targets: Matrix<Element>, weights: [Element]? = nil) {
      self.x = x
      self.targets = targets
      self.weights = weights ?? [Element](repeating: 1, count: targets.rows)
    }

    func selecting(_ rows: ArraySlice<Int>) -> Samples {
      var chosen = Matrix<Element>(rows.count, x.columns)
      chosen.setRows(from: x, rows)
      return Samples(x: chosen, targets: targets.selectingRows(rows), weights: rows.map { weights[$0] })
    }
  }

  /// The network at the end, and how the run went.
  public struct Outcome<Element: Scalar>: Sendable {
    /// The last one, or with early stopping that of the best epoch.
    public var network: FeedForward<Element>
    /// `completed` after all epochs, or where early stopping ended them; `stoppedAtLimit(.time)`; `stalled` where no
    /// step lowers the objective on all samples; `numericalFailure` where a loss or a step is not finite: the weights
    /// are those before; `cancelled`. `solved` only by `l-bfgs`, at a stationary point.
    public var status: Status
    public var history: [Epoch]
    /// The epoch that `network` is of, 0 for the start.
    public var epoch: Int
    public var seconds: Double
  }

  /// Trains from the weights given. The learning rate of an epoch is that of the settings times the schedule's factor.
  ///
  /// Cost of an epoch of a first-order method: 6n times the number of weights. The same bits for any number of threads.
  ///
  /// - Parameters:
  ///   - validation: what early stopping looks at; a share of the samples is held out where none is given.
  ///   - progress: called after every epoch, with the network so far.
  /// - Throws: `OrdinaryTrainingError` for settings out of range and shapes that do not fit, `BackpropagationError`
  ///   for an activation without derivative, `LossError` for targets or weights that the loss does not take.
  public func run<Element: Scalar>(
    from start: FeedForward<Element>, _ samples: Samples<Element>, loss: LossKind,
    validation: Samples<Element>? = nil, progress: ((Epoch, FeedForward<Element>) -> Void)? = nil
  ) throws -> Outcome<Element> {
    try check(start, samples)
    if let validation { try check(start, validation) }
    let (training, held) = split(samples, validation)
    if training.weights.allSatisfy({ $0 == 0 }) { throw OrdinaryTrainingError.noWeight }
    return try run(
      nil, from: start, memory(training, loss), validation: held.map { try memory($0, loss) },
      progress: progress)
  }

  /// The same over samples of any source, with a method of its own in place of the optimizer's where one is given, and
  /// with checkpoints. The source holds finite features only; `l-bfgs` asks it for all samples at once.
  ///
  /// - Throws: also `CheckpointError` where the checkpoint to go on from does not fit, and what the source throws.
  package func run<Element: Scalar>(
    _ method: (any BatchMethod<Element>)? = nil, from start: FeedForward<Element>,
    _ source: any SampleSource<Element>, validation: MemorySamples<Element>? = nil,
    checkpoints: CheckpointKeeper? = nil, progress: ((Epoch, FeedForward<Element>) -> Void)? = nil
  ) throws -> Outcome<Element> {
    try check(start, source)
    Parallel.forEach(tiles: 1) { _ in }  // one BLAS thread from here on: the same bits for any number
    var run = try Run(self, start, source, validation, checkpoints, progress)
    if let method {
      try run.train(method)
    } else if optimizer == .lbfgs {
      try run.minimise()
    } else {
      try run.train(try batchMethod(for: start))
    }
    return run.outcome
  }

  /// Samples in memory with their loss.
  package func memory<Element: Scalar>(
    _ samples: Samples<Element>, _ kind: LossKind
  ) throws -> MemorySamples<Element> {
    MemorySamples(
      x: samples.x,
      loss: try kind.makeLoss(
        targets: samples.targets, weights: samples.weights.allSatisfy { $0 == 1 } ? nil : samples.weights,
        parameters: lossParameters))
  }

  /// The same for samples in three parts.
  public func run<Element: Scalar>(
    from start: FeedForward<Element>, x: Matrix<Element>, targets: Matrix<Element>, weights: [Element]? = nil,
    loss: LossKind, progress: ((Epoch, FeedForward<Element>) -> Void)? = nil
  ) throws -> Outcome<Element> {
    try run(
      from: start, Samples(x: x, targets: targets, weights: weights), loss: loss, progress: progress)
  }

  /// The learning rate before the schedule.
  var baseRate: Double { learningRate ?? optimizer.defaultLearningRate }

  private func batchMethod<Element: Scalar>(
    for network: FeedForward<Element>
  ) throws -> any BatchMethod<Element> {
    if let rule = optimizer.rule(Element.self) {
      return try FirstOrderMethod(rule, for: network, decay: weightDecay)
    }
    return optimizer == .kfac
      ? try KFAC(for: network, decay: weightDecay, seed: seed)
      : try GaussNewton(for: network, decay: weightDecay)
  }

  /// Streams of the seed that hold samples out; batches take those after 1 << 32.
  private static var holdOutStream: UInt64 { 1 << 31 }

  /// The samples to train on, and those that early stopping looks at.
  func split<Element: Scalar>(
    _ samples: Samples<Element>, _ validation: Samples<Element>? = nil
  ) -> (training: Samples<Element>, held: Samples<Element>?) {
    guard let earlyStopping, validation == nil else { return (samples, validation) }
    let n = samples.x.rows
    let order = Philox(seed: seed, stream: Self.holdOutStream).permutation(of: n)
    let count = min(max(1, Int((earlyStopping.fraction * Double(n)).rounded())), n - 1)
    return (samples.selecting(order[count...]), samples.selecting(order[..<count]))
  }
}
