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
  private let x: Matrix<Element>
  private let loss: any Loss<Element>
  private let settings: ThreeSplittingSettings
  private let pieces: [LinearPieces<Element>]
  package private(set) var network: FeedForward<Element>
  /// U_l, and V_l for l < L.
  package private(set) var point: ForwardPass<Element>
  /// V_L.
  package private(set) var output: Matrix<Element>
  /// V_{l−1} W_l + 1 b_lᵀ.
  private var means: [Matrix<Element>]
  /// φ_l(U_l), l < L.
  private var images: [Matrix<Element>]
  private let firstRidge: RidgeRegression<Element>

  /// - Throws: `RelativeError` for numbers out of range and activations that are not linear piece by piece.
  package init(
    _ network: FeedForward<Element>, _ data: SweepData<Element>,
    settings: ThreeSplittingSettings = ThreeSplittingSettings()
  ) throws {
    try settings.check()
    let (x, loss) = (data.x, data.loss)
    pieces = try network.activations.map(LinearPieces.init(of:))
    (self.network, self.x, self.loss, self.settings) = (network, x, loss, settings)
    point = ForwardPass(network, x)
    (means, images) = (point.inputs, point.outputs)
    output = point.inputs[network.activations.count]
    firstRidge = try RidgeRegression(
      x.augmented(hasBias: network.hasBias), shift: Element(settings.α / settings.ρ))
  }

  private var γ: Element { Element(settings.γ) }
  private var ρ: Element { Element(settings.ρ) }
  private var α: Element { Element(settings.α) }
  private var last: Int { network.activations.count }

  package mutating func sweep() throws {
    updateOutput()
    updateLastInputs()
    try updateWeights(last)
    for l in (0..<last).reversed() {
      try updateOutputs(l)
      updateInputs(l)
      try updateWeights(l)
    }
  }

  /// V_L: the prox of ℓ/(γ + α) at (γU_L + αV_L)/(γ + α).
  package mutating func updateOutput() {
    var center = output
    center.scale(by: α / (γ + α))
    center.add(γ / (γ + α), point.inputs[last])
    _ = loss.prox(of: center, step: 1 / (γ + α), into: &output)
  }

  /// U_L.
  package mutating func updateLastInputs() {
    point.inputs[last] = output
    point.inputs[last].scale(by: γ / (γ + ρ))
    point.inputs[last].add(ρ / (γ + ρ), means[last])
  }

  package mutating func updateWeights(_ l: Int) throws {
    let ridge =
      l == 0
      ? firstRidge
      : try RidgeRegression(point.outputs[l - 1].augmented(hasBias: network.hasBias), shift: α / ρ)
    var residual = point.inputs[l]
    residual.add(-1, means[l])
    network.weights[l].add(1, ridge.step(residual))
    updateMean(l)
  }

  private mutating func updateMean(_ l: Int) {
    network.preactivate(l == 0 ? x : point.outputs[l - 1], layer: l, into: &means[l])
  }

  /// V_l, l < L.
  package mutating func updateOutputs(_ l: Int) throws {
    point.outputs[l] = try ridgeOutputs(
      fitting: point.inputs[l + 1], through: network.weights[l + 1], hasBias: network.hasBias,
      near: images[l], shift: γ / ρ)
    updateMean(l + 1)
  }

  /// U_l, l < L.
  package mutating func updateInputs(_ l: Int) {
    pieces[l].fit(outputs: point.outputs[l], weight: γ, near: means[l], weight: ρ, into: &point.inputs[l])
    network.activations[l].divergence(Element.self).activate(point.inputs[l], into: &images[l])
  }

  package var objective: Double {
    var value = Double(loss.value(at: output)) + settings.γ / 2 * squaredDistance(output, point.inputs[last])
    for l in 0...last {
      value += settings.ρ / 2 * squaredDistance(point.inputs[l], means[l])
      if l < last { value += settings.γ / 2 * squaredDistance(point.outputs[l], images[l]) }
    }
    return value
  }
}
