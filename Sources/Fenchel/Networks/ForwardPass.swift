import ConvexOptimization
import LinearAlgebra

/// What the layers of a network make of inputs X: the pre-activations U_0, …, U_L, whose last is the output, and the
/// outputs X_1, …, X_L of the hidden layers. Methods that keep these as variables start from them.
package struct ForwardPass<Element: Scalar>: Sendable {
  /// U_l = X_l W_l + 1 b_lᵀ: n × d_{l+1}.
  package var inputs: [Matrix<Element>] = []
  /// X_{l+1} = φ_l(U_l): n × d_{l+1}.
  package var outputs: [Matrix<Element>] = []

  /// Cost 2n times the number of weights.
  package init(_ network: FeedForward<Element>, _ x: Matrix<Element>) {
    for l in network.weights.indices {
      let u = network.preactivations(l == 0 ? x : outputs[l - 1], layer: l)
      if l < network.activations.count {
        var v = u
        network.activations[l].divergence(Element.self).map(&v)
        outputs.append(v)
      }
      inputs.append(u)
    }
  }
}
