import ConvexOptimization
import LinearAlgebra

/// Features, targets and weights as numbers, with the schema that made them.
public struct Dataset<Element: Scalar>: Sendable {
  /// X: n × d, categories encoded, not scaled.
  public var features: Matrix<Element>
  public var targets: Targets
  /// s: n weights ≥ 0, class weights included.
  public var sampleWeights: [Double]
  public var schema: Schema
  /// What is odd about the data but no error, each one line.
  public var notices: [String]
  /// Where the data came from, and the SHA-256 of the bytes read.
  public var source: String
  public var sha256: String
  /// Number of each row in the data as read, counted from 0, for messages; nil where these are all rows in order.
  var rowNumbers: [Int]?

  public var rows: Int { features.rows }

  /// The same data with the features in another precision.
  public func converted<Other: Scalar>(to type: Other.Type) -> Dataset<Other> {
    Dataset<Other>(
      features: features.converted(to: type), targets: targets, sampleWeights: sampleWeights, schema: schema,
      notices: notices, source: source, sha256: sha256, rowNumbers: rowNumbers)
  }

  /// The rows with the given indices, in that order.
  public func selectingRows(_ indices: [Int]) -> Dataset {
    var result = self
    result.features = features.selectingRows(indices)
    result.targets = targets.selectingRows(indices)
    result.sampleWeights = indices.map { sampleWeights[$0] }
    result.rowNumbers = indices.map { rowNumbers?[$0] ?? $0 }
    return result
  }

  /// The rows that count: a row of weight 0 is no row, of which patterns and cones know nothing.
  var withoutWeightless: Dataset {
    let counted = sampleWeights.indices.filter { !(sampleWeights[$0] == 0) }
    return counted.count == rows ? self : selectingRows(counted)
  }
}

extension Dataset {
  /// Runs `body`, whose errors count rows of these data, so that they name rows of the data as read.
  func namingRows<Value>(_ body: () throws(LossError) -> Value) throws(LossError) -> Value {
    do { return try body() } catch { throw rowNumbers.map(error.renumbered) ?? error }
  }
}

/// What is to be learnt: numbers, classes, or nothing (data to predict on).
public enum Targets: Sendable, Equatable {
  /// Y: n × c.
  case values(Matrix<Double>)
  /// For each row the index of its class among `count` classes.
  case classes([Int32], count: Int)
  case none

  /// Y: n × c; classes become one 1 in a row of zeros. `nil` without targets.
  public var matrix: Matrix<Double>? {
    switch self {
    case .values(let matrix): return matrix
    case .none: return nil
    case .classes(let indices, let count):
      var result = Matrix<Double>(indices.count, count)
      for (row, index) in indices.enumerated() { result[row, Int(index)] = 1 }
      return result
    }
  }

  /// n × 1 labels for two classes: −1 for the first, 1 for the second. `nil` otherwise.
  public var signs: Matrix<Double>? {
    guard case .classes(let indices, 2) = self else { return nil }
    return Matrix(column: indices.map { $0 == 0 ? -1 : 1 })
  }

  public func selectingRows(_ rows: [Int]) -> Targets {
    switch self {
    case .values(let matrix): return .values(matrix.selectingRows(rows))
    case .classes(let indices, let count): return .classes(rows.map { indices[$0] }, count: count)
    case .none: return .none
    }
  }
}
