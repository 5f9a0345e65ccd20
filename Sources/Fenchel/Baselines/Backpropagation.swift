import ConvexOptimization
import LinearAlgebra

/// The gradient of a feed-forward network's loss with respect to all of its weights, by the chain rule from the last
/// layer to the first (Rumelhart, Hinton & Williams 1986):
///
///     h(W) = α ℓ(f_W(X)) + (λ/2) Σ_l ‖W_l‖²,   ∂h/∂W_l = X̄_lᵀ Δ_l + λ W_l,   Δ_{l−1} = φ′(U_{l−1}) (Δ_l W_lᵀ)
///
/// with X̄_l the inputs of layer l and a column of ones where there is a bias, Δ_L = α ∂ℓ/∂f, and the bias left out of
/// W_lᵀ. ‖W_l‖² holds the biases too. The outputs and the Δ of all layers, n × d_{l+1} each, are kept from call to call
/// and made anew only where n changes; no U is kept, as derivatives follow from outputs.
public struct Backpropagation<Element: Scalar>: Sendable {
  private let divergences: [any ActivationDivergence<Element>]
  /// X_1, …, X_L and f(X), after `forward`.
  public private(set) var outputs: [Matrix<Element>] = []
  /// Δ_0, …, Δ_L, after `backward`.
  package private(set) var deltas: [Matrix<Element>] = []

  /// For networks with these hidden activations.
  ///
  /// - Throws: `BackpropagationError` for an activation whose derivative is 0 wherever it exists.
  public init(_ activations: [Activation]) throws(BackpropagationError) {
    divergences = activations.map { $0.divergence(Element.self) }
    if let layer = divergences.firstIndex(where: { !$0.smoothness.isFinite }) {
      throw .noDerivative(layer: layer, activation: activations[layer].name)
    }
  }

  /// f(X): n × d_{L+1}, as `forward` left it.
  public var output: Matrix<Element> { outputs[outputs.count - 1] }

  /// Computes the outputs of every layer for X: n × d_0. Cost 2n times the number of weights.
  public mutating func forward(_ network: FeedForward<Element>, _ x: Matrix<Element>) {
    precondition(network.activations.count == divergences.count, "a network of another depth")
    reserve(network, samples: x.rows)
    for l in network.weights.indices {
      network.preactivate(l == 0 ? x : outputs[l - 1], layer: l, into: &outputs[l])
      if l < divergences.count { divergences[l].map(&outputs[l]) }
    }
  }

  /// h(W), with its gradient written into matrices of the weights' shapes. Cost 6n times the number of weights, less
  /// those of the first layer by a third.
  @discardableResult
  public mutating func gradient(
    of network: FeedForward<Element>, _ x: Matrix<Element>, loss: any Loss<Element>, scale α: Element = 1,
    decay λ: Element = 0, into gradient: inout [Matrix<Element>]
  ) -> Element {
    forward(network, x)
    let last = outputs.count - 1
    var value = α * loss.gradient(at: outputs[last], into: &deltas[last])
    if α != 1 { deltas[last].scale(by: α) }
    backward(network, x, into: &gradient)
    if λ != 0 {
      value += λ / 2 * network.squaredNorm
      for l in gradient.indices { gradient[l].add(λ, network.weights[l]) }
    }
    return value
  }

  /// Jᵀ D for D: n × d_{L+1} in place of α ∂ℓ/∂f, at the point of the last `forward`.
  package mutating func adjoint(
    _ network: FeedForward<Element>, _ x: Matrix<Element>, _ d: Matrix<Element>,
    into gradient: inout [Matrix<Element>]
  ) {
    deltas[deltas.count - 1] = d
    backward(network, x, into: &gradient)
  }

  /// J V, the derivative of f(X) along a change V of the weights, at the point of the last `forward`. Cost 4n times
  /// the number of weights, less those of the first layer by half.
  package func tangent(
    _ network: FeedForward<Element>, _ x: Matrix<Element>, along v: [Matrix<Element>]
  ) -> Matrix<Element> {
    var result = Matrix<Element>(0, 0)
    for l in v.indices {
      var next = Matrix<Element>(x.rows, network.outputs(ofLayer: l))
      network.maps[l].apply(l == 0 ? x : outputs[l - 1], v[l], hasBias: network.hasBias, into: &next)
      if l > 0 {
        network.maps[l].apply(
          result, network.weights[l], hasBias: network.hasBias, adding: true, into: &next)
      }
      if l < divergences.count { divergences[l].multiplyByDerivative(at: outputs[l], &next) }
      result = next
    }
    return result
  }

  private mutating func reserve(_ network: FeedForward<Element>, samples n: Int) {
    let isReady = outputs.count == network.weights.count && outputs[0].rows == n
    guard !isReady || outputs.indices.contains(where: { outputs[$0].columns != network.outputs(ofLayer: $0) })
    else { return }
    outputs = network.weights.indices.map { Matrix(n, network.outputs(ofLayer: $0)) }
    deltas = outputs
  }

  private mutating func backward(
    _ network: FeedForward<Element>, _ x: Matrix<Element>, into gradient: inout [Matrix<Element>]
  ) {
    for l in network.weights.indices.reversed() {
      network.maps[l].collectGradient(
        l == 0 ? x : outputs[l - 1], deltas[l], hasBias: network.hasBias, into: &gradient[l])
      guard l > 0 else { return }
      network.maps[l].pullBack(deltas[l], network.weights[l], into: &deltas[l - 1])
      divergences[l - 1].multiplyByDerivative(at: outputs[l - 1], &deltas[l - 1])
    }
  }
}

/// G ← α X̄ᵀ Δ, the slope in a layer's augmented weights for inputs X and the slope Δ in its pre-activations.
func collectGradient<Element: Scalar>(
  _ x: Matrix<Element>, _ delta: Matrix<Element>, hasBias: Bool, scale α: Element = 1,
  into g: inout Matrix<Element>
) {
  let (n, d, p) = (x.rows, x.columns, delta.columns)
  precondition(g.rows == d + (hasBias ? 1 : 0) && g.columns == p, "a gradient of another shape")
  withPointers(x, delta, &g.storage) { x, delta, g in
    Parallel.gemm(
      .yes, .no, m: d, n: p, k: n, alpha: α, a: x, lda: d, b: delta, ldb: p, beta: 0, c: g, ldc: p)
    guard hasBias else { return }
    [Element](repeating: 1, count: n).withPointer { ones in
      Element.gemv(.yes, m: n, n: p, alpha: α, a: delta, lda: p, x: ones, beta: 0, y: g + d * p)
    }
  }
}

/// What keeps a network from being trained by gradients. Hidden layers are counted from 0 in the case, from 1 in the
/// description.
public enum BackpropagationError: Error, CustomStringConvertible, Sendable, Equatable {
  case noDerivative(layer: Int, activation: String)

  public var description: String {
    switch self {
    case .noDerivative(let layer, let activation):
      "hidden layer \(layer + 1): the derivative of \(activation) is 0 wherever it exists, so gradients cannot train "
        + "it; take another activation, such as tanh"
    }
  }
}
