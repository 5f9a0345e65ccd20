import Fenchel

/// What `data info` says of a table.
struct TableDescription: Encodable {
  struct ColumnSummary: Encodable {
    var name: String
    /// `numbers` or `text`.
    var kind: String
    var missing: Int
    var distinct: Int?
    var least: Double?
    var mean: Double?
    var largest: Double?
  }

  var name: String
  var rows: Int
  var sha256: String
  var columns: [ColumnSummary]
  /// Names of the columns that are the target unless `--target` says otherwise.
  var targets: [String]
  var notices: [String]

  init(_ table: Table, name: String) throws {
    self.name = name
    rows = table.rows
    sha256 = table.sha256
    targets = table.defaultTargets.map { table.names[$0] }
    notices = table.notices
    columns = zip(table.names, table.columns).map { TableDescription.summary($0, $1, rows: table.rows) }
  }

  private static func summary(_ name: String, _ column: Column, rows: Int) -> ColumnSummary {
    var result = ColumnSummary(name: name, kind: column.isText ? "text" : "numbers", missing: 0)
    if let values = column.numbers {
      let present = values.filter { !$0.isNaN }
      result.missing = rows - present.count
      guard !present.isEmpty else { return result }
      result.least = present.reduce(.infinity, min)
      result.largest = present.reduce(-.infinity, max)
      result.mean = present.reduce(0) { $0 + $1 / Double(present.count) }
    } else if case .text(let text) = column {
      result.distinct = text.values.count
      result.missing = text.codes.count { $0 < 0 }
    }
    return result
  }

  /// At most this many columns are shown to people.
  private static let shown = 40

  var text: String {
    var table = TextTable(
      ("column", .left), ("kind", .left), ("missing", .right), ("least", .right), ("mean", .right),
      ("largest", .right))
    for column in columns.prefix(TableDescription.shown) {
      let kind = column.distinct.map { "text, \($0) values" } ?? column.kind
      table.append(
        printable(column.name) + (targets.contains(column.name) ? " (target)" : ""), kind,
        String(column.missing), show(column.least), show(column.mean), show(column.largest))
    }
    let rest = columns.count - TableDescription.shown
    let more = rest > 0 ? "\n… and \(Format.count(rest, "column")) more" : ""
    let head = TextTable.labelled([
      (
        label: "data",
        text: "\(name) · \(Format.count(rows, "row")) × \(Format.count(columns.count, "column"))"
      ),
      (label: "SHA-256", text: sha256),
    ])
    return "\(head)\n\n\(table.text)\(more)"
  }

  private func show(_ value: Double?) -> String { value.map { Format.significant($0, 5) } ?? "" }
}
