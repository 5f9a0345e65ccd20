import ConvexOptimization

/// Why a signal cannot be forecast as asked. Each is one line.
public enum ForecastError: Error, CustomStringConvertible, Sendable, Equatable {
  /// A window, a horizon or a number of samples below 1.
  case number(String, Int)
  /// A share held out that is not between 0 and 1.
  case heldOut(Double)
  /// Fewer samples than windows on both sides of the cut take.
  case tooShort(source: String, samples: Int, window: Int, horizon: Int, needed: Int)
  /// All samples to learn from are equal.
  case constant(source: String, value: Double)
  /// A model that no convex program trains.
  case model(ModelKind)
  /// A loss of classes or counts.
  case loss(LossKind)

  public var description: String {
    switch self {
    case .number(let name, let value): "\(name) \(value): give a whole number above 0"
    case .heldOut(let share): "the share of the signal held out must lie between 0 and 1, not \(share)"
    case .tooShort(let source, let samples, let window, let horizon, let needed):
      "\(printable(source)): \(counted(samples, "sample")) are too few for windows of \(window) with a horizon of "
        + "\(horizon) on both sides of the cut: \(needed) are needed; take a shorter window or horizon, or another share to test"
    case .constant(let source, let value):
      "\(printable(source)): the signal is \(value) wherever it is learnt from; there is nothing to forecast"
    case .model(let model):
      "the model \(model.rawValue) is no convex program; forecast with "
        + ModelKind.convexPrograms.map(\.rawValue).joined(separator: ", ")
    case .loss(let loss):
      "the loss \(loss.rawValue) is not for signals; forecast with squared, huber, absolute or quantile"
    }
  }
}
