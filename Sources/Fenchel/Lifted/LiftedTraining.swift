import ConvexOptimization
import LinearAlgebra
import RealModule

/// How a lifted model is trained.
public struct LiftedSettings: Codable, Sendable, Equatable {
  /// Passes over the data; sweeps over the blocks where all data are one batch.
  public var epochs = 10
  /// Samples of a batch, or nil for all of them at once: block-coordinate descent with exact blocks, which the squared
  /// distance always takes.
  public var batchSize: Int? = 500
  /// λ of every layer where all data are one batch.
  public var λ = 1.0
  /// ρ of every layer where all data are one batch.
  public var ρ = 1e-3
  /// ρ of the last layer, where it is another.
  public var lastρ: Double?
  /// Steps that a block may take where all data are one batch.
  public var blockSteps = 10
  /// Sweeps that are combined to begin the next one, where all data are one batch; below 2 none.
  public var acceleration = 10
  /// Rows of the sketch of a layer's inputs, for each input, that ridge problems of whole data are solved with; nil for none.
  public var sketch: Int?
  /// The numbers of the batched method.
  public var batched = BatchDescentSettings()
  /// The share of the inputs' second moment that is kept, from the largest directions down; 1 keeps all.
  public var inputShare = 1.0
  public var seed: UInt64 = 0

  public init() {}

  /// The settings for a network of so many hidden layers. Deeper ones take smaller batches, and outputs nearer to what the
  /// layers below make: chosen on MNIST images held out, for 784-500-200-100-50-10.
  public init(hiddenLayers: Int) {
    guard hiddenLayers > 1 else { return }
    batchSize = Self.batchSize(hiddenLayers: hiddenLayers)
    (batched.λ, batched.proximity, batched.proximityGrowth) = (3, 0.1, 1.5)
  }

  /// The settings for a network of these layers. With convolutions λ was chosen on MNIST images held out, the others are a
  /// prototype's; a larger η ends higher after few epochs, and wavers more in the first of many.
  public init(plan: LayerPlan) {
    self.init(hiddenLayers: plan.hiddenLayers)
    guard plan.hasConvolutions else { return }
    batchSize = Self.batchSize(plan: plan)
    (batched.λ, batched.momentum, batched.stepShare) = (10, 0.5, 0.02)
    batched.averagedSteps = 1
  }

  /// Samples of a batch for a network of these layers.
  public static func batchSize(plan: LayerPlan) -> Int {
    plan.hasConvolutions ? 500 : batchSize(hiddenLayers: plan.hiddenLayers)
  }

  /// The share of the second moment of images that is kept for a network of so many hidden layers: small directions are
  /// noise to them, the more so the deeper. Chosen on MNIST images held out.
  public static func imageShare(hiddenLayers: Int) -> Double { hiddenLayers > 1 ? 0.9 : 0.95 }

  /// Samples of a batch for a network of so many hidden layers.
  public static func batchSize(hiddenLayers: Int) -> Int { hiddenLayers > 1 ? 250 : 500 }
}

/// Trains networks as lifted models: batched, or block by block on the whole data.
public struct LiftedTraining<Element: Scalar> {
  public let form: LiftedForm
  public let settings: LiftedSettings
  public var limits = Limits()
  public var progress: ProgressHandler?
  /// Called after every epoch with the network so far.
  public var observer: ((Epoch, FeedForward<Element>) -> Void)?
  /// Changes of the samples of batches, for networks that begin with a convolution.
  package var changes: ((any SampleSource<Element>) throws -> any SampleSource<Element>)?
  /// Where the state is kept as training goes.
  package var checkpoints: CheckpointKeeper?

  public init(_ form: LiftedForm, settings: LiftedSettings) {
    self.form = form
    self.settings = settings
  }

  /// A trained network, with how its training went.
  public struct Outcome: Sendable {
    public var network: FeedForward<Element>
    public var status: Status
    public var history: [Epoch]
    /// The model's value at the end of block-coordinate descent on whole data.
    public var objective: LiftedObjective?
  }

  /// Trains from a network on X: n × d and targets Y: n × c.
  ///
  /// - Throws: `LiftedError` for settings that fit no model; `LossError` for targets outside of the loss's domain.
  public func run(
    from network: FeedForward<Element>, x: Matrix<Element>, targets: Matrix<Element>, weights: [Element],
    loss kind: LossKind, parameters: LossParameters = LossParameters()
  ) throws -> Outcome {
    try check(network, inputs: x.columns, outputs: targets.columns)
    let record = RunRecord(after: checkpoints?.earlierSeconds ?? 0)
    let loss = try kind.makeLoss(targets: targets, weights: weights, parameters: parameters)
    guard let batchSize = settings.batchSize, form == .fenchel else {
      return try sweep(network, x, loss, kind, record)
    }
    guard loss.smoothness.isFinite else { throw LiftedError.lossNotSmooth(kind) }
    guard network.maps[0] == .dense else {
      let samples = MemorySamples(x: x, loss: loss)
      return try descend(network, changes?(samples) ?? samples, nil, record, batchSize: batchSize)
    }
    let basis = try InputBasis(x, share: settings.inputShare)
    let turned = MemorySamples(x: basis.rotated(x), loss: loss)
    return try descend(network, turned, basis, record, batchSize: batchSize)
  }

