import ConvexOptimization
import LinearAlgebra

/// What the recomputation of a model's certificate came to.
public struct VerificationResult: Codable, Sendable, Equatable {
  /// Recomputed from the model's weights, its dual vector and patterns, and the data.
  public var recomputed: Certificate
  /// As the model file states it.
  public var stored: Certificate
  /// The bound over networks of any width that the file's proof gives, where the report has one.
  public var globalBound: Double?
  /// The same over networks whose neurons may feed several outputs.
  public var sharedBound: Double?
  /// Whether the network is a point of the program over the stored patterns: if not, the bound says nothing of it.
  public var isFeasible: Bool
  /// What else the report says that the recomputation denies: its gap, its status, the network's objective, its scores.
  public var falseStatements: [String]
  /// Whether the network is a point of the program, the stored values are not better than the recomputed ones beyond
  /// rounding, and the report says nothing false.
  public var agrees: Bool
}

/// Recomputes the certificate of a model from its file and the data that it was trained on: the network's own
/// objective above, and the bound that the stored dual vector gives over the stored patterns below. Nothing that the
/// file says about the values is believed, and the patterns must be those of a program that has the network as a point:
/// with fewer of them the bound would be larger.
///
/// Errors: `VerificationError` where the data are not the training data or the file holds no certificate.
public func verify(_ model: ModelFile, data: Dataset<Double>) throws -> VerificationResult {
  let report = model.report
  guard let proof = report.certificate, let λ = report.lambda else {
    throw VerificationError.noCertificate("the model \(report.model.rawValue) is no convex program")
  }
  guard data.rows == report.samples, data.features.columns == report.features else {
    throw VerificationError.otherData(
      source: data.source, rows: data.rows, columns: data.features.columns, expected: report.samples,
      report.features)
  }
  let problem = try TrainingProblem(
    data, isConvex: true, kind: report.loss, hasBias: report.settings.bias, features: model.scaling.features,
    targets: model.scaling.targets, parameters: report.settings.parameters)
  let (recomputed, isFeasible, bounds) = try recomputation(model, problem, proof, λ: λ)
  let rounding = 1e-9 * max(1, abs(recomputed.primal))
  let stored = Certificate(
    primal: proof.primal, dual: proof.dual, scope: proof.scope)
  let falseStatements =
    try falseStatements(of: model, proof, recomputed, data)
    + falseStatements(of: proof.global, recomputed: bounds, primal: proof.primal)
  let agrees =
    isFeasible && falseStatements.isEmpty && recomputed.primal <= stored.primal + rounding
    && recomputed.dual >= stored.dual - rounding
    && recomputed.dual <= recomputed.primal + rounding
  return VerificationResult(
    recomputed: recomputed, stored: stored, globalBound: bounds?.value, sharedBound: bounds?.shared,
    isFeasible: isFeasible, falseStatements: falseStatements,
    agrees: agrees)
}

