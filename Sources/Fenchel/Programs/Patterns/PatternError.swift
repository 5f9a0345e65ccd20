/// Why activation patterns could not be made.
public enum PatternError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Gates of `gates` columns for data of `features` columns.
  case width(gates: Int, features: Int)
  /// An entry of the gates or the data is NaN or infinite.
  case notFinite(Source, row: Int, column: Int)
  case noGates
  /// Exact enumeration covers rank ≤ 3; `patterns` is the number there would be at most.
  case rankTooHigh(rank: Int, hyperplanes: Int, patterns: Double)
  /// More patterns than the limit.
  case tooMany(patterns: Double, bytes: Double, limit: Int)
  /// Patterns that would take more bytes than the limit.
  case memory(patterns: Double, bytes: Double, limit: Int)

  /// What an entry belongs to.
  public enum Source: String, Sendable {
    case gates, data
  }

  public var description: String {
    switch self {
    case .width(let gates, let features):
      "the gates have \(gates) columns but the data have \(features) (a bias counts as one); "
        + "give one gate a row, as wide as the data"
    case .notFinite(let source, let row, let column):
      "entry (\(row), \(column)) of the \(source.rawValue) is not finite"
    case .noGates:
      "no gates: ask for at least one pattern"
    case .rankTooHigh(let rank, let hyperplanes, let patterns):
      "the data have rank \(rank) and \(hyperplanes) hyperplanes, so up to \(PatternError.text(patterns)) "
        + "patterns; exact enumeration covers rank 3 at most: take a number of patterns, or refine where the model can"
    case .tooMany(let patterns, let bytes, let limit):
      "up to \(PatternError.text(patterns)) patterns (\(PatternError.text(bytes / 1e6)) MB) are above the "
        + "limit of \(limit): raise the limit, take a number of patterns, or refine where the model can"
    case .memory(let patterns, let bytes, let limit):
      "\(PatternError.text(patterns)) patterns take \(PatternError.text(bytes)) bytes, the limit is \(limit): "
        + "take fewer, or raise --max-memory"
    }
  }

  private static func text(_ number: Double) -> String {
    number < 1e15 ? String(Int(number.rounded(.up))) : String(number)
  }
}