  /// Trains batch by batch on samples in a file, which come in the axes of their second moment from a second one.
  ///
  /// - Throws: `LiftedError`, `FileWriteError`, `DataError`, `StreamError.interrupted`.
  func run(from network: FeedForward<Element>, _ source: StreamedSamples<Element>) throws -> Outcome {
    try check(network, inputs: source.features, outputs: source.outputs)
    guard let batchSize = settings.batchSize, form == .fenchel else {
      throw StreamError.method("all data in one batch do not come from a stream")
    }
    let record = RunRecord(after: checkpoints?.earlierSeconds ?? 0)
    guard network.maps[0] == .dense else {
      guard try source.batch([0]).loss.smoothness.isFinite else {
        throw LiftedError.lossNotSmooth(source.problem.frame.kind)
      }
      return try descend(network, changes?(source) ?? source, nil, record, batchSize: batchSize)
    }
    let basis = try InputBasis<Element>(
      samples: source.samples, features: source.features, share: settings.inputShare
    ) { try source.batch($0).x }
    let turned = try TurnedSamples(source, basis) {
      limits.interruption(after: record.secondsHere) == .cancelled
    }
    guard try turned.batch([0]).loss.smoothness.isFinite else {
      throw LiftedError.lossNotSmooth(source.problem.frame.kind)
    }
    return try descend(network, turned, basis, record, batchSize: batchSize)
  }

  /// - Throws: `LiftedError` where the settings fit no model, or the network not the data.
  func check(_ network: FeedForward<Element>, inputs: Int, outputs: Int) throws {
    try LiftedProgram.check(network, inputs: inputs, outputs: outputs)
    let numbers = [
      ("λ", settings.λ), ("λ", settings.batched.λ), ("γ", settings.batched.proximity),
      ("γ of the last layer", settings.batched.lastProximity), ("relaxation", settings.batched.relaxation),
      ("share", settings.batched.stepShare ?? 1), ("damping", settings.batched.damping),
      ("pull", settings.batched.imagePull),
    ]
    for (name, value) in numbers where !(value.isFinite && value > 0) {
      throw LiftedError.parameter(name, value, allowed: "a finite number greater than 0")
    }
    guard (0..<1).contains(settings.batched.momentum) else {
      throw LiftedError.parameter(
        "momentum", settings.batched.momentum, allowed: "a number from 0 to below 1")
    }
    for (name, value) in [
      ("growth of γ", settings.batched.proximityGrowth), ("ridge", settings.batched.ridge),
    ]
    where !(value.isFinite && value >= 0) {
      throw LiftedError.parameter(name, value, allowed: "a finite number of at least 0")
    }
    guard settings.inputShare > 0, settings.inputShare <= 1 else {
      throw LiftedError.parameter("input share", settings.inputShare, allowed: "a number above 0, at most 1")
    }
    guard settings.sketch ?? 1 > 0 else {
      throw LiftedError.parameter(
        "rows of a sketch", Double(settings.sketch ?? 0), allowed: "a whole number above 0")
    }
    let counts = [
      ("steps of a block", settings.blockSteps), ("K", settings.batched.alternations),
      ("averaged steps", settings.batched.averagedSteps), ("batch size", settings.batchSize ?? 1),
    ]
    for (name, count) in counts where count < 1 {
      throw LiftedError.parameter(name, Double(count), allowed: "a whole number above 0")
    }
  }

  func report(_ epoch: Epoch, _ network: FeedForward<Element>, phase: String) {
    observer?(epoch, network)
    progress?(Progress(phase: phase, iteration: epoch.number, seconds: epoch.seconds))
  }
}

// MARK: Whole data

extension LiftedTraining {
  private func sweep(
    _ network: FeedForward<Element>, _ x: Matrix<Element>, _ loss: any Loss<Element>, _ kind: LossKind,
    _ record: RunRecord
  ) throws -> Outcome {
    var record = record
    let layers = network.activations.count
    let axes =
      try settings.inputShare < 1 && network.maps[0] == .dense
      ? InputAxes(network, x, share: settings.inputShare) : nil
    let program = try LiftedProgram(
      x: axes?.x ?? x, loss: loss, kind: kind, activations: network.activations, form: form,
      λ: [Element](repeating: Element(settings.λ), count: layers),
      ρ: settings.ridges(layers: layers))
    var accelerated = AcceleratedDescent(
      try BlockCoordinateDescent(
        program, from: axes?.network ?? network, tolerance: 1e-3, maximumSteps: settings.blockSteps,
        sketch: settings.sketch, seed: settings.seed), memory: settings.acceleration)
    /// The network on the inputs as they were.
    func original() -> FeedForward<Element> {
      let network = accelerated.descent.point.network
      return axes?.leaving(network) ?? network
    }
    func transfer(_ state: inout StateTransfer) throws {
      try state.carry("run", &record)
      try state.carry("descent", &accelerated)
    }
    try checkpoints?.restore(transfer)
    var status = Status.completed
    while record.history.count < settings.epochs {
      if let reason = limits.interruption(after: record.secondsHere) {
        status = reason
        break
      }
      do {
        try accelerated.sweep()
      } catch is FactorisationError {
        status = .numericalFailure  // in this precision; the sweeps before stand
        break
      }
      report(record.append(loss: accelerated.descent.objective.total), original(), phase: "sweeps")
      try checkpoints?.offer(transfer)
    }
    try checkpoints?.offer(isOver: true, transfer)
    return Outcome(
      network: original(), status: status, history: record.history,
      objective: accelerated.descent.objective)
  }
}

/// A network and its inputs in the axes of the inputs' second moment.
struct InputAxes<Element: Scalar> {
  let basis: InputBasis<Element>
  let x: Matrix<Element>
  let network: FeedForward<Element>

  init(_ network: FeedForward<Element>, _ x: Matrix<Element>, share: Double) throws {
    basis = try InputBasis(x, share: share)
    self.x = basis.rotated(x)
    self.network = basis.entering(network)
  }

  /// A network on these axes as one on the inputs as they were; along directions that were left out it is constant.
  func leaving(_ network: FeedForward<Element>) -> FeedForward<Element> { basis.leaving(network) }
}
