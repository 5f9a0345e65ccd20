import LinearAlgebra

/// A table as it was read: named columns of numbers or text, before anybody decided what they mean.
public struct Table: Sendable {
  /// Where it came from: a path, a known name, or "standard input".
  public var source: String
  /// SHA-256 of the bytes that were read, in hexadecimal digits.
  public var sha256: String
  /// Names of the columns; made up (`x0`, `x1`, …) where `hasNames` is false.
  public var names: [String]
  /// Whether the file names its columns. Files without names are matched by position.
  public var hasNames: Bool
  public var columns: [Column]
  public var rows: Int
  /// The columns that are the target when nobody says otherwise.
  public var defaultTargets: [Int]
  /// The task that the format itself declares, as label files do.
  public var declaredTask: LearningTask?
  /// Shape of one row if it is an image.
  public var imageShape: ImageShape?
  /// Whether columns beyond the last one are zero rather than absent (LIBSVM).
  public var hasImplicitZeros = false
  /// What the reader noticed and accepted.
  public var notices: [String] = []
  /// Line of each row in the file, where it is not `firstLine` + row.
  package var lines: [Int]?
  /// Line of row 0, or `nil` for files without lines.
  package var firstLine: Int?
  /// Number of row 0 in the data that the table is a part of, counted from 0.
  package var firstRow = 0
  /// Number of each row in the data that the table is a part of, counted from 0; nil where it is `firstRow` + row.
  package var rowNumbers: [Int]?

  public init(
    source: String, sha256: String = "", names: [String]? = nil, columns: [Column],
    defaultTargets: [Int]? = nil
  ) {
    self.source = source
    self.sha256 = sha256
    self.names = names ?? columns.indices.map { "x\($0)" }
    hasNames = names != nil
    self.columns = columns
    rows = columns.first?.rows ?? 0
    self.defaultTargets = defaultTargets ?? (columns.isEmpty ? [] : [columns.count - 1])
    precondition(self.names.count == columns.count && columns.allSatisfy { $0.rows == rows })
  }

  /// A table over all columns of one array, without names.
  init(source: String, sha256: String, array: NumericArray, targets: [Int]) {
    self.init(
      source: source, sha256: sha256,
      columns: (0..<array.columns).map { .numeric(array, index: $0) }, defaultTargets: targets)
  }

  /// The place of a row in its file.
  package func location(ofRow row: Int) -> Location {
    if let lines, row < lines.count { return Location(source, line: lines[row]) }
    return Location(source, line: firstLine.map { $0 + row })
  }

  /// "row 17" counted from 1, for files that have no lines.
  package func rowLabel(_ row: Int) -> String { "row \(number(ofRow: row) + 1)" }

  /// The number of a row in the data that the table is a part of, counted from 0.
  private func number(ofRow row: Int) -> Int { rowNumbers?[row] ?? firstRow + row }

  /// All of these, nil where they are 0, 1, ….
  var numbersOfRows: [Int]? {
    rowNumbers ?? (firstRow == 0 ? nil : Array(firstRow..<firstRow + rows))
  }

  /// The index of a column given by its name, or else by its position: from 0, or from the end if negative.
  ///
  /// Errors: `DataError.unsuitable` when there is no such column.
  public func column(_ reference: String) throws -> Int {
    if let index = names.firstIndex(of: reference) { return index }
    if let index = Int(reference) {
      let position = index < 0 ? index + columns.count : index
      if columns.indices.contains(position) { return position }
      throw DataError.unsuitable(
        source: source, "there is no column \(index): the columns are 0 to \(columns.count - 1)")
    }
    let known = hasNames ? "the columns are \(listed(names, atMost: 12))" : "this file has no column names"
    throw DataError.unsuitable(source: source, "there is no column \(quoted(reference)): \(known)")
  }

  /// A table of the rows with the given indices, in that order; messages name them as rows of this table's data. Cost: rows
  /// times columns.
  public func selectingRows(_ indices: [Int]) -> Table {
    var result = self
    var shared: (original: Int, array: NumericArray)?
    result.columns = columns.map { column in
      guard case .numeric(let array, let index) = column, array.columns > 1 else {
        return column.selectingRows(indices)
      }
      if shared?.original != array.identity {
        shared = (array.identity, array.selectingRows(indices))
      }
      return .numeric(shared?.array ?? array, index: index)
    }
    result.rows = indices.count
    result.lines = indices.map { location(ofRow: $0).line ?? 0 }
    if firstLine == nil { result.lines = nil }
    result.rowNumbers = indices.map { number(ofRow: $0) }
    return result
  }
}

/// What a target is: numbers to be approximated, or classes to be told apart.
public enum LearningTask: String, Codable, Sendable, CaseIterable {
  case regression
  case classification
}
