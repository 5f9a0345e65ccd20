import LinearAlgebra

/// A signal s_0, …, s_{n−1}: numbers at equal distances in time.
public struct Signal: Sendable, Equatable {
  /// Where it came from, for messages.
  public var source: String
  /// SHA-256 of the bytes that were read.
  public var sha256: String
  /// The column that it is, where the file names its columns.
  public var name: String
  public var values: [Double]

  public init(source: String, name: String = "signal", sha256: String = "", values: [Double]) {
    (self.source, self.name, self.sha256, self.values) = (source, name, sha256, values)
  }

  /// A column of a table, rows in the order of time; nil for the last column.
  ///
  /// Errors: `DataError` where there is no such column, it is text, or a number is missing or infinite, or the line of the
  /// only column is empty.
  public init(_ table: Table, column: String? = nil) throws {
    let index = try column.map { try table.column($0) } ?? table.columns.count - 1
    guard table.columns.indices.contains(index) else {
      throw DataError.unsuitable(source: table.source, "there is no column to be the signal")
    }
    guard let values = table.columns[index].numbers else {
      throw FeatureEncoder.notNumeric(table.columns[index], name: table.names[index], table)
    }
    let bad = values.indices.filter { !values[$0].isFinite }
    if let row = bad.first {
      throw DataError.malformed(
        table.location(ofRow: row),
        "\(table.rowLabel(row)): the signal \(quoted(table.names[index])) is "
          + "\(values[row].isNaN ? "missing" : "infinite"), as in \(counted(bad.count, "sample")) of \(values.count); "
          + "fill it, or cut the signal there")
    }
    if table.columns.count == 1, let lines = table.lines,
      let row = lines.indices.dropFirst().first(where: { lines[$0] != lines[$0 - 1] + 1 })
    {
      throw DataError.malformed(
        Location(table.source, line: lines[row - 1] + 1),
        "the line is empty: a sample of the signal \(quoted(table.names[index])) is missing; fill it, or cut the signal there"
      )
    }
    self.init(source: table.source, name: table.names[index], sha256: table.sha256, values: values)
  }

  /// s_0, …, s_{count−1}.
  public func prefix(_ count: Int) -> Signal {
    var result = self
    result.values = Array(values.prefix(count))
    return result
  }
}
