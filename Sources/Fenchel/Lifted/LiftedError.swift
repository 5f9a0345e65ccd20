import ConvexOptimization

/// What is wrong with the settings of a lifted model.
public enum LiftedError: Error, CustomStringConvertible, Sendable, Equatable {
  case notAProjection(Activation)
  case notSmooth(Activation)
  case notHomogeneous(String)
  case lossNotSmooth(LossKind)
  case notLifted(ModelKind)
  case count(String, Int, expected: Int)
  case parameter(String, Double, allowed: String)
  /// A number without effect on a training, and those that have one.
  case idle(String, used: [String])
  case shape(String)

  public var description: String {
    switch self {
    case .notAProjection(let activation):
      "the lifted model needs an activation that projects onto a set (relu, hard-tanh, hard-sigmoid, identity, "
        + "simplex), not \(activation); --model fenchel takes every activation"
    case .notSmooth(let activation):
      "lifted models need an activation with bounded slope; \(activation) jumps"
    case .notHomogeneous(let name):
      "one λ stands for all only where the penalty is homogeneous (relu, leaky-relu, identity), not for \(name)"
    case .lossNotSmooth(let loss):
      "lifted models need a loss with a gradient, not \(loss.rawValue); take squared, softmax, logistic, huber or "
        + "squared-hinge"
    case .notLifted(let model):
      "the lifted rule of prediction is for models fenchel and lifted, not \(model.rawValue); take feed-forward"
    case .count(let name, let count, let expected):
      "\(count) values of \(name); give \(expected), one a layer"
    case .parameter(let name, let value, let allowed): "\(name) = \(value); give \(allowed)"
    case .idle(let name, let used):
      "\(name) has no effect on this network in these batches; numbers that have one: \(used.joined(separator: ", "))"
    case .shape(let what): what
    }
  }
}
