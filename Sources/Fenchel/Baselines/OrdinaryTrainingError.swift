import ConvexOptimization
import LinearAlgebra

/// Why an ordinary training cannot begin. Rows, columns and layers count from 0 in the cases, from 1 in the
/// descriptions.
public enum OrdinaryTrainingError: Error, CustomStringConvertible, Sendable, Equatable {
  /// A setting lies outside its range.
  case setting(name: String, value: String, allowed: String)
  /// There must be as many targets and weights as rows of features.
  case samples(features: Int, targets: Int, weights: Int)
  /// There are too few samples to train on.
  case tooFew(samples: Int, needed: Int)
  /// The sample weights are all 0.
  case noWeight
  case inputs(data: Int, network: Int)
  case outputs(targets: Int, network: Int)
  /// A feature is NaN or infinite.
  case notFinite(row: Int, column: Int)
  /// A weight of the network to start from is NaN or infinite.
  case start(layer: Int)

  public var description: String {
    switch self {
    case .setting(let name, let value, let allowed): "\(name) \(value): give \(allowed)"
    case .samples(let features, let targets, let weights):
      "\(features) rows of features, \(targets) of targets and \(weights) sample weights; give as many of each"
    case .tooFew(let samples, let needed):
      "\(counted(samples, "sample")); training \(needed > 1 ? "with early stopping, which holds samples out, " : "")needs at least \(needed)"
    case .noWeight: "all sample weights are 0; give at least one above 0"
    case .inputs(let data, let network):
      "\(counted(data, "feature")) for a network of \(counted(network, "input")); give a network that fits"
    case .outputs(let targets, let network):
      "\(counted(targets, "column")) of targets for a network of \(counted(network, "output")); give a network that fits"
    case .notFinite(let row, let column):
      "features: row \(row + 1), column \(column + 1) is not a finite number; remove the row or impute it"
    case .start(let layer):
      "a weight of layer \(layer + 1) of the network to start from is not a finite number; draw it anew"
    }
  }
}

extension OrdinaryTraining {
  /// Throws unless settings, network and samples are in their ranges and fit each other.
  func check<Element: Scalar>(_ network: FeedForward<Element>, _ samples: Samples<Element>) throws {
    try checkSettings()
    let n = samples.x.rows
    guard samples.targets.rows == n, samples.weights.count == n else {
      throw OrdinaryTrainingError.samples(
        features: n, targets: samples.targets.rows, weights: samples.weights.count)
    }
    let needed = earlyStopping == nil ? 1 : 2
    guard n >= needed else { throw OrdinaryTrainingError.tooFew(samples: n, needed: needed) }
    try check(network, features: samples.x.columns, outputs: samples.targets.columns)
    if let index = samples.x.firstNonFinite {
      throw OrdinaryTrainingError.notFinite(row: index / samples.x.columns, column: index % samples.x.columns)
    }
    if samples.weights.allSatisfy({ $0 == 0 }) { throw OrdinaryTrainingError.noWeight }
  }

  /// The same of samples from elsewhere, which are finite.
  func check<Element: Scalar>(
    _ network: FeedForward<Element>, _ source: some SampleSource<Element>
  ) throws {
    try checkSettings()
    guard source.samples > 0 else { throw OrdinaryTrainingError.tooFew(samples: 0, needed: 1) }
    try check(network, features: source.features, outputs: source.outputs)
    if source.mass <= 0 { throw OrdinaryTrainingError.noWeight }
  }

  private func check<Element: Scalar>(
    _ network: FeedForward<Element>, features: Int, outputs: Int
  ) throws {
    guard features == network.widths[0] else {
      throw OrdinaryTrainingError.inputs(data: features, network: network.widths[0])
    }
    let own = network.outputs(ofLayer: network.weights.count - 1)
    guard outputs == own else { throw OrdinaryTrainingError.outputs(targets: outputs, network: own) }
    if let layer = network.weights.firstIndex(where: { $0.firstNonFinite != nil }) {
      throw OrdinaryTrainingError.start(layer: layer)
    }
  }

  private func checkSettings() throws {
    func check(_ name: String, _ value: some CustomStringConvertible, _ isRight: Bool, _ allowed: String)
      throws
    {
      guard !isRight else { return }
      throw OrdinaryTrainingError.setting(name: name, value: value.description, allowed: allowed)
    }
    let positive = "a finite number above 0"
    try check("learning rate", baseRate, baseRate > 0 && baseRate.isFinite, positive)
    try check("batch size", batchSize, batchSize >= 1, "at least 1")
    try check("epochs", epochs, epochs >= 0, "at least 0")
    try check(
      "weight decay", weightDecay, weightDecay >= 0 && weightDecay.isFinite, "a finite number of at least 0")
    if let seconds { try check("time limit", seconds, seconds >= 0, "a number of seconds of at least 0") }
    if case .step(let epochs, let factor) = schedule {
      try check("epochs of a step of the learning rate", epochs, epochs >= 1, "at least 1")
      try check("factor of the learning rate", factor, factor > 0 && factor.isFinite, positive)
    }
    guard let rule = earlyStopping else { return }
    try check("patience", rule.patience, rule.patience >= 1, "at least 1")
    try check(
      "least decrease", rule.minimumDecrease, rule.minimumDecrease >= 0 && rule.minimumDecrease.isFinite,
      "a finite number of at least 0")
    try check(
      "share of samples held out", rule.fraction, rule.fraction > 0 && rule.fraction < 1,
      "a number between 0 and 1")
  }
}