/// What the network, the stored dual vector and the data prove: the certificate, whether the network is a point of the
/// program, and the bounds over networks of any width where the file has a proof of them.
private func recomputation(
  _ model: ModelFile, _ problem: TrainingProblem, _ proof: TrainingReport.CertificateSummary, λ: Double
) throws -> (certificate: Certificate, isFeasible: Bool, bounds: ProvenBounds?) {
  guard !model.settings.sharesNeurons || [.relu, .gatedReLU].contains(model.report.model) else {
    throw VerificationError.noCertificate("the model \(model.report.model.rawValue) has no shared neurons")
  }
  func primal(_ loss: StrictLoss) throws -> Double {
    var objective = NetworkObjective(loss: loss, λ: λ)
    objective.sharesNeurons = model.settings.sharesNeurons
    guard let value = objective.value(of: model.network, on: problem.inputs) else {
      throw VerificationError.noCertificate("the network is not of two layers")
    }
    return value
  }
  guard model.report.model.hasPatterns else {
    let program = try PolynomialProgram(
      x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters, λ: λ,
      activation: model.settings.activation
    ).findingRowSpace()
    let certificate = Certificate(
      primal: try primal(program.strictLoss), dual: program.dualBound(θ: try storedθ(model, problem)),
      scope: .exact)
    return (certificate, program.contains(model.network), nil)
  }
  if model.report.model == .threeLayer {
    return try threeLayerRecomputation(model, problem, proof, λ: λ)
  }
  let map: (any FeatureMap)?
  do { map = try problem.featureMap(model.settings) } catch let error as PatchError {
    throw VerificationError.noCertificate(error.description)
  }
  let inputs = map?.mapped(problem) ?? problem
  let (θ, patterns) = try storedDual(model, inputs)
  let encoded = map?.encode(model.network) ?? model.network
  let (program, isFeasible) = try storedProgram(model, encoded, inputs, patterns, λ: λ)
  let value: Double
  if let map {
    guard let own = map.objective(of: model.network, on: problem, program) else {
      throw VerificationError.noCertificate(
        "the network is not one of the model \(model.report.model.rawValue)")
    }
    value = own
  } else {
    value = try primal(program.strictLoss)
  }
  if model.settings.normalisesOutputs, program.isConstrained {
    let normalised = try PostNormalisationProgram(program)
    guard let value = normalised.objective(of: model.network, on: problem.inputs) else {
      throw VerificationError.noCertificate("the network is not of two layers")
    }
    let certificate = Certificate(primal: value, dual: normalised.dualBound(θ: θ), scope: proof.scope)
    return (certificate, isFeasible, nil)
  }
  if model.settings.sharesNeurons {
    let dual =
      program.isConstrained
      ? ConicNuclearProgram(program).dualBound(θ: θ) : NuclearProgram(program).dualBound(θ: θ)
    return (Certificate(primal: value, dual: dual, scope: proof.scope), isFeasible, nil)
  }
  var dual = program.dualBound(θ: θ).value
  // The solver may have known better multipliers than the first search finds.
  if dual < proof.dual - 1e-9 * max(1, abs(value)) {
    dual = program.dualBound(θ: θ, work: nil).value
  }
  // Other models have bounds of their own kind, which this proof says nothing of.
  let bounds =
    !model.report.model.hasCones
    ? nil
    : proof.global.flatMap {
      GlobalBound.recomputed(from: model.certificate, $0, program, dual: dual)
    }.flatMap { $0.value.isFinite ? $0 : nil }
  return (Certificate(primal: value, dual: dual, scope: proof.scope), isFeasible, bounds)
}

/// The program over activation patterns that a model was trained by, and whether its network is a point of it.
private func storedProgram(
  _ model: ModelFile, _ network: Network, _ problem: TrainingProblem, _ patterns: ActivationPatterns,
  λ: Double
) throws -> (TwoLayerProgram, isFeasible: Bool) {
  if model.report.model == .threshold {
    let program = try ThresholdProgram(
      x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters, λ: λ,
      patterns: patterns)
    return (program.lasso, program.contains(network))
  }
  let program = try TwoLayerProgram(
    x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters, λ: λ,
    patterns: patterns, isConstrained: model.report.model.hasCones, pooling: problem.pooling)
  return (program, program.contains(network, sharing: model.settings.sharesNeurons))
}

