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
    (batched.λ, batched.proximityGrowth) = (3, 1.5)
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
    loss kind: LossKind
  ) throws -> Outcome {
    try check(network, x, targets)
    let run = Run(x: x, targets: targets, weights: weights, kind: kind, start: ContinuousClock().now)
    guard let batchSize = settings.batchSize, form == .fenchel else { return try sweep(network, run) }
    return try descend(network, run, batchSize: batchSize)
  }

  private struct Run {
    let x, targets: Matrix<Element>
    let weights: [Element]
    let kind: LossKind
    let start: ContinuousClock.Instant
    var seconds: Double { start.duration(to: ContinuousClock().now).seconds }
  }

  private func check(
    _ network: FeedForward<Element>, _ x: Matrix<Element>, _ targets: Matrix<Element>
  ) throws {
    try LiftedProgram.check(network, inputs: x.columns, outputs: targets.columns)
    let numbers = [
      ("λ", settings.λ), ("λ", settings.batched.λ), ("γ", settings.batched.proximity),
      ("γ of the last layer", settings.batched.lastProximity), ("relaxation", settings.batched.relaxation),
    ]
    for (name, value) in numbers where !(value.isFinite && value > 0) {
      throw LiftedError.parameter(name, value, allowed: "a finite number greater than 0")
    }
    guard (0..<1).contains(settings.batched.momentum) else {
      throw LiftedError.parameter(
        "momentum", settings.batched.momentum, allowed: "a number from 0 to below 1")
    }
    guard settings.batched.proximityGrowth.isFinite, settings.batched.proximityGrowth >= 0 else {
      throw LiftedError.parameter(
        "growth of γ", settings.batched.proximityGrowth, allowed: "a finite number of at least 0")
    }
    guard settings.inputShare > 0, settings.inputShare <= 1 else {
      throw LiftedError.parameter("input share", settings.inputShare, allowed: "a number above 0, at most 1")
    }
    guard settings.sketch ?? 1 > 0 else {
      throw LiftedError.parameter(
        "rows of a sketch", Double(settings.sketch ?? 0), allowed: "a whole number above 0")
    }
    for (name, count) in [("steps of a block", settings.blockSteps), ("K", settings.batched.alternations)]
    where count < 1 {
      throw LiftedError.parameter(name, Double(count), allowed: "a whole number above 0")
    }
    guard settings.batchSize ?? 1 > 0 else {
      throw LiftedError.parameter(
        "batch size", Double(settings.batchSize ?? 0), allowed: "a whole number above 0")
    }
  }

  /// Why training must end now, if it must.
  private func interruption(_ run: Run) -> Status? {
    if limits.cancellation?.isRequested == true { return .cancelled }
    if let seconds = limits.seconds, run.seconds >= seconds { return .stoppedAtLimit(.time) }
    return nil
  }

  private func report(_ epoch: Epoch, _ network: FeedForward<Element>, phase: String) {
    observer?(epoch, network)
    progress?(Progress(phase: phase, iteration: epoch.number, seconds: epoch.seconds))
  }
}

// MARK: Whole data

extension LiftedTraining {
  private func sweep(_ network: FeedForward<Element>, _ run: Run) throws -> Outcome {
    let layers = network.activations.count
    let axes = try settings.inputShare < 1 ? InputAxes(network, run.x, share: settings.inputShare) : nil
    let program = try LiftedProgram(
      x: axes?.x ?? run.x, loss: run.kind.makeLoss(targets: run.targets, weights: run.weights),
      kind: run.kind,
      activations: network.activations, form: form,
      λ: [Element](repeating: Element(settings.λ), count: layers),
      ρ: [Element](repeating: Element(settings.ρ), count: layers) + [Element(settings.lastρ ?? settings.ρ)])
    var accelerated = AcceleratedDescent(
      try BlockCoordinateDescent(
        program, from: axes?.network ?? network, tolerance: 1e-3, maximumSteps: settings.blockSteps,
        sketch: settings.sketch,
        seed: settings.seed), memory: settings.acceleration)
    var descent: BlockCoordinateDescent<Element> { accelerated.descent }
    /// The network on the inputs as they were.
    func original() -> FeedForward<Element> {
      let network = descent.point.network
      return axes?.leaving(network) ?? network
    }
    var outcome = Outcome(network: network, status: .completed, history: [])
    for number in 1...max(settings.epochs, 1) where settings.epochs > 0 {
      if let status = interruption(run) {
        outcome.status = status
        break
      }
      try accelerated.sweep()
      let epoch = Epoch(number: number, loss: descent.objective.total, seconds: run.seconds)
      outcome.history.append(epoch)
      report(epoch, original(), phase: "sweeps")
    }
    outcome.network = original()
    outcome.objective = descent.objective
    return outcome
  }
}

