import ConvexOptimization
import LinearAlgebra

/// What a layer's pre-activations T: n × p are to fit, f(T): the loss after the last layer, the outputs that a lifted
/// model keeps after the others. Both blocks beside it, the layer's inputs and its weights, see it as this convex
/// smooth function of T = X W + 1 bᵀ.
public enum LayerFit<Element: Scalar>: SmoothFunction {
  /// ℓ(T).
  case loss(any Loss<Element>)
  /// min_Z f(Z) + λ‖Z − T‖² over rows Z of the simplex: cross-entropy of a last layer that projects onto it.
  case probabilities(MoreauEnvelope<SimplexCrossEntropy<Element>>)
  /// λ D(V, T) for the outputs V.
  case outputs(Matrix<Element>, any LayerPenalty<Element>, weight: Element)

  public func value(at t: Matrix<Element>) -> Element {
    switch self {
    case .loss(let loss): loss.value(at: t)
    case .probabilities(let envelope): envelope.value(at: t)
    case .outputs(let v, let penalty, let λ): λ * penalty.value(v, t)
    }
  }

  @discardableResult
  public func gradient(at t: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element {
    switch self {
    case .loss(let loss): return loss.gradient(at: t, into: &gradient)
    case .probabilities(let envelope): return envelope.gradient(at: t, into: &gradient)
    case .outputs(let v, let penalty, let λ):
      let value = λ * penalty.gradient(v, t, into: &gradient)
      gradient.scale(by: λ)
      return value
    }
  }

  public var smoothness: Element {
    switch self {
    case .loss(let loss): loss.smoothness
    case .probabilities(let envelope): envelope.smoothness
    case .outputs(_, let penalty, let λ): λ * penalty.smoothness
    }
  }

  /// Weights of the samples, where they have some: curvature is at most `smoothness` · s_k / max s.
  var sampleWeights: [Element]? {
    guard case .loss(let loss) = self else { return nil }
    return loss.weights.allSatisfy { $0 == 1 } ? nil : loss.weights
  }

  /// Whether f is quadratic with the curvature `smoothness` in every direction.
  var isQuadratic: Bool {
    switch self {
    case .loss(let loss): type(of: loss).name == SquaredLoss<Element>.name && sampleWeights == nil
    case .probabilities: false
    case .outputs(_, let penalty, _): penalty.isQuadratic
    }
  }
}
