import ConvexOptimization
import LinearAlgebra

/// The Lagrangian dual of training a network, in the multipliers of B_l(X_{l+1}, X_l W_l + b_l) ≤ 0 (Gu, Askari & El
/// Ghaoui 2019, eqs. 7 and 8):
///
///     G(λ) = min_{W, X} ℓ(X_L W_L + b_L) + Σ ρ_l‖W_l‖² + Σ λ_l B_l(X_{l+1}, X_l W_l + b_l)  ≤  p*
///
/// with p* the least value of the network's own problem, ℓ of its outputs and the same Σ ρ_l‖W_l‖². G is concave, with the
/// B_l at a minimiser as supergradient; these are not negative, so that G rises with every λ_l.
///
/// The inner minimum is not a convex problem. Descent finds a local one, and its value lies at or above G(λ): an estimate of
/// the lower bound, not a bound, and it may exceed p* itself. The problem of one layer is convex: see `OneLayerProgram`.
public struct LagrangianDual<Element: Scalar> {
  /// The model at the λ where the ascent begins.
  private let program: LiftedProgram<Element>
  /// Sweeps over all blocks for one value of G, less where a sweep lowers the value by less than 1e-4 of it.
  public var sweeps = 20
  /// Called after every value of G; true ends the ascent.
  public var isInterrupted: () -> Bool = { false }

  /// - Throws: `LiftedError`, as `LiftedProgram` does.
  public init(
    x: Matrix<Element>, loss: any Loss<Element>, kind: LossKind, activations: [Activation], λ: [Element],
    ρ: [Element]
  ) throws {
    program = try LiftedProgram(
      x: x, loss: loss, kind: kind, activations: activations, form: .fenchel, λ: λ, ρ: ρ)
  }

  /// Ascends from the program's λ by Polyak's steps toward the least network value seen, at most ten-fold a step for each
  /// λ_l. Every inner descent begins at the better of the last minimiser and the feed-forward point of the best network,
  /// where the value is that network's own: no estimate exceeds the least network value before it.
  ///
  /// - Returns: an estimate for each λ visited, `steps` + 1 or less.
  /// - Throws: `LiftedError.shape` where the network does not fit; `FactorisationError` where a block has no unique
  ///   solution in this precision.
  public func ascend(from network: FeedForward<Element>, steps: Int) throws -> [DualEstimate] {
    try LiftedProgram.check(network, inputs: program.x.columns, outputs: program.outputs)
    guard network.activations.count == program.hiddenLayers else {
      throw LiftedError.count("activations", network.activations.count, expected: program.hiddenLayers)
    }
    var estimates: [DualEstimate] = []
    var best = (network: network, value: self.value(of: network))
    var (program, point) = (program, nil as LiftedPoint<Element>?)
    while estimates.count <= steps {
      let descent = try minimise(program, from: point, or: best.network)
      let own = self.value(of: descent.point.network)
      if own < best.value { best = (descent.point.network, own) }
      let λ = program.λ.map { Double($0) }
      let divergences = zip(descent.objective.penalties, λ).map { max(0, $0 / $1) }
      estimates.append(
        DualEstimate(λ: λ, value: descent.objective.total, divergences: divergences, network: own))
      let square = divergences.reduce(0) { $0 + $1 * $1 }
      let rise = best.value - descent.objective.total
      guard square > 0, rise > 0, !isInterrupted() else { break }
      let next = zip(λ, divergences).map { min($0 + rise / square * $1, 10 * $0) }
      guard next.allSatisfy(\.isFinite), next != λ else { break }
      program = LiftedProgram(program, λ: next.map { Element($0) }, ρ: program.ρ)
      point = descent.point
    }
    return estimates
  }

  /// ℓ of the network's outputs and its ridges.
  private func value(of network: FeedForward<Element>) -> Double {
    let objective = program.objective(at: LiftedPoint(forward: network, on: program.x))
    return objective.loss + objective.ridges.reduce(0, +)
  }

  private func minimise(
    _ program: LiftedProgram<Element>, from point: LiftedPoint<Element>?, or network: FeedForward<Element>
  ) throws -> BlockCoordinateDescent<Element> {
    var descent = try BlockCoordinateDescent(program, from: network, tolerance: 1e-4, maximumSteps: 50)
    if let point { descent.restart(at: point) }
    for _ in 0..<sweeps where !isInterrupted() {
      let before = descent.objective.total
      try descent.sweep()
      if before - descent.objective.total <= 1e-4 * before { break }
    }
    return descent
  }
}

/// What descent found for the Lagrangian dual G at one λ.
public struct DualEstimate: Codable, Sendable, Equatable {
  public var λ: [Double]
  /// At or above G(λ).
  @FiniteOrNull public var value: Double
  /// B_l for l = 0 … L − 1: the supergradient of G, where the point is a minimiser.
  public var divergences: [Double]
  /// The value of the network with the weights of the point, at or above p*.
  @FiniteOrNull public var network: Double

  private enum CodingKeys: String, CodingKey {
    case λ = "lambda"
    case value, divergences, network
  }
}