/// The same for networks of parallel sub-networks.
private func threeLayerRecomputation(
  _ model: ModelFile, _ problem: TrainingProblem, _ proof: TrainingReport.CertificateSummary, λ: Double
) throws -> (certificate: Certificate, isFeasible: Bool, bounds: ProvenBounds?) {
  let θ = try storedθ(model, problem)
  guard let gates = model.certificate["gates"]?.matrix, let signs = model.certificate["signs"]?.matrix,
    gates.rows == signs.rows, gates.columns == signs.columns * problem.x.columns,
    (1...TrainingSettings.largestSubnetwork).contains(signs.columns),
    signs.storage.allSatisfy({ abs($0) == 1 })
  else { throw VerificationError.noCertificate("gates and signs are missing, or do not fit the data") }
  let patterns: SubnetworkPatterns =
    try proof.scope == .exact
    ? allPatterns { () throws(PatternError) in try .enumerated(problem.x, width: signs.columns) }
    : .given(gates, signs: signs, for: problem.x)
  guard let form = ThreeLayerForm(model.network) else {
    throw VerificationError.noCertificate("the network is not one of parallel sub-networks")
  }
  let program = try ThreeLayerProgram(
    x: problem.x, loss: problem.loss, kind: problem.kind, parameters: problem.parameters, λ: λ,
    patterns: patterns)
  let norm = model.settings.columns ?? .unit
  let dual: Double
  if norm == .unit, let multipliers = program.multipliers(from: model.certificate) {
    dual = program.dualBound(θ: θ, shownBy: multipliers)
  } else {
    dual =
      norm == .unit
      ? program.dualBound(θ: θ) : frobeniusBound(FrobeniusProgram(program), θ, stored: proof.dual)
  }
  let certificate = Certificate(
    primal: form.objective(program.strictLoss, λ: λ, on: problem.inputs), dual: dual, scope: proof.scope)
  return (certificate, program.contains(model.network, norm: norm), nil)
}

/// What a report says of gap, status, objective and scores that differs, beyond rounding, from what the certificate, the
/// network and the data give.
private func falseStatements(
  of model: ModelFile, _ stored: TrainingReport.CertificateSummary, _ recomputed: Certificate,
  _ data: Dataset<Double>
) throws -> [String] {
  let report = model.report
  let scores = try model.scorecard(on: data)
  func check(_ name: String, _ said: Double?, _ found: Double?) -> String? {
    let (said, found) = (said ?? .nan, found ?? .nan)
    if said == found || said.isNaN && found.isNaN { return nil }
    return abs(said - found) <= 1e-9 * max(1, abs(found)) ? nil : "\(name) is \(found), not \(said)"
  }
  let gap = stored.primal - stored.dual
  var found = [
    check("the gap", stored.gap, gap),
    check("the relative gap", stored.relativeGap, gap / max(1, abs(stored.primal))),
    check("the network's objective", report.network.objective, recomputed.primal),
    check("the loss on the training data", report.train.loss, scores.loss),
    check("the accuracy on the training data", report.train.accuracy, scores.accuracy),
    check("the error on the training data", report.train.rmse, scores.rmse),
  ].compactMap { $0 }
  if report.model != report.settings.model {
    found.append("the model is \(report.settings.model.rawValue), not \(report.model.rawValue)")
  }
  if let patterns = report.patterns, patterns.exact != (stored.scope == .exact) {
    found.append("the patterns are \(stored.scope == .exact ? "" : "not ")all patterns of the data")
  }
  if let gates = model.certificate["gates"]?.matrix, let patterns = report.patterns,
    patterns.count != gates.rows
  {
    found.append("the number of patterns is \(gates.rows), not \(patterns.count)")
  }
  if let penalty = report.penalty, !penalty.isConsistent {
    found.append("the value of the penalised program, its bound and its gap contradict each other")
  }
  if let penalty = report.penalty, !(penalty.bound <= recomputed.dual + 1e-9 * max(1, abs(recomputed.primal)))
  {
    found.append("the bound of the penalised program is not shown by the file's multipliers")
  }
  if report.status == Status.solved.name, recomputed.relativeGap > report.settings.tolerance * (1 + 1e-6) {
    found.append("the gap is above the tolerance, so that the program is not solved")
  }
  return found
}

