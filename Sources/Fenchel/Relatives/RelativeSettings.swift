import ConvexOptimization

/// The numbers of a method from the literature, each with its name on the command line and in reports.
public protocol RelativeSettings: Codable, Sendable, Equatable {
  /// The paper's own numbers where it gives them.
  init()
  /// Every number in the order of the documentation.
  static var numbers: [RelativeNumber<Self>] { get }
}

/// A number of a method: what it is called, where it is kept, and what it may be.
public struct RelativeNumber<Settings> {
  public let name: String
  let path: WritableKeyPath<Settings, Double>
  let range: NumberRange

  init(_ name: String, _ path: WritableKeyPath<Settings, Double>, _ range: NumberRange = .positive) {
    (self.name, self.path, self.range) = (name, path, range)
  }

  /// - Throws: `RelativeError.number` for a value out of the range.
  fileprivate func check(_ value: Double) throws {
    guard range.contains(value) else {
      throw RelativeError.number(name, value, allowed: range.rawValue)
    }
  }
}

/// What a number of a method may be. Ratios of numbers beyond these ranges leave single precision.
enum NumberRange: String {
  case positive = "a number from 1e-9 to 1e9"
  case nonnegative = "0 or a number up to 1e9"
  case atLeastOne = "a number from 1 to 1e9"
  case count = "a whole number from 1 to 1000"
  case countOrNone = "0 or a whole number up to 1000"
  case share = "a number above 0, at most 1"
  case belowOne = "a number from 0 to below 1"

  func contains(_ value: Double) -> Bool {
    switch self {
    case .positive: (1e-9...1e9).contains(value)
    case .nonnegative: (0...1e9).contains(value)
    case .atLeastOne: (1...1e9).contains(value)
    case .count: value.rounded() == value && (1...1000).contains(value)
    case .countOrNone: value.rounded() == value && (0...1000).contains(value)
    case .share: value > 0 && value <= 1
    case .belowOne: (0..<1).contains(value)
    }
  }
}

extension RelativeSettings {
  /// The paper's numbers, and these in place of some of them.
  ///
  /// - Throws: `RelativeError` for a name that the method does not have, or a number out of its range.
  public init(_ changes: [String: Double]) throws {
    self.init()
    try set(changes)
  }

  /// Sets these numbers, and leaves the others.
  ///
  /// - Throws: `RelativeError` as above.
  mutating func set(_ changes: [String: Double]) throws {
    for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
      guard let number = Self.numbers.first(where: { $0.name == name }) else {
        throw RelativeError.unknown(name, known: Self.numbers.map(\.name))
      }
      try number.check(value)  // before it is kept, which may round it
      self[keyPath: number.path] = value
    }
    try check()
  }

  /// All numbers by name.
  public var values: [String: Double] {
    Dictionary(uniqueKeysWithValues: Self.numbers.map { ($0.name, self[keyPath: $0.path]) })
  }

  func check() throws {
    for number in Self.numbers { try number.check(self[keyPath: number.path]) }
  }
}

/// What is wrong with the settings of a method from the literature.
public enum RelativeError: Error, CustomStringConvertible, Sendable, Equatable {
  case unknown(String, known: [String])
  case number(String, Double, allowed: String)
  case notPiecewiseLinear(Activation)
  case notEntrywise(Activation)
  case notSmooth(Activation)
  case secondOrder(Optimizer)
  case lossNotSmooth(LossKind)
  case shape(String)

  public var description: String {
    switch self {
    case .unknown(let name, let known):
      "the method has no number `\(name)`; it has \(known.joined(separator: ", "))"
    case .number(let name, let value, let allowed): "\(name) = \(value); give \(allowed)"
    case .notPiecewiseLinear(let activation):
      "the method needs an activation that is linear piece by piece (relu, leaky-relu, hard-tanh, hard-sigmoid, "
        + "soft-threshold, identity), not \(activation)"
    case .notEntrywise(let activation):
      "the method needs an activation that acts on every entry alone, not \(activation)"
    case .notSmooth(let activation):
      "the method needs an activation with bounded slope; \(activation) jumps"
    case .secondOrder(let optimizer):
      "contrastive training takes a first-order rule (sgd, momentum, adagrad, rmsprop, adam), not \(optimizer.rawValue)"
    case .lossNotSmooth(let loss):
      "the method needs a loss with a gradient, not \(loss.rawValue); take squared, softmax, logistic, huber or squared-hinge"
    case .shape(let what): what
    }
  }
}
