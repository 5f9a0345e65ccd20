import ConvexOptimization
import Fenchel

/// A training report for people: a few aligned lines.
struct ReportText {
  var report: TrainingReport
  /// What was trained on, such as a file name.
  var source: String

  var text: String {
    var lines = [
      (label: "data", text: data), (label: "model", text: model), (label: "certificate", text: certificate),
    ]
    if let search { lines.append((label: "search", text: search)) }
    lines.append((label: "network", text: network))
    lines.append((label: "train", text: ReportText.scores(report.train)))
    if let test = report.test { lines.append((label: "test", text: ReportText.scores(test))) }
    lines.append((label: "run", text: run))
    return TextTable.labelled(lines)
  }

  private var data: String {
    let outputs = report.outputs > 1 ? " · \(report.outputs) outputs" : ""
    return
      "\(source) · \(Format.count(report.samples, "row")) × \(Format.count(report.features, "feature"))\(outputs)"
  }

  private var model: String {
    let kind = report.model == .relu ? "ReLU network" : "gated ReLU network"
    let ratio =
      report.lambdaMax > 0 ? " = \(Format.significant(report.lambda / report.lambdaMax, 3))·λ_max" : ""
    return "\(kind) · \(report.loss.rawValue) loss · λ = \(Format.number(report.lambda))\(ratio)"
  }

  private var certificate: String {
    let proof = report.certificate
    let scope =
      proof.scope == .exact
      ? "for networks of any width (all \(report.patterns.count) patterns)"
      : "for these \(report.patterns.count) patterns only"
    return "\(Format.number(proof.dual)) ≤ optimum ≤ \(Format.number(proof.primal)) · "
      + "relative gap \(Format.scientific(proof.relativeGap)) · \(scope)"
  }

  /// What pricing found; worded so that nobody takes it for a bound.
  private var search: String? {
    guard let violation = report.certificate.heuristicViolation else { return nil }
    if violation > 1e-12 {  // less is the rounding of its products
      return "found a neuron outside these patterns that would help (violation "
        + "\(Format.scientific(violation)); an estimate, not a bound)"
    }
    return "found no neuron outside these patterns that would help (a search, not a bound)"
  }

  private var network: String {
    "\(Format.count(report.network.neurons, "neuron")) · objective \(Format.number(report.network.objective))"
  }

  private var run: String {
    "\(report.status) · \(Format.count(report.iterations, "iteration")) · \(Format.duration(report.seconds)) · "
      + "\(Format.bytes(report.peakMemoryBytes)) peak"
  }

  /// The scores that a score card has.
  static func scores(_ card: Scorecard) -> String {
    var parts: [String] = []
    if let accuracy = card.accuracy { parts.append("accuracy \(Format.percent(accuracy))") }
    if let logLoss = card.logLoss { parts.append("log-loss \(Format.significant(logLoss, 4))") }
    if let rmse = card.rmse { parts.append("rmse \(Format.significant(rmse, 5))") }
    if let mae = card.mae { parts.append("mae \(Format.significant(mae, 5))") }
    if let rSquared = card.rSquared { parts.append("r² \(Format.significant(rSquared, 4))") }
    parts.append("mean loss \(Format.significant(card.loss, 4))")
    return parts.joined(separator: " · ")
  }
}
