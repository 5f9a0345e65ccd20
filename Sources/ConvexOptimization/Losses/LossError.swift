/// Why a loss cannot be made from its targets, weights or parameters. Rows and columns count from 0 in the
/// cases, and from 1 in the descriptions.
public enum LossError: Error, Equatable, CustomStringConvertible, Sendable {
  /// There must be one weight for each row of the targets.
  case weightCount(weights: Int, samples: Int)
  /// A target is NaN or infinite.
  case nonFiniteTarget(row: Int, column: Int)
  /// A weight is NaN or infinite.
  case nonFiniteWeight(row: Int)
  /// A weight is less than 0.
  case negativeWeight(row: Int, weight: Double)
  /// A target lies outside the set that the loss is defined for.
  case label(row: Int, column: Int, value: Double, allowed: String)
  /// A row of class probabilities does not sum to 1.
  case rowSum(row: Int, sum: Double)
  /// A parameter of the loss, such as δ, lies outside its range.
  case parameter(name: String, value: Double, allowed: String)

  /// The same error where row k is number `numbers[k]` of the data that the rows are a part of.
  public func renumbered(_ numbers: [Int]) -> LossError {
    switch self {
    case .nonFiniteTarget(let row, let column): .nonFiniteTarget(row: numbers[row], column: column)
    case .nonFiniteWeight(let row): .nonFiniteWeight(row: numbers[row])
    case .negativeWeight(let row, let weight): .negativeWeight(row: numbers[row], weight: weight)
    case .label(let row, let column, let value, let allowed):
      .label(row: numbers[row], column: column, value: value, allowed: allowed)
    case .rowSum(let row, let sum): .rowSum(row: numbers[row], sum: sum)
    case .weightCount, .parameter: self
    }
  }

  public var description: String {
    switch self {
    case .weightCount(let weights, let samples):
      "sample weights: \(weights) given for \(samples) samples; give one for each sample"
    case .nonFiniteTarget(let row, let column):
      "targets: row \(row + 1), column \(column + 1) is not a finite number; remove the row or impute it"
    case .nonFiniteWeight(let row):
      "sample weights: row \(row + 1) is not a finite number; give a number of at least 0"
    case .negativeWeight(let row, let weight):
      "sample weights: row \(row + 1) is \(weight); give a number of at least 0"
    case .label(let row, let column, let value, let allowed):
      "targets: row \(row + 1), column \(column + 1) is \(value); the loss takes \(allowed)"
    case .rowSum(let row, let sum):
      "targets: row \(row + 1) sums to \(sum); class probabilities must sum to 1"
    case .parameter(let name, let value, let allowed):
      "\(name) = \(value): give \(allowed)"
    }
  }
}
