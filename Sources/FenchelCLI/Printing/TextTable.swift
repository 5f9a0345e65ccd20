/// Rows of text in aligned columns.
struct TextTable {
  enum Alignment { case left, right }

  var header: [String]
  var alignments: [Alignment]
  var rows: [[String]] = []

  init(_ columns: (String, Alignment)...) {
    header = columns.map(\.0)
    alignments = columns.map(\.1)
  }

  mutating func append(_ cells: String...) { rows.append(cells) }

  /// The table with some columns left out.
  func without(columns: [Int]) -> TextTable {
    var result = self
    let kept = header.indices.filter { !columns.contains($0) }
    result.header = kept.map { header[$0] }
    result.alignments = kept.map { alignments[$0] }
    result.rows = rows.map { row in kept.map { row[$0] } }
    return result
  }

  /// The table with two spaces between columns and a rule under the header.
  var text: String {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { width(of: $0[column]) }.max() ?? 0 }
    func line(_ cells: [String]) -> String {
      let padded = cells.indices.map { pad(cells[$0], to: widths[$0], alignments[$0]) }
      let joined = padded.joined(separator: "  ")
      return String(joined.reversed().drop { $0 == " " }.reversed())
    }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
  }

  /// Lines of a label and what it says, labels in one column.
  static func labelled(_ lines: [(label: String, text: String)]) -> String {
    let width = lines.map { $0.label.count }.max() ?? 0
    return lines.map { label, text in
      label + String(repeating: " ", count: width - label.count + 2) + text
    }.joined(separator: "\n")
  }

  private func width(of cell: String) -> Int { cell.count }

  private func pad(_ cell: String, to width: Int, _ alignment: Alignment) -> String {
    let space = String(repeating: " ", count: max(0, width - cell.count))
    return alignment == .left ? cell + space : space + cell
  }
}
