import LinearAlgebra

/// Ends a training once the mean loss on samples that it does not train on has not fallen for some epochs, and keeps
/// the weights of the best epoch (Prechelt 1998). As text: the patience, and where it is another the share held out, such as
/// `10` or `10:0.2`.
public struct EarlyStopping: Sendable, Equatable, Codable {
  /// Epochs in a row without a better loss after which the training ends, at least 1.
  public var patience: Int
  /// How much lower than the best the loss must be to count as better, at least 0.
  public var minimumDecrease: Double
  /// The share of the samples that is held out by the seed where no others are given, between 0 and 1.
  public var fraction: Double

  public init(patience: Int = 10, minimumDecrease: Double = 0, fraction: Double = 0.1) {
    (self.patience, self.minimumDecrease, self.fraction) = (patience, minimumDecrease, fraction)
  }

  /// What is known of the epochs so far; the start is epoch 0.
  struct Record<Element: Scalar> {
    let rule: EarlyStopping
    private(set) var best: (epoch: Int, loss: Double, network: FeedForward<Element>)
    private var idle = 0

    init(_ rule: EarlyStopping, start: FeedForward<Element>, loss: Double) {
      self.rule = rule
      best = (0, loss.isNaN ? .infinity : loss, start)
    }

    /// Notes the loss after an epoch; returns whether the training should end.
    mutating func note(_ epoch: Int, _ loss: Double, _ network: FeedForward<Element>) -> Bool {
      if loss < best.loss - rule.minimumDecrease {
        best = (epoch, loss, network)
        idle = 0
      } else {
        idle += 1
      }
      return isOver
    }

    /// Whether the loss has not fallen for as many epochs as the rule has patience.
    var isOver: Bool { idle >= rule.patience }

    mutating func transfer(_ state: inout StateTransfer) throws {
      try state.carry("idle", &idle)
      try state.carry("epoch", &best.epoch)
      try state.carry("loss", &best.loss)
      try state.carry("weights", &best.network.weights)
    }
  }
}

extension EarlyStopping: LosslessStringConvertible {
  public var description: String { "\(patience):\(fraction)" }

  /// Nil for a text that is none, a patience below 1, or a share that does not lie between 0 and 1.
  public init?(_ description: String) {
    let parts = description.split(separator: ":", omittingEmptySubsequences: false)
    guard let patience = parts.first.flatMap({ Int($0) }), patience > 0, parts.count <= 2 else { return nil }
    self.init(patience: patience)
    guard parts.count == 2 else { return }
    guard let fraction = Double(parts[1]), fraction > 0, fraction < 1 else { return nil }
    self.fraction = fraction
  }
}
