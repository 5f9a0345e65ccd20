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
  private let x: Matrix<Element>
  private let loss: any Loss<Element>
  private let settings: MultiplierSettings
  private let pieces: [LinearPieces<Element>]
  package private(set) var network: FeedForward<Element>
  /// Z_l and X_{l+1}.
  package private(set) var point: ForwardPass<Element>
  /// X_l W_l + 1 b_lᵀ, as it was when Z_l was updated last.
  private var means: [Matrix<Element>]
  /// φ_l(Z_l), l < L.
  private var images: [Matrix<Element>]
  /// Λ: n × c.
  package private(set) var multiplier: Matrix<Element>
  private let firstRidge: RidgeRegression<Element>
  private var sweeps = 0

  /// - Throws: `RelativeError` for numbers out of range and activations that are not linear piece by piece.
  package init(
    _ network: FeedForward<Element>, _ data: SweepData<Element>,
    settings: MultiplierSettings = MultiplierSettings()
  ) throws {
    try settings.check()
    let (x, loss) = (data.x, data.loss)
    pieces = try network.activations.map(LinearPieces.init(of:))
    (self.network, self.x, self.loss, self.settings) = (network, x, loss, settings)
    point = ForwardPass(network, x)
    (means, images) = (point.inputs, point.outputs)
    multiplier = Matrix(x.rows, loss.outputs)
    firstRidge = try RidgeRegression(x.augmented(hasBias: network.hasBias), shift: 0)
  }

  private var β: Element { Element(settings.β) }
  private var γ: Element { Element(settings.γ) }
  private var last: Int { network.activations.count }

  package mutating func sweep() throws {
    sweeps += 1
    for l in 0..<last {
      try updateWeights(l)
      try updateOutputs(l)
      updateInputs(l)
    }
    try updateWeights(last)
    updateLastInputs()
    if Double(sweeps) > settings.warmUp { updateMultiplier() }
  }

  private mutating func updateMean(_ l: Int) {
    network.preactivate(l == 0 ? x : point.outputs[l - 1], layer: l, into: &means[l])
  }

  package mutating func updateWeights(_ l: Int) throws {
    let ridge =
      l == 0
      ? firstRidge : try RidgeRegression(point.outputs[l - 1].augmented(hasBias: network.hasBias), shift: 0)
    network.weights[l] = ridge.step(point.inputs[l])
  }

  /// X_{l+1}, l < L.
  package mutating func updateOutputs(_ l: Int) throws {
    point.outputs[l] = try ridgeOutputs(
      fitting: point.inputs[l + 1], through: network.weights[l + 1], hasBias: network.hasBias,
      near: images[l], shift: γ / β)
  }

  /// Z_l, l < L.
  package mutating func updateInputs(_ l: Int) {
    updateMean(l)
    pieces[l].fit(outputs: point.outputs[l], weight: γ, near: means[l], weight: β, into: &point.inputs[l])
    network.activations[l].divergence(Element.self).activate(point.inputs[l], into: &images[l])
  }

  /// Z_L: the prox of ℓ/β at X_L W_L + 1 b_Lᵀ − Λ/β.
  package mutating func updateLastInputs() {
    updateMean(last)
    var center = means[last]
    center.add(-1 / β, multiplier)
    _ = loss.prox(of: center, step: 1 / β, into: &point.inputs[last])
  }

  package mutating func updateMultiplier() {
    multiplier.add(β, point.inputs[last])
    multiplier.add(-β, means[last])
  }

  /// E, at the end of a sweep.
  package var objective: Double {
    var value =
      Double(loss.value(at: point.inputs[last])) + Double(multiplier.inner(point.inputs[last]))
    for l in 0...last {
      value += settings.β / 2 * squaredDistance(point.inputs[l], means[l])
      if l < last { value += settings.γ / 2 * squaredDistance(point.outputs[l], images[l]) }
    }
    return value
  }
}

extension LinearPieces {
  /// - Throws: `RelativeError.notPiecewiseLinear`.
  package init(of activation: Activation) throws {
    guard let pieces = LinearPieces(activation) else {
      throw RelativeError.notPiecewiseLinear(activation)
    }
    self = pieces
  }
}
