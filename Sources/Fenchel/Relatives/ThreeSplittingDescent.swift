import ConvexOptimization
import LinearAlgebra

/// The numbers of `ThreeSplittingDescent`, by default those of the code of Zeng, Lau, Lin & Yao (2019).
public struct ThreeSplittingSettings: RelativeSettings {
  /// γ, the weight of ‖V_l − φ(U_l)‖².
  public var γ = 1.0
  /// ρ, the weight of ‖U_l − V_{l−1} W_l‖².
  public var ρ = 1.0
  /// α, the weight of the proximal terms of the weights and of the last outputs.
  public var α = 0.01

  public init() {}

  public static var numbers: [RelativeNumber<Self>] {
    [
      RelativeNumber("gamma", \.γ), RelativeNumber("rho", \.ρ), RelativeNumber("alpha", \.α),
    ]
  }

  private enum CodingKeys: String, CodingKey {
    case γ = "gamma"
    case ρ = "rho"
    case α = "alpha"
  }
}

/// Proximal block-coordinate descent on the three-splitting of a network (Lau, Zeng, Wu & Yao 2018; Zeng, Lau, Lin & Yao
/// 2019, Algorithm 2): weights, pre-activations U_l and outputs V_l of all layers, the last of which has φ = id,
///
///     min ℓ(V_L) + Σ_l (γ/2)‖V_l − φ_l(U_l)‖² + (ρ/2)‖U_l − V_{l−1} W_l − 1 b_lᵀ‖²,   V_{−1} = X
///
/// A sweep goes from the last layer to the first; each update minimises over its block, with (α/2)‖·‖² of the step added
/// for the weights and V_L, so none raises the objective:
///
///     V_L = argmin ℓ(V) + (γ/2)‖V − U_L‖² + (α/2)‖V − V_L‖²
///     U_L = (γV_L + ρM)/(γ + ρ),   M = V_{l−1} W_l + 1 b_lᵀ
///     W_l = argmin (ρ/2)‖U_l − V_{l−1} W − 1 bᵀ‖² + (α/2)‖W − W_l‖² + (α/2)‖b − b_l‖²
///     V_l = argmin (ρ/2)‖U_{l+1} − V W_{l+1} − 1 b_{l+1}ᵀ‖² + (γ/2)‖V − φ_l(U_l)‖²
///     U_l = argmin (γ/2)‖V_l − φ_l(U)‖² + (ρ/2)‖U − M‖²,   entry by entry
///
/// Weights and bias move together; the authors' code moves one after the other. Cost of a sweep: 8n times the number of
/// weights, and the squares of the inner widths.
package struct ThreeSplittingDescent<Element: Scalar>: SweepMethod {
  private var split: SplitNetwork<Element>
  private let loss: any Loss<Element>
  private let settings: ThreeSplittingSettings
  /// V_L.
  package private(set) var output: Matrix<Element>

  /// - Throws: `RelativeError` for numbers out of range and activations that are not linear piece by piece.
  package init(
    _ network: FeedForward<Element>, _ data: SweepData<Element>,
    settings: ThreeSplittingSettings = ThreeSplittingSettings()
  ) throws {
    try settings.check()
    split = try SplitNetwork(
      network, data.x, inputs: settings.ρ, outputs: settings.γ, shift: settings.α / settings.ρ)
    (loss, self.settings) = (data.loss, settings)
    output = split.point.inputs[split.last]
  }

  package var network: FeedForward<Element> { split.network }
  /// U_l, and V_l for l < L.
  package var point: ForwardPass<Element> { split.point }

  private var γ: Element { Element(settings.γ) }
  private var ρ: Element { Element(settings.ρ) }
  private var α: Element { Element(settings.α) }

  package mutating func sweep() throws {
    updateOutput()
    updateLastInputs()
    try updateWeights(split.last)
    for l in (0..<split.last).reversed() {
      try updateOutputs(l)
      updateInputs(l)
      try updateWeights(l)
    }
  }

  /// V_L: the prox of ℓ/(γ + α) at (γU_L + αV_L)/(γ + α).
  package mutating func updateOutput() {
    var center = output
    center.scale(by: α / (γ + α))
    center.add(γ / (γ + α), split.point.inputs[split.last])
    _ = loss.prox(of: center, step: 1 / (γ + α), into: &output)
  }

  /// U_L.
  package mutating func updateLastInputs() {
    let last = split.last
    split.point.inputs[last] = output
    split.point.inputs[last].scale(by: γ / (γ + ρ))
    split.point.inputs[last].add(ρ / (γ + ρ), split.means[last])
  }

  package mutating func updateWeights(_ l: Int) throws {
    var residual = split.point.inputs[l]
    residual.add(-1, split.means[l])
    split.network.weights[l].add(1, try split.regression(l).step(residual))
    split.updateMean(l)
  }

  /// V_l, l < L.
  package mutating func updateOutputs(_ l: Int) throws {
    try split.updateOutputs(l)
    split.updateMean(l + 1)
  }

  /// U_l, l < L.
  package mutating func updateInputs(_ l: Int) { split.updateInputs(l) }

  package var objective: Double {
    let tie = squaredDistance(output, split.point.inputs[split.last])
    return Double(loss.value(at: output)) + settings.γ / 2 * tie + split.ties
  }

  package mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("split", &split)
    try state.carry("output", &output)
  }
}
