import ConvexOptimization
import LinearAlgebra

/// The numbers of `MultiplierDescent`.
public struct MultiplierSettings: RelativeSettings {
  /// β, the weight of ‖Z_l − X_l W_l‖². Taylor et al. take 1.
  public var β = 1.0
  /// γ, the weight of ‖X_{l+1} − φ(Z_l)‖². Taylor et al. take 10.
  public var γ = 10.0
  /// Sweeps before the multiplier moves. Ten in the implementation that Gu, Askari & El Ghaoui (2019) compare with.
  public var warmUp = 10.0

  public init() {}

  public static var numbers: [RelativeNumber<Self>] {
    [
      RelativeNumber("beta", \.β), RelativeNumber("gamma", \.γ),
      RelativeNumber("warm-up", \.warmUp, .nonnegative),
    ]
  }

  private enum CodingKeys: String, CodingKey {
    case β = "beta"
    case γ = "gamma"
    case warmUp = "warm-up"
  }
}

/// Training without gradients by alternating directions (Taylor, Burmeister, Xu, Singh, Patel & Goldstein 2016,
/// Algorithm 1). Pre-activations Z_l and outputs X_{l+1} of all layers are variables, tied to the network by squares, and
/// the last layer by a multiplier Λ, on the output alone:
///
///     E = ℓ(Z_L) + ⟨Λ, Z_L⟩ + (β/2) Σ_{l≤L} ‖Z_l − X_l W_l − 1 b_lᵀ‖² + (γ/2) Σ_{l<L} ‖X_{l+1} − φ_l(Z_l)‖²
///
/// A sweep goes from the first layer to the last, and each update is the minimiser of E over its variable:
///
///     W_l     = X_l⁺ Z_l
///     X_{l+1} = argmin (β/2)‖Z_{l+1} − X W_{l+1} − 1 b_{l+1}ᵀ‖² + (γ/2)‖X − φ_l(Z_l)‖²
///     Z_l     = argmin (γ/2)‖X_{l+1} − φ_l(Z)‖² + (β/2)‖Z − X_l W_l − 1 b_lᵀ‖²,   entry by entry
///     Z_L     = argmin ℓ(Z) + ⟨Λ, Z⟩ + (β/2)‖Z − X_L W_L − 1 b_Lᵀ‖²
///     Λ       ← Λ + β(Z_L − X_L W_L − 1 b_Lᵀ)
///
/// While Λ is 0 no update raises E; afterwards it may rise. The paper draws the first Z and X from a normal distribution;
/// here they are what the network to start from makes. Biases, which the paper does not have, are weights of a constant
/// input. Cost of a sweep: 6n times the number of weights, and the squares of the inner widths.
package struct MultiplierDescent<Element: Scalar>: SweepMethod {
  private var split: SplitNetwork<Element>
  private let loss: any Loss<Element>
  private let settings: MultiplierSettings
  /// Λ: n × c.
  package private(set) var multiplier: Matrix<Element>
  private var sweeps = 0

  /// - Throws: `RelativeError` for numbers out of range and activations that are not linear piece by piece.
  package init(
    _ network: FeedForward<Element>, _ data: SweepData<Element>,
    settings: MultiplierSettings = MultiplierSettings()
  ) throws {
    try settings.check()
    split = try SplitNetwork(network, data.x, inputs: settings.β, outputs: settings.γ, shift: 0)
    (loss, self.settings) = (data.loss, settings)
    multiplier = Matrix(data.x.rows, data.loss.outputs)
  }

  package var network: FeedForward<Element> { split.network }
  /// Z_l and X_{l+1}.
  package var point: ForwardPass<Element> { split.point }

  private var β: Element { Element(settings.β) }

  package mutating func sweep() throws {
    sweeps += 1
    for l in 0..<split.last {
      try updateWeights(l)
      try updateOutputs(l)
      updateInputs(l)
    }
    try updateWeights(split.last)
    updateLastInputs()
    if Double(sweeps) > settings.warmUp { updateMultiplier() }
  }

  package mutating func updateWeights(_ l: Int) throws {
    split.network.weights[l] = try split.regression(l).step(split.point.inputs[l])
  }

  /// X_{l+1}, l < L.
  package mutating func updateOutputs(_ l: Int) throws { try split.updateOutputs(l) }

  /// Z_l, l < L.
  package mutating func updateInputs(_ l: Int) {
    split.updateMean(l)
    split.updateInputs(l)
  }

  /// Z_L: the prox of ℓ/β at X_L W_L + 1 b_Lᵀ − Λ/β.
  package mutating func updateLastInputs() {
    let last = split.last
    split.updateMean(last)
    var center = split.means[last]
    center.add(-1 / β, multiplier)
    _ = loss.prox(of: center, step: 1 / β, into: &split.point.inputs[last])
  }

  package mutating func updateMultiplier() {
    multiplier.add(β, split.point.inputs[split.last])
    multiplier.add(-β, split.means[split.last])
  }

  /// E, at the end of a sweep.
  package var objective: Double {
    let z = split.point.inputs[split.last]
    return Double(loss.value(at: z)) + Double(multiplier.inner(z)) + split.ties
  }

  package mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("split", &split)
    try state.carry("multiplier", &multiplier)
    try state.carry("sweeps", &sweeps)
  }
}
