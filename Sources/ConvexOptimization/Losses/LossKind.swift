import LinearAlgebra

/// The losses by name, as the command line, configuration and model files have them.
public enum LossKind: String, CaseIterable, Codable, Sendable {
  case squared, logistic, softmax, hinge
  case squaredHinge = "squared-hinge"
  case huber, absolute, quantile, poisson

  /// The loss of this kind for the targets Y: n × c and sample weights (nil: 1 for all).
  public func makeLoss<Element: Scalar>(
    targets: Matrix<Element>, weights: [Element]? = nil, parameters: LossParameters = LossParameters()
  ) throws(LossError) -> any Loss<Element> {
    switch self {
    case .squared: try SquaredLoss(targets: targets, weights: weights)
    case .logistic: try LogisticLoss(targets: targets, weights: weights)
    case .softmax: try SoftmaxLoss(targets: targets, weights: weights)
    case .hinge: try HingeLoss(targets: targets, weights: weights)
    case .squaredHinge: try SquaredHingeLoss(targets: targets, weights: weights)
    case .huber: try HuberLoss(targets: targets, weights: weights, delta: Element(parameters.δ))
    case .absolute: try AbsoluteLoss(targets: targets, weights: weights)
    case .quantile: try QuantileLoss(targets: targets, weights: weights, tau: Element(parameters.τ))
    case .poisson: try PoissonLoss(targets: targets, weights: weights)
    }
  }
}

/// The parameters that some losses have beside targets and weights.
public struct LossParameters: Codable, Equatable, Sendable {
  /// Huber: the residual at which the loss turns linear, > 0.
  public var δ: Double
  /// Quantile: strictly between 0 and 1.
  public var τ: Double

  public init(delta δ: Double = 1, tau τ: Double = 0.5) {
    self.δ = δ
    self.τ = τ
  }

  private enum CodingKeys: String, CodingKey {
    case δ = "delta"
    case τ = "tau"
  }
}

/// The loss of the given kind; see `LossKind.makeLoss`.
public func makeLoss<Element: Scalar>(
  _ kind: LossKind, targets: Matrix<Element>, weights: [Element]? = nil,
  parameters: LossParameters = LossParameters()
) throws(LossError) -> any Loss<Element> {
  try kind.makeLoss(targets: targets, weights: weights, parameters: parameters)
}
