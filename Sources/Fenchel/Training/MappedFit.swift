import ConvexOptimization
import LinearAlgebra

/// A network fitted by the program of a plain ReLU network on mapped data: the fit there, and the map.
struct MappedFit: Sendable {
  var fit: Fit
  let map: any FeatureMap

  func certified(for problem: TrainingProblem) throws -> CertifiedNetwork {
    var result = try fit.certified(for: problem, network())
    result.objective = map.objective(of: result.network, on: problem, fit.program)
    // A point of the program too, which pruning may have made better.
    if let objective = result.objective {
      result.certificate.primal = min(result.certificate.primal, objective)
    }
    return result
  }

  /// The network on X, of no more neurons than needed unless rounding takes these out of the program.
  private func network() throws -> Network {
    let network = try map.decode(fit.network(hasBias: false))
    if let encoded = map.encode(network), fit.program.contains(encoded) { return network }
    return try map.decode(fit.program.decode(fit.solution.point, hasBias: false))
  }
}