/// What a report says of the bound over all networks and its proof does not show.
private func falseStatements(
  of stored: TrainingReport.GlobalSummary?, recomputed: ProvenBounds?, primal: Double
) -> [String] {
  guard let stored else { return [] }
  let (scale, bound) = (max(1, abs(primal)), recomputed?.value ?? -.infinity)
  let gap = (primal - stored.bound) / scale
  var found: [String] = []
  if !(stored.bound <= bound + 1e-9 * scale) {
    found.append(
      recomputed == nil || bound == -.infinity
        ? "the bound over all networks is not shown by the file's proof"
        : "the bound over all networks is \(bound), not \(stored.bound)")
  }
  if !(bound <= primal + 1e-9 * scale) || !(abs(stored.relativeGap - gap) <= 1e-9) {
    found.append("the gap to the bound over all networks is \(gap), not \(stored.relativeGap)")
  }
  if let shared = stored.shared, !(shared <= (recomputed?.shared ?? -.infinity) + 1e-9 * scale) {
    found.append("the bound over networks of shared neurons is not shown to be \(shared)")
  }
  if stored.kind == .exact, !GlobalBounding.isExact(stored.bound, primal: primal) {
    found.append("the network is not proven to be the best of any width")
  }
  return found
}

/// The bound that θ gives, from plain norms where these show what the file says: a run that was interrupted had no others, and
/// those of all groups take long.
private func frobeniusBound(_ program: FrobeniusProgram, _ θ: Matrix<Double>, stored: Double) -> Double {
  let plain = program.dualBound(θ: θ, deadline: Deadline(in: 0))
  return plain >= stored - 1e-12 * abs(stored) ? plain : program.dualBound(θ: θ)
}

/// θ of a model file, checked against the problem's shape.
private func storedθ(_ model: ModelFile, _ problem: TrainingProblem) throws -> Matrix<Double> {
  guard let θ = model.certificate["theta"]?.matrix else {
    throw VerificationError.noCertificate("theta is missing")
  }
  guard θ.rows == problem.loss.samples, θ.columns == problem.loss.outputs else {
    throw VerificationError.noCertificate("theta does not fit the data")
  }
  return θ
}

/// θ and the patterns of a model file, checked against the problem's shape.
private func storedDual(
  _ model: ModelFile, _ problem: TrainingProblem
) throws -> (Matrix<Double>, ActivationPatterns) {
  guard let θ = model.certificate["theta"]?.matrix, let gates = model.certificate["gates"]?.matrix,
    let rows = model.certificate["patterns"]?.bitMatrix(columns: problem.x.rows)
  else { throw VerificationError.noCertificate("theta, gates or patterns are missing") }
  guard θ.rows == problem.loss.samples, θ.columns == problem.loss.outputs, rows.rows == gates.rows,
    gates.columns == problem.x.columns
  else { throw VerificationError.noCertificate("theta, gates and patterns do not fit the data") }
  let isExact = model.report.certificate?.scope == .exact
  if isExact {
    let all = try allPatterns { () throws(PatternError) in try ActivationPatterns.enumerated(problem.x) }
    guard all.count == rows.rows else {
      throw VerificationError.noCertificate("the patterns are not all patterns of the data")
    }
    return (θ, all)
  }
  return (θ, ActivationPatterns(bits: rows.transposed, gates: gates, isExact: false))
}

/// Patterns that a file claims to be all: they were enumerated once if that is true.
private func allPatterns<Patterns>(
  _ enumerate: () throws(PatternError) -> Patterns
) throws(VerificationError) -> Patterns {
  do { return try enumerate() } catch {
    throw .noCertificate("it is stated for all patterns of the data, and these cannot be enumerated")
  }
}

/// Why a certificate cannot be recomputed.
public enum VerificationError: Error, CustomStringConvertible, Sendable, Equatable {
  case otherData(source: String, rows: Int, columns: Int, expected: Int, Int)
  case noCertificate(String)

  public var description: String {
    switch self {
    case .otherData(let source, let rows, let columns, let n, let d):
      "\(source): \(rows) rows and \(columns) features, but the model was trained on \(n) rows and \(d) features;"
        + " give the training data"
    case .noCertificate(let why): "the model holds no certificate that can be recomputed: \(why)"
    }
  }
}
