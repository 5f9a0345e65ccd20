import Experiments
import Fenchel

/// An experiment's report for people: the setting, ours beside the paper's, and what is to be said of it.
struct ExperimentText {
  var report: ExperimentReport

  var text: String {
    var parts = ["\(report.experiment) · \(report.subject)\n\(report.paper.citation)"]
    parts.append(listed("setting", report.setting))
    parts.append(table)
    parts.append(listed("remarks", report.remarks + (report.isComplete ? [] : ["stopped before the end"])))
    parts.append(listed("left open by the paper", report.openPoints))
    let environment = report.environment
    parts.append(
      "run      \(environment.processor) · \(Format.count(environment.threads, "thread")) · OpenBLAS "
        + "\(environment.blasCore) · \(Format.duration(report.seconds))\n"
        + "written  " + report.files.joined(separator: "\n         "))
    return parts.filter { !$0.isEmpty }.joined(separator: "\n\n")
  }

  private func listed(_ title: String, _ lines: [String]) -> String {
    lines.isEmpty ? "" : ([title] + lines.map { "  - \($0)" }).joined(separator: "\n")
  }

  private var table: String {
    let hasGroups = report.comparisons.contains { !$0.group.isEmpty }
    let hasPaper = report.comparisons.contains { $0.paper != nil }
    var table = TextTable(
      ("", .left), ("method", .left), ("ours", .left), ("paper", .left), ("ours − paper", .right))
    var last = ""
    for row in report.comparisons {
      table.append(
        row.group == last ? "" : row.group, row.name, shown(row.ours), shown(row.paper),
        row.difference.map { ($0 >= 0 ? "+" : "") + fixedDecimal($0, digits: 4) } ?? "")
      last = row.group
    }
    return table.without(columns: (hasGroups ? [] : [0]) + (hasPaper ? [] : [3, 4])).text
  }

  private func shown(_ value: Measurement?) -> String {
    guard let value else { return "–" }
    let spread = value.deviation.map { " ± \(fixedDecimal($0, digits: 4))" } ?? ""
    return fixedDecimal(value.mean, digits: 4) + spread
  }
}
