import ConvexOptimization
import Fenchel

/// A training report for people: a few aligned lines.
struct ReportText {
  var report: TrainingReport
  /// What was trained on, such as a file name.
  var source: String

  var text: String {
    var lines = [
      (label: "data", text: data), (label: "model", text: model),
    ]
    if let certificate { lines.append((label: "certificate", text: certificate)) }
    if let bound { lines.append((label: "any width", text: bound)) }
    if let sharedBound { lines.append((label: bound == nil ? "any width" : "", text: sharedBound)) }
    if let penalty { lines.append((label: "penalty form", text: penalty)) }
    if let refinement { lines.append((label: "refinement", text: refinement)) }
    if let search { lines.append((label: "search", text: search)) }
    lines.append((label: "network", text: network))
    if let dual { lines.append((label: "dual", text: dual)) }
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
    let loss = "\(report.loss.rawValue) loss"
    switch report.model {
    case .relu where report.settings.outputs == .nuclear:
      return "ReLU network of neurons that all outputs share · \(loss)\(regularisation)"
    case .relu: return "ReLU network · \(loss)\(regularisation)"
    case .gatedReLU where report.settings.outputs == .nuclear:
      return "gated ReLU network of neurons that all outputs share · \(loss)\(regularisation)"
    case .gatedReLU: return "gated ReLU network · \(loss)\(regularisation)"
    case .batchNorm:
      let place = report.settings.normalisation == .after ? " after the ReLU" : ""
      return "ReLU network with batch normalisation\(place) · \(loss)\(regularisation)"
    case .cnn, .gatedCNN:
      let patches = report.settings.convolution ?? PatchSettings()
      let kernel = (patches.kernelHeight.map { "\($0) × " } ?? "") + "\(patches.kernelWidth)"
      let pooling = patches.pooling == .sum ? "sums" : "averages"
      let gated = report.model == .gatedCNN ? "gated " : ""
      return "\(gated)convolutional ReLU network, kernel \(kernel), \(pooling) · \(loss)\(regularisation)"
    case .threeLayer:
      let width = report.settings.subnetwork ?? TrainingSettings.defaultSubnetwork
      return
        "three-layer network · sub-networks of \(Format.count(width, "neuron"))"
        + (report.settings.columns == .frobenius ? " in the Frobenius ball" : "")
        + " · \(loss)\(regularisation)"
    case .threshold: return "threshold network · \(loss)\(regularisation)"
    case .polynomial:
      let activation = report.settings.coefficients ?? .nearReLU
      return "network with \(polynomial(activation)) · \(loss)\(regularisation)"
    case .quadratic: return "network with t² · \(loss)\(regularisation)"
    case .fenchel, .lifted, .admm, .bcd, .mac, .zhangBrand, .lpom, .contrastive:
      return "\(architecture) · \(report.model.rawValue) · \(loss)"
    case .mlp:
      let optimizer = (report.settings.layers ?? LayerSettings()).optimizer.rawValue
      return "\(architecture) · \(optimizer) · \(loss)"
    }
  }

  private func polynomial(_ σ: Polynomial) -> String {
    "\(Format.number(σ.a)) t² + \(Format.number(σ.b)) t + \(Format.number(σ.c))"
  }

  private var regularisation: String {
    guard let λ = report.lambda else { return "" }
    let largest = report.lambdaMax ?? 0
    let ratio = largest > 0 ? " = \(Format.significant(λ / largest, 3))·λ_max" : ""
    return " · λ = \(Format.number(λ))\(ratio)"
  }

  /// The widths of a network of many layers, and its activation.
  private var architecture: String {
    let layers = report.settings.layers ?? LayerSettings()
    let hidden = layers.architecture.map { $0.steps.map(\.description) } ?? layers.hidden.map(String.init)
    let widths = ["\(report.features)"] + hidden + ["\(report.outputs)"]
    return
      "\(widths.joined(separator: layers.architecture == nil ? "-" : " → ")) network · \(layers.activation)"
      + (layers.initialModel.map { " · from \($0)" } ?? "")
  }

