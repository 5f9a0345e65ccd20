import RealModule

/// How the learning rate changes with the epochs t = 0, 1, …: the factor that multiplies it. As text: `constant`,
/// `step:10:0.1`, `cosine`, `inverse-sqrt`.
public enum LearningRateSchedule: Sendable, Hashable {
  /// 1.
  case constant
  /// factor^⌊t/epochs⌋.
  case step(epochs: Int, factor: Double)
  /// (1 + cos(πt/T))/2 for T epochs in all (Loshchilov & Hutter 2017).
  case cosine
  /// 1/√(1 + t).
  case inverseSquareRoot

  /// The factor in epoch t of T.
  public func factor(epoch t: Int, of total: Int) -> Double {
    switch self {
    case .constant: 1
    case .step(let epochs, let factor): .pow(factor, t / max(epochs, 1))
    case .cosine: (1 + .cos(.pi * Double(t) / Double(max(total, 1)))) / 2
    case .inverseSquareRoot: 1 / Double(1 + t).squareRoot()
    }
  }
}

extension LearningRateSchedule: LosslessStringConvertible, Codable {
  public var description: String {
    switch self {
    case .constant: "constant"
    case .step(let epochs, let factor): "step:\(epochs):\(factor)"
    case .cosine: "cosine"
    case .inverseSquareRoot: "inverse-sqrt"
    }
  }

  /// Nil for a text that is none, an interval below 1 epoch, or a factor that is not a finite number above 0.
  public init?(_ description: String) {
    let parts = description.split(separator: ":", omittingEmptySubsequences: false)
    switch (parts.first ?? "", parts.count) {
    case ("constant", 1): self = .constant
    case ("cosine", 1): self = .cosine
    case ("inverse-sqrt", 1): self = .inverseSquareRoot
    case ("step", 3):
      guard let epochs = Int(parts[1]), epochs > 0, let factor = Double(parts[2]), factor > 0, factor.isFinite
      else { return nil }
      self = .step(epochs: epochs, factor: factor)
    default: return nil
    }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let schedule = LearningRateSchedule(text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "\(text) is no schedule of learning rates")
    }
    self = schedule
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
