import ConvexOptimization
import LinearAlgebra

extension LiftedProgram {
  /// The same model with every λ_l = 1 (Gu, Askari & El Ghaoui 2019, appendix A): where D is homogeneous of degree 2, as
  /// for ReLU, leaky ReLU and the identity,
  ///
  ///     X̄_l = √λ_{l−1} X_l,   W̄_l = √(λ_l/λ_{l−1}) W_l,   b̄_l = √λ_l b_l,   ρ̄_l = ρ_l λ_{l−1}/λ_l,   λ_{−1} = λ_L = 1
  ///
  /// have the same value: only the ρ_l tell the layers apart, so that one λ is enough. (The paper's (21) prints √λ_L for
  /// 1/√λ_L, and leaves a bar out.)
  ///
  /// - Throws: `LiftedError.notHomogeneous` for another activation.
  public func withUnitPenaltyWeights() throws -> LiftedProgram {
    for penalty in penalties where !Self.homogeneous.contains(penalty.divergence.name) {
      throw LiftedError.notHomogeneous(penalty.divergence.name)
    }
    let ρ = (0...hiddenLayers).map { l in self.ρ[l] * λ(below: l) / λ(above: l) }
    return LiftedProgram(self, λ: [Element](repeating: 1, count: hiddenLayers), ρ: ρ)
  }

  private static var homogeneous: [String] { ["relu", "leaky-relu", "identity"] }

  /// A point of this model as one of `withUnitPenaltyWeights`.
  public func withUnitPenaltyWeights(_ point: LiftedPoint<Element>) -> LiftedPoint<Element> {
    var result = point
    let hasBias = point.network.hasBias
    for l in 0...hiddenLayers {
      let (w, scale) = (point.network.weights[l], (λ(above: l) / λ(below: l)).squareRoot())
      var scales = [Element](repeating: scale, count: w.rows)
      if hasBias { scales[w.rows - 1] = λ(above: l).squareRoot() }
      for i in 0..<w.rows {
        for j in 0..<w.columns { result.network.weights[l][i, j] = scales[i] * w[i, j] }
      }
      if l < hiddenLayers { result.outputs[l].scale(by: λ[l].squareRoot()) }
    }
    return result
  }

  /// λ_{l−1}, of the layer's inputs.
  private func λ(below l: Int) -> Element { l == 0 ? 1 : λ[l - 1] }

  /// λ_l, of the layer's outputs.
  private func λ(above l: Int) -> Element { l == hiddenLayers ? 1 : λ[l] }
}
