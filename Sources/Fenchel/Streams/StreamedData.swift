import LinearAlgebra

/// Training data that stay in their file: rows of a table with the schema that says what they mean.
public struct StreamedData: Sendable {
  public let table: StreamedTable
  public let schema: Schema
  /// The rows of the table that belong to the data, rising; nil for all.
  private let members: [Int]?

  /// - Parameter members: rows of the table, rising, or nil for all.
  public init(_ table: StreamedTable, schema: Schema, members: [Int]? = nil) {
    (self.table, self.schema, self.members) = (table, schema, members)
  }

  /// Infers the schema from the rows as `Schema` does from a table in memory. Cost: a pass over the rows.
  ///
  /// - Throws: `DataError`; `StreamError.method` where medians are asked for, which would take whole columns.
  public init(_ table: StreamedTable, options: SchemaOptions, members: [Int]? = nil) throws {
    guard !options.imputesMedian else {
      throw StreamError.method(
        "missing numbers of a stream cannot be filled by medians; fill them beforehand")
    }
    let schema = try Schema(
      inferredFrom: TableDigest.table(of: table, members: members, options: options), options: options)
    self.init(table, schema: schema, members: members)
  }

  /// n.
  public var rows: Int { members?.count ?? table.rows }

  /// Cuts the rows in two as `Table.split` does. Cost: a pass over the rows, and 40 bytes for each.
  public static func split(
    _ table: StreamedTable, testFraction: Double, seed: UInt64, options: SchemaOptions, schema: Schema? = nil
  ) throws -> (train: StreamedData, test: StreamedData) {
    let whole = try schema.map { StreamedData(table, schema: $0) } ?? StreamedData(table, options: options)
    var strata: [Int32] = []
    if whole.schema.task == .classification {
      for range in Self.pieces(table.rows, pieceRows) {
        strata += try table.table(of: range).strata(whole.schema) ?? []
      }
    }
    let split = try Split(
      rows: table.rows, testFraction: testFraction, seed: seed, strata: strata.isEmpty ? nil : strata)
    let train =
      try schema.map { StreamedData(table, schema: $0, members: split.train) }
      ?? StreamedData(table, options: options, members: split.train)
    return (train, StreamedData(table, schema: train.schema, members: split.test))
  }

  /// Samples by their numbers, in this order.
  ///
  /// - Throws: `DataError`, also where the file was changed since it was opened.
  func dataset(of samples: some RandomAccessCollection<Int>) throws -> Dataset<Double> {
    let part =
      try members.map { members in try table.table(of: samples.map { members[$0] }) }
      ?? table.table(of: samples)
    return try schema.dataset(from: part, isPart: true)
  }

  /// Samples that follow each other.
  func dataset(of range: Range<Int>) throws -> Dataset<Double> {
    guard members == nil else { return try dataset(of: Array(range)) }
    return try schema.dataset(from: table.table(of: range), isPart: true)
  }

  /// Rows that passes over data read at a time.
  static let pieceRows = 1024

  static func pieces(_ rows: Int, _ size: Int) -> [Range<Int>] {
    (0..<Parallel.tiles(of: size, covering: rows)).map { Parallel.range(ofTile: $0, size: size, count: rows) }
  }
}

/// Data that can be gone through in pieces of rows, in order.
protocol DataPieces {
  var schema: Schema { get }
  /// What is odd about the data but no error.
  var notices: [String] { get }
  /// Whether the data stay in their file.
  var isStreamed: Bool { get }
  /// Calls `body` with pieces of as many rows, the last one fewer; a whole may come as one piece.
  func forEachPiece(of rows: Int, _ body: (Dataset<Double>) throws -> Void) throws
}

extension Dataset<Double>: DataPieces {
  var isStreamed: Bool { false }
  func forEachPiece(of _: Int, _ body: (Dataset<Double>) throws -> Void) throws { try body(self) }
}

extension StreamedData: DataPieces {
  var isStreamed: Bool { true }
  var notices: [String] { table.frame.notices }

  func forEachPiece(of rows: Int, _ body: (Dataset<Double>) throws -> Void) throws {
    for range in Self.pieces(self.rows, rows) { try body(dataset(of: range)) }
  }
}
