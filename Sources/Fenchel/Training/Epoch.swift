/// One pass of a training over its data.
public struct Epoch: Codable, Sendable, Equatable {
  /// Counted from 1.
  public var number: Int
  /// Σ s ℓ/Σ s over the epoch's samples, each with the weights that its batch began with; of block-coordinate descent on
  /// whole data the model's value instead.
  @FiniteOrNull public var loss: Double
  /// Σ s ℓ/Σ s over samples held out, after the epoch.
  public var validationLoss: Double?
  /// Since training began.
  public var seconds: Double

  public init(number: Int, loss: Double, validationLoss: Double? = nil, seconds: Double) {
    self.number = number
    self.loss = loss
    self.validationLoss = validationLoss
    self.seconds = seconds
  }
}
