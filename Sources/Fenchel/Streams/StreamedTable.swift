import LinearAlgebra

/// A table whose rows stay in their file and are read when they are asked for: NPY arrays, IDX folders, and CSV and TSV
/// files, which are first turned into a file of numbers.
///
/// What is asked for comes as a `Table` like any other, so that everything that follows is the same as for a table in memory.
public struct StreamedTable: Sendable {
  /// The table without rows.
  let frame: Table
  public let rows: Int
  /// Files whose columns stand side by side.
  private let parts: [Part]

  /// Some columns of all rows.
  struct Part: Sendable {
    let file: RowFile
    /// Columns from the bytes of some rows, end to end.
    let decode: @Sendable ([UInt8], Int) throws -> [Column]
  }

  init(frame: Table, parts: [Part]) {
    (self.frame, self.parts) = (frame, parts)
    rows = parts.first?.file.rows ?? 0
  }

  public var source: String { frame.source }
  public var sha256: String { frame.sha256 }
  /// Bytes that a row takes in its files.
  var rowBytes: Int { parts.reduce(0) { $0 + $1.file.rowBytes } }

  /// Rows that follow each other.
  ///
  /// - Throws: `DataError.unreadable` where a file was changed since it was opened.
  package func table(of range: Range<Int>) throws -> Table {
    var table = try table(range.count) { try $0.bytes(of: range) }
    table.firstRow = range.lowerBound
    table.firstLine = frame.firstLine.map { $0 + range.lowerBound }
    return table
  }

  /// Rows by their numbers, in the order of these.
  package func table(of rows: some RandomAccessCollection<Int>) throws -> Table {
    var table = try table(rows.count) { try $0.bytes(of: rows) }
    table.lines = frame.firstLine.map { first in rows.map { first + $0 } }
    table.rowNumbers = Array(rows)
    return table
  }

  private func table(_ count: Int, _ bytes: (RowFile) throws -> [UInt8]) throws -> Table {
    var table = frame
    table.columns = try parts.flatMap { try $0.decode(bytes($0.file), count) }
    table.rows = count
    return table
  }

  /// The same rows with the columns of another table, the targets, after their own.
  ///
  /// - Throws: `DataError.unsuitable` where there are not as many rows.
  public func joined(with other: StreamedTable) throws -> StreamedTable {
    guard other.rows == rows else {
      throw DataError.unsuitable(
        source: other.source, "\(other.rows) rows of targets for \(rows) rows of data")
    }
    var joined = Table(
      source: source, sha256: sha256, names: frame.names + other.frame.names.map { "target \($0)" },
      columns: frame.columns + other.frame.columns,
      defaultTargets: Array(frame.columns.count..<frame.columns.count + other.frame.columns.count))
    joined.hasNames = frame.hasNames
    joined.firstLine = frame.firstLine
    return StreamedTable(frame: joined, parts: parts + other.parts)
  }
}

/// Why data cannot be read row by row.
public enum StreamError: Error, CustomStringConvertible, Sendable, Equatable {
  case format(source: String, String)
  case method(String)
  /// A pass over the data was asked to stop.
  case interrupted

  public var description: String {
    switch self {
    case .format(let source, let why):
      "\(printable(source)): \(why); streams are read from .npy (in C order), .csv and .tsv files and IDX folders"
    case .method(let why):
      "\(why); of data in a stream train fenchel, mlp (not l-bfgs), lpom or contrastive, in batches"
    case .interrupted: "stopped before training began: nothing is written"
    }
  }
}
