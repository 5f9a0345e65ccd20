/// A number with its spread: the mean and sample standard deviation of several runs, or what a paper prints.
public struct Measurement: Sendable, Equatable, Encodable {
  public var mean: Double
  /// Nil where there is one value, or none is given.
  public var deviation: Double?
  /// Values that the mean is of; nil where it is not said.
  public var count: Int?

  public init(_ mean: Double, deviation: Double? = nil, count: Int? = nil) {
    (self.mean, self.deviation, self.count) = (mean, deviation, count)
  }

  /// Nil without values.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let n = Double(values.count)
    let mean = values.reduce(0, +) / n
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.init(
      mean, deviation: values.count > 1 ? (squares / (n - 1)).squareRoot() : nil, count: values.count)
  }
}
