import Fenchel

/// A generator's report for people.
struct GenerativeText {
  var report: GenerativeReport

  var text: String {
    let head = TextTable.labelled([
      (
        label: "data",
        text:
          "\(report.source) · \(Format.count(report.images, "image")) of \(report.width) × \(report.height) pixels"
      ),
      (label: "generator", text: summary),
      (label: "constraint", text: verdict),
      (label: "run", text: "\(ending) · seed \(report.seed) · \(Format.duration(report.seconds))"),
    ])
    return head + "\n\n" + table.text
  }

  /// What kind of generator it is.
  var summary: String {
    "\(report.generator.rawValue) · noise of \(Format.count(report.noise, "dimension")) · stages of "
      + "\(report.stages.map { "\($0.size)" }.joined(separator: ", ")) pixels"
  }

  /// How the run ended, and what it left out.
  private var ending: String {
    let missing = report.sizes.dropFirst(report.stages.count).map { "\($0)" }
    return report.status + (missing.isEmpty ? "" : ", without \(missing.joined(separator: ", ")) pixels")
  }

  private var verdict: String {
    let broken = report.stages.filter { !$0.holds }.map { "\($0.size)" }
    guard broken.isEmpty else {
      return "‖XᵀX − G*ᵀG*‖₂ is ABOVE β in the stages \(broken.joined(separator: ", "))"
    }
    return "‖XᵀX − G*ᵀG*‖₂ ≤ β in every stage, computed anew"
  }

  private var table: TextTable {
    var table = TextTable(
      ("pixels", .right), ("β", .right), ("σ_max²", .right), ("rank", .right), ("‖G*‖²", .right),
      ("‖XᵀX − G*ᵀG*‖", .right), ("generator's", .right), ("residual", .right), ("change", .right),
      ("weights²", .right), ("of exact ones", .right), ("neurons", .right), ("gap", .right), ("time", .right))
    for stage in report.stages {
      table.append(
        "\(stage.size)", Format.significant(stage.beta, 5), Format.significant(stage.largest, 5),
        "\(stage.rank)",
        Format.significant(stage.optimum, 5), Format.significant(stage.constraint, 8),
        Format.significant(stage.generatedConstraint, 8), Format.scientific(stage.residual),
        stage.change.map(Format.percent) ?? "", Format.significant(stage.weights, 5),
        stage.exactWeights.map { "\(Format.significant($0.lower, 4)) to \(Format.significant($0.upper, 4))" }
          ?? "",
        stage.neurons.map(String.init) ?? "",
        stage.certificate.map { Format.scientific($0.relativeGap) } ?? "",
        Format.duration(stage.seconds))
    }
    return report.generator == .relu ? table : table.without(columns: [10, 11, 12])
  }
}
