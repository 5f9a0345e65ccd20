/// A small table from which a schema is inferred as from a large one: of the columns that decide (targets, weights,
/// categories) every distinct entry, once with a weight above 0 and once without; of the others only their kind.
///
/// Memory: the distinct entries; of a target that turns out to be numbers, no more than a few.
struct TableDigest {
  private let deciding: [Int]
  private let weights: Int?
  private let most: [Int: Int]
  private var seen: [Int: Set<Entry>] = [:]
  private var numbers: [Int: [Double]] = [:]
  private var codes: [Int: [Int32]] = [:]
  private var rows = 0

  private struct Entry: Hashable {
    var value: Double
    var isMissing: Bool
    var counts: Bool
  }

  static func table(of streamed: StreamedTable, members: [Int]?, options: SchemaOptions) throws -> Table {
    var digest = try TableDigest(streamed, options)
    let count = members?.count ?? streamed.rows
    for range in StreamedData.pieces(count, StreamedData.pieceRows) where !digest.isOver {
      let part = try members.map { try streamed.table(of: $0[range]) } ?? streamed.table(of: range)
      digest.add(part)
    }
    return digest.table(like: streamed, rows: count)
  }

  private init(_ streamed: StreamedTable, _ options: SchemaOptions) throws {
    let frame = streamed.frame
    let targets =
      options.targets.isEmpty ? frame.defaultTargets : try options.targets.map { try frame.column($0) }
    let categorical = try options.categorical.map { try frame.column($0) }
    weights = try options.weights.map { try frame.column($0) }
    deciding = Array(Set(targets + categorical + [weights].compactMap { $0 })).sorted()
    let isDeclared = options.targets.isEmpty || targets == frame.defaultTargets ? frame.declaredTask : nil
    var most: [Int: Int] = [:]
    for column in targets where !frame.columns[column].isText {
      switch options.task ?? isDeclared {
      case .classification: most[column] = 2 * (max(1000, streamed.rows / 2) + 1)
      case .regression: most[column] = 1
      case nil: most[column] = 2 * (Schema.mostDistinctClasses + 1)
      }
    }
    if let weights { most[weights] = 4 }
    self.most = most
  }

  /// Whether no further row can matter.
  private var isOver: Bool { rows > 0 && deciding.allSatisfy { isFull($0) } }

  private func isFull(_ column: Int) -> Bool { (seen[column]?.count ?? 0) >= most[column] ?? .max }

  private mutating func add(_ part: Table) {
    let columns = deciding.map { ($0, part.columns[$0], part.columns[$0].numbers) }
    let shares = weights.flatMap { part.columns[$0].numbers }
    for row in 0..<part.rows {
      let counts = shares.map { $0[row] > 0 } ?? true
      var isNew = rows == 0
      for (column, content, values) in columns where !isFull(column) {
        let value: Double
        switch content {
        case .text(let text): value = text.codes[row] < 0 ? .nan : Double(text.codes[row])
        case .numeric: value = values?[row] ?? .nan
        }
        // Of weights it matters only whether they are above 0.
        let entry = Entry(
          value: value.isNaN || column == weights ? 0 : value, isMissing: value.isNaN, counts: counts)
        if seen[column, default: []].insert(entry).inserted { isNew = true }
      }
      if isNew { keep(row, columns) }
    }
  }

  private mutating func keep(_ row: Int, _ columns: [(Int, Column, [Double]?)]) {
    rows += 1
    for (column, content, values) in columns {
      switch content {
      case .text(let text): codes[column, default: []].append(text.codes[row])
      case .numeric: numbers[column, default: []].append(values?[row] ?? .nan)
      }
    }
  }

  private func table(like streamed: StreamedTable, rows count: Int) -> Table {
    var table = streamed.frame
    let zeros = NumericArray(rows, 1, .bytes([UInt8](repeating: 0, count: rows)))
    table.columns = streamed.frame.columns.enumerated().map { index, column in
      switch column {
      case .text(var text):
        text.codes = codes[index] ?? [Int32](repeating: -1, count: rows)
        return .text(text)
      case .numeric: return numbers[index].map { .numbers($0) } ?? .numeric(zeros, index: 0)
      }
    }
    table.rows = count  // of the data: how many classes there may be depends on it
    return table
  }
}
