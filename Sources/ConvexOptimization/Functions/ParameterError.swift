/// A parameter of a function, penalty or method that lies outside its range.
public struct ParameterError: Error, Equatable, CustomStringConvertible, Sendable {
  /// Whose parameter, such as `group lasso`.
  public let owner: String
  /// Which one, such as `λ`.
  public let name: String
  public let value: Double
  /// What it may be, in words.
  public let allowed: String

  public init(_ owner: String, _ name: String, _ value: Double, allowed: String) {
    self.owner = owner
    self.name = name
    self.value = value
    self.allowed = allowed
  }

  public var description: String { "\(owner): \(name) = \(value); give \(allowed)" }

  /// Throws unless the value is finite and at least 0.
  static func checkNonnegative(
    _ value: some BinaryFloatingPoint, _ name: String, of owner: String
  ) throws(ParameterError) {
    guard value.isFinite, value >= 0 else {
      throw ParameterError(owner, name, Double(value), allowed: "a finite number of at least 0")
    }
  }

  /// Throws unless the value is finite and greater than 0.
  static func checkPositive(
    _ value: some BinaryFloatingPoint, _ name: String, of owner: String
  ) throws(ParameterError) {
    guard value.isFinite, value > 0 else {
      throw ParameterError(owner, name, Double(value), allowed: "a finite number greater than 0")
    }
  }
}
