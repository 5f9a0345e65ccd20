import ConvexOptimization
import LinearAlgebra

/// A training problem apart from its samples: the loss, how features and targets are scaled, and what the data are.
struct ProblemFrame: Sendable {
  let kind: LossKind
  let parameters: LossParameters
  let hasBias: Bool
  let features: Standardisation
  let targets: Standardisation
  let schema: Schema
  /// SHA-256 of the data as read.
  let sha256: String
  /// n.
  let rows: Int

  /// d, without the constant of the bias.
  var columns: Int { features.columns }
  /// c.
  var outputs: Int { targets.columns }
  /// Whether a row is an image.
  var isImage: Bool { schema.imageShape != nil }
  var scaling: Scaling { Scaling(features: features, targets: targets) }

  /// The loss of some samples.
  func makeLoss<Element: Scalar>(_ targets: Matrix<Element>, weights: [Element]) throws -> any Loss<Element> {
    try kind.makeLoss(
      targets: targets, weights: weights.allSatisfy { $0 == 1 } ? nil : weights, parameters: parameters)
  }

  /// What tells the data from others, but for their rows.
  var fingerprint: DataFingerprint {
    get throws {
      try DataFingerprint(sha256: sha256, schema: schema, scaling: scaling, kind: kind, hasBias: hasBias)
    }
  }
}

/// Refuses numbers, scaled as they are, whose products of three would leave the range of Double, or that would all vanish.
/// Rows may come in pieces.
struct ProblemCheck {
  let source: String
  /// Magnitude of a feature.
  private var largest = 0.0
  /// Magnitude of a target.
  private var largestTarget = 0.0
  private var hasWeight = false

  init(source: String) { self.source = source }

  /// - Throws: `TrainingError.scale`.
  mutating func add(_ x: Matrix<Double>, _ y: Matrix<Double>, _ weights: [Double]) throws {
    try Self.checkSize(weights, "sample weights", source)
    try Self.checkSize(x.storage, "features", source)
    try Self.checkSize(y.storage, "targets", source)
    largest = x.largestMagnitude(above: largest)
    largestTarget = y.largestMagnitude(above: largestTarget)
    hasWeight = hasWeight || weights.contains { $0 > 0 }
  }

  /// The largest magnitude of a feature or target so far.
  var largestMagnitude: Double { max(largest, largestTarget) }

  /// - Throws: `TrainingError.vanishing`, `TrainingError.noWeight`.
  func finish(hasBias: Bool) throws {
    guard hasWeight else { throw TrainingError.noWeight(source) }
    guard hasBias || largest == 0 || largest >= 1e-100 else { throw TrainingError.vanishing(source) }
  }

  private static func checkSize(_ numbers: [Double], _ what: String, _ source: String) throws {
    guard numbers.allSatisfy({ abs($0) <= 1e100 }) else { throw TrainingError.scale(source, what) }
  }
}

extension Matrix<Double> {
  /// The largest magnitude of an entry, or `other` where that is larger.
  func largestMagnitude(above other: Double) -> Double {
    storage.withUnsafeBufferPointer { $0.reduce(other) { Swift.max($0, abs($1)) } }
  }
}
