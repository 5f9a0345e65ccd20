/// One column of a table: numbers or text. A missing number is NaN, a missing text is `nil`.
public enum Column: Sendable {
  /// Column `index` of an array that other columns may share.
  case numeric(NumericArray, index: Int)
  case text(TextColumn)

  /// A column of the given numbers.
  public static func numbers(_ values: [Double]) -> Column {
    .numeric(NumericArray(values.count, 1, .double(values)), index: 0)
  }

  public var rows: Int {
    switch self {
    case .numeric(let array, _): return array.rows
    case .text(let column): return column.codes.count
    }
  }

  public var isText: Bool {
    if case .text = self { return true }
    return false
  }

  /// The numbers of the column, or `nil` of a text column.
  public var numbers: [Double]? {
    guard case .numeric(let array, let index) = self else { return nil }
    var values = [Double](repeating: 0, count: array.rows)
    values.withUnsafeMutableBufferPointer { values in
      guard let base = values.baseAddress else { return }
      array.copyColumn(index, 0..<array.rows, to: base, stride: 1)
    }
    return values
  }

  func selectingRows(_ indices: [Int]) -> Column {
    switch self {
    case .numeric(let array, let index): return .numbers(indices.map { array[$0, index] })
    case .text(var column):
      column.codes = indices.map { column.codes[$0] }
      column.firstNonNumber = nil
      return .text(column)
    }
  }
}

/// A column of text as codes into its distinct values, in the order of their first appearance.
public struct TextColumn: Sendable {
  public var values: [String]
  /// Index into `values` for each row, −1 where the text is missing.
  public var codes: [Int32]
  /// The first entry that is not a number, for the message when numbers were wanted.
  package var firstNonNumber: (row: Int, location: Location, token: String, problem: String)?

  public init(_ texts: [String?]) {
    values = []
    var known: [String: Int32] = [:]
    codes = []
    for text in texts {
      guard let text else {
        codes.append(-1)
        continue
      }
      if known[text] == nil {
        known[text] = Int32(values.count)
        values.append(text)
      }
      codes.append(known[text] ?? -1)
    }
  }

  init(values: [String], codes: [Int32]) {
    self.values = values
    self.codes = codes
  }

  /// The text in row i, or `nil` where it is missing.
  public subscript(_ i: Int) -> String? { codes[i] < 0 ? nil : values[Int(codes[i])] }
}

/// How a number is written as the name of a class or category: integers without a point, others in the
/// shortest form that reads back.
package func categoryName(_ value: Double) -> String {
  if value == 0 { return "0" }
  if value.magnitude < 9_007_199_254_740_992, value.rounded(.towardZero) == value {
    return String(Int(value))
  }
  return value.description
}
