import LinearAlgebra

/// The methods of ordinary training by name, as options and files have them.
public enum Optimizer: String, CaseIterable, Codable, Sendable {
  case sgd, momentum, adagrad, rmsprop, adam
  case lbfgs = "l-bfgs"
  case gaussNewton = "gauss-newton"
  case kfac

  /// The learning rate where none is given: the field's usual one; of second-order methods 1, the whole step.
  public var defaultLearningRate: Double {
    switch self {
    case .sgd, .momentum, .adagrad, .rmsprop: 0.01
    case .adam: 0.001
    case .lbfgs, .gaussNewton, .kfac: 1
    }
  }

  /// The first-order rule of this name with its usual parameters, nil for the other methods.
  public func rule<Element: Scalar>(_: Element.Type = Element.self) -> (any GradientRule<Element>)? {
    switch self {
    case .sgd: GradientDescent()
    case .momentum: MomentumDescent()
    case .adagrad: AdaGrad()
    case .rmsprop: RMSProp()
    case .adam: Adam()
    case .lbfgs, .gaussNewton, .kfac: nil
    }
  }
}
