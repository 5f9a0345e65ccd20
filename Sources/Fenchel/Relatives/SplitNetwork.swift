import ConvexOptimization
import LinearAlgebra

/// A network whose pre-activations U_l and outputs X_{l+1} are variables of their own, tied to it by squares:
///
///     T = (β/2) Σ_{l≤L} ‖U_l − X_l W_l − 1 b_lᵀ‖² + (γ/2) Σ_{l<L} ‖X_{l+1} − φ_l(U_l)‖²,   X_0 = X
///
/// for activations that are linear piece by piece: what `MultiplierDescent` and `ThreeSplittingDescent` share. Every
/// update of a hidden layer is a minimiser of T in closed form.
struct SplitNetwork<Element: Scalar>: Resumable {
  let x: Matrix<Element>
  private let β, γ: Double
  /// ε, the ridge of the regressions.
  private let shift: Element
  var network: FeedForward<Element>
  /// U_l and X_{l+1}: at first what the network makes of X.
  var point: ForwardPass<Element>
  /// X_l W_l + 1 b_lᵀ as of the last `updateMean`.
  private(set) var means: [Matrix<Element>]
  /// φ_l(U_l), l < L.
  private var images: [Matrix<Element>]
  private let pieces: [LinearPieces<Element>]
  private let firstRidge: RidgeRegression<Element>

  /// - Throws: `RelativeError.notPiecewiseLinear`; `FactorisationError` where an entry of X is not finite.
  init(
    _ network: FeedForward<Element>, _ x: Matrix<Element>, inputs β: Double, outputs γ: Double,
    shift ε: Double
  ) throws {
    pieces = try network.activations.map { activation in
      guard let pieces = LinearPieces<Element>(activation) else {
        throw RelativeError.notPiecewiseLinear(activation)
      }
      return pieces
    }
    (self.network, self.x, self.β, self.γ, shift) = (network, x, β, γ, Element(ε))
    point = ForwardPass(network, x)
    (means, images) = (point.inputs, point.outputs)
    firstRidge = try RidgeRegression(x.augmented(hasBias: network.hasBias), shift: shift)
  }

  /// L.
  var last: Int { network.activations.count }

  mutating func updateMean(_ l: Int) {
    network.preactivate(l == 0 ? x : point.outputs[l - 1], layer: l, into: &means[l])
  }

  /// The regression on X_l that gives W_l.
  func regression(_ l: Int) throws -> RidgeRegression<Element> {
    guard l > 0 else { return firstRidge }
    return try RidgeRegression(point.outputs[l - 1].augmented(hasBias: network.hasBias), shift: shift)
  }

  /// X_{l+1} = argmin (β/2)‖U_{l+1} − X W_{l+1} − 1 b_{l+1}ᵀ‖² + (γ/2)‖X − φ_l(U_l)‖², l < L.
  mutating func updateOutputs(_ l: Int) throws {
    point.outputs[l] = try ridgeOutputs(
      fitting: point.inputs[l + 1], through: network.weights[l + 1], hasBias: network.hasBias,
      near: images[l], shift: Element(γ / β))
  }

  /// U_l = argmin (γ/2)‖X_{l+1} − φ_l(U)‖² + (β/2)‖U − X_l W_l − 1 b_lᵀ‖², entry by entry, l < L; of a mean that is up
  /// to date.
  mutating func updateInputs(_ l: Int) {
    pieces[l].fit(
      outputs: point.outputs[l], weight: Element(γ), near: means[l], weight: Element(β),
      into: &point.inputs[l])
    network.activations[l].divergence(Element.self).activate(point.inputs[l], into: &images[l])
  }

  /// T, of means that are up to date.
  var ties: Double {
    var value = 0.0
    for l in 0...last {
      value += β / 2 * squaredDistance(point.inputs[l], means[l])
      if l < last { value += γ / 2 * squaredDistance(point.outputs[l], images[l]) }
    }
    return value
  }

  mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("weights", &network.weights)
    try state.carry("inputs", &point.inputs)
    try state.carry("outputs", &point.outputs)
    try state.carry("means", &means)
    try state.carry("images", &images)
  }
}