  private var certificate: String? {
    guard let proof = report.certificate else { return nil }
    let patterns = report.patterns.map { "\($0.count) patterns" }
    // Without a bias no gate can be moved off the samples that it meets, whose pattern no open cell need have.
    let mayMeetSamples = report.model.hasPatterns && !report.model.hasCones && !report.settings.bias
    let scope =
      proof.scope == .exact
      ? "for networks of any width" + (mayMeetSamples ? " whose gates meet no sample" : "")
        + (report.outputs > 1 && report.model.hasCones ? ", a neuron feeding one output" : "")
        + (patterns.map { " (all \($0))" } ?? "")
      : "for these \(patterns ?? "patterns") only"
    return "\(Format.number(proof.dual)) ≤ optimum ≤ \(Format.number(proof.primal)) · "
      + "relative gap \(Format.scientific(proof.relativeGap)) · \(scope)"
  }

  /// The bound over networks of any width.
  private var bound: String? {
    guard let global = report.certificate?.global, report.certificate?.scope != .exact else { return nil }
    let bound = "every network's objective ≥ \(Format.number(global.bound))"
    let primal = report.certificate?.primal ?? .nan
    let share = primal > 0 ? " · \(Format.percent(max(0, global.bound / primal))) of this one's" : ""
    switch global.kind {
    case .exact:
      return
        "\(bound) · relative gap \(Format.scientific(global.relativeGap)) · proof that no network is better"
    case .certified: return "\(bound)\(share) · certified"
    }
  }

  /// The bound over networks whose neurons may feed several outputs.
  private var sharedBound: String? {
    report.certificate?.global?.shared.map {
      "\(bound == nil ? "every network's objective " : "")≥ \(Format.number($0)) where neurons may feed several outputs · "
        + "a weak bound"
    }
  }

  /// The program with hinges in place of cones, worded so that nobody takes its value for the network's.
  private var penalty: String? {
    report.penalty.map {
      "\(Format.number($0.bound)) ≤ penalised optimum ≤ \(Format.number($0.value)) · relative gap "
        + "\(Format.scientific($0.relativeGap)) · ρ = \(Format.number($0.weight)) · cones violated by "
        + "\(Format.number($0.violation)) · network before local training \(Format.number($0.decoded))"
    }
  }

  /// Where the time of a refinement went.
  private var refinement: String? {
    report.refinement.map {
      "\(Format.count($0.rounds, "round")) · local training \(Format.duration($0.localSeconds)) (first "
        + "\(Format.duration($0.firstSeconds))) · search \(Format.duration($0.searchSeconds)) · cone programs \(Format.duration($0.programSeconds))"
    }
  }

  /// What pricing found; worded so that nobody takes it for a bound.
  private var search: String? {
    guard let proof = report.certificate, proof.global?.kind != .exact else { return nil }
    guard let violation = proof.heuristicViolation else {
      return report.refinement == nil ? nil : "the run ended before a search beside the last patterns"
    }
    if violation > report.settings.tolerance {
      return "found a neuron outside these patterns that would help (violation "
        + "\(Format.scientific(violation)); an estimate, not a bound)"
    }
    // Less than 1e-12 is the rounding of its products.
    let rest = violation > 1e-12 ? "violation at most \(Format.scientific(violation)); " : ""
    return "found no neuron outside these patterns that would help (\(rest)a search, not a bound)"
  }

  private var network: String {
    "\(Format.count(report.network.neurons, "neuron")) · objective \(Format.number(report.network.objective))"
  }

  /// The Lagrangian dual, worded so that nobody takes an estimate for a bound.
  private var dual: String? {
    guard let dual = report.lagrangianDual, let last = dual.ascent.last else { return nil }
    let λ = last.λ.map { Format.significant($0, 3) }.joined(separator: ", ")
    return "lower bound ≈ \(Format.number(dual.value)) (an estimate, not a bound) · best network "
      + "\(Format.number(dual.network)) · λ up to \(λ)"
  }

  private var run: String {
    "\(report.status) · \(Format.count(report.iterations, report.history == nil ? "iteration" : "epoch"))\(kept) · \(Format.duration(report.seconds)) · "
      + "\(Format.bytes(report.peakMemoryBytes)) peak"
  }

  /// Which epoch early stopping chose.
  private var kept: String {
    report.bestEpoch.map { $0 == 0 ? ", weights of the start" : ", weights of epoch \($0)" } ?? ""
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
