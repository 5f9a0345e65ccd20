import ConvexOptimization
import LinearAlgebra

/// A ReLU network with batch normalisation fitted to a problem: the fit on the normalised data, and how these came about.
struct NormalisedFit: Sendable {
  var fit: Fit
  let map: BatchNormalisation

  func certified(for problem: TrainingProblem) throws -> CertifiedNetwork {
    var result = try fit.certified(for: problem, network())
    result.objective = map.objective(of: result.network, on: problem, fit.program)
    return result
  }

  /// The plain network, of no more neurons than needed unless rounding takes these out of the program.
  private func network() throws -> Network {
    let network = try map.decode(fit.network(hasBias: false))
    if let encoded = map.encode(network), fit.program.contains(encoded) { return network }
    return try map.decode(fit.program.decode(fit.solution.point, hasBias: false))
  }
}

extension BatchNormalisation {
  init(_ problem: TrainingProblem) throws(BatchNormalisationError) {
    try self.init(
      problem.inputs, weights: problem.loss.weights, hasShift: problem.hasBias,
      names: problem.schema.featureNames)
  }

  /// The problem of a plain network on the normalised data.
  func normalised(_ problem: TrainingProblem) -> TrainingProblem {
    TrainingProblem(problem, inputs: data)
  }

  /// The settings of its training: gates are those on the normalised data.
  func adapted(_ settings: TrainingSettings) throws -> TrainingSettings {
    guard case .gates(let gates) = settings.patterns else { return settings }
    var settings = settings
    settings.patterns = .gates(try encode(gates: gates))
    return settings
  }

  /// ℓ(f(X)) + (λ/2) Σ (γ² + α² + w₂²) of a plain network on X: its own predictions, and the decay that its weights have as
  /// those of neurons that are normalised. Nil for networks of another form.
  func objective(of network: Network, on problem: TrainingProblem, _ program: TwoLayerProgram) -> Double? {
    let objective = NetworkObjective(loss: program.strictLoss, λ: program.λ)
    guard let encoded = encode(network), let penalty = objective.penalty(of: encoded),
      let f = objective.predictions(of: network, on: problem.inputs)
    else { return nil }
    return objective.loss.value(at: f) + penalty
  }
}