// MARK: Batches

extension LiftedTraining {
  private func descend(_ network: FeedForward<Element>, _ run: Run, batchSize: Int) throws -> Outcome {
    let axes = try InputAxes(network, run.x, share: settings.inputShare)
    var descent = try BatchDescent(axes.network, settings: settings.batched, moments: axes.basis.moments)
    let order = Minibatches(samples: run.x.rows, batchSize: batchSize, seed: settings.seed)
    let loss = try run.kind.makeLoss(targets: run.targets, weights: run.weights)
    guard loss.smoothness.isFinite else { throw LiftedError.lossNotSmooth(run.kind) }
    let pass = BatchPass(x: axes.x, loss: loss)
    var outcome = Outcome(network: network, status: .completed, history: [])
    var last = (descent: descent, loss: Double.infinity)
    while outcome.history.count < settings.epochs {
      let number = outcome.history.count + 1
      descent.proximityFactor = Element(Double.pow(Double(number), settings.batched.proximityGrowth))
      let loss = pass.run(&descent, order.epoch(number - 1)) { interruption(run) }
      if let status = interruption(run) {
        outcome.status = status
        break
      }
      guard loss <= 2 * last.loss else {  // or not a number: from the last epoch's end with shorter steps
        descent = last.descent
        descent.slowDown()
        last.descent = descent
        if !descent.hasStopped { continue }
        outcome.status = .numericalFailure
        break
      }
      last = (descent, loss)
      let epoch = Epoch(number: number, loss: loss, seconds: run.seconds)
      outcome.history.append(epoch)
      report(epoch, axes.leaving(descent.network), phase: "epochs")
    }
    outcome.network = axes.leaving(descent.network)
    return outcome
  }
}

/// A network and its inputs in the axes of the inputs' second moment.
private struct InputAxes<Element: Scalar> {
  let basis: InputBasis<Element>
  let x: Matrix<Element>
  let network: FeedForward<Element>

  init(_ network: FeedForward<Element>, _ x: Matrix<Element>, share: Double) throws {
    basis = try InputBasis(x, share: share)
    self.x = basis.rotated(x)
    var turned = network
    turned.weights[0] = basis.entering(network.weights[0], hasBias: network.hasBias)
    self.network = turned
  }

  /// A network on these axes as one on the inputs as they were; along directions that were left out it is constant.
  func leaving(_ network: FeedForward<Element>) -> FeedForward<Element> {
    var result = network
    result.weights[0] = basis.leaving(network.weights[0], hasBias: network.hasBias)
    return result
  }
}

/// One epoch of the batched method.
private struct BatchPass<Element: Scalar> {
  let x: Matrix<Element>
  let loss: any Loss<Element>

  /// Visits the batches, until one gives a loss that is not finite or an interruption asks to end. Returns the mean
  /// loss of the batches as each was met.
  func run(
    _ descent: inout BatchDescent<Element>, _ batches: [ArraySlice<Int>], isInterrupted: () -> Status?
  ) -> Double {
    var (sum, weight) = (0.0, 0.0)
    var batch = Matrix<Element>(batches.first?.count ?? 0, x.columns)
    for rows in batches where isInterrupted() == nil {
      if batch.rows != rows.count { batch = Matrix(rows.count, x.columns) }
      batch.setRows(from: x, rows)
      let part = loss.restricted(toSamples: rows)
      let value = descent.step(batch, part)
      guard value.isFinite else { return .nan }
      sum += Double(value)
      weight += Double(part.weights.reduce(0, +))
    }
    return sum / max(weight, .leastNormalMagnitude)
  }
}
