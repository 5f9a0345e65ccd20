import LinearAlgebra
import RealModule

/// The divergence of the logistic sigmoid φ(u) = 1/(1 + e⁻ᵘ), the relative entropy of Bernoulli variables:
///
///     Φ(v) = v log v + (1 − v) log(1 − v) on [0, 1],   Φ*(u) = log(1 + eᵘ).
public struct SigmoidDivergence<Element: Scalar>: EntrywiseDivergence {
  public var name: String { "sigmoid" }
  public init() {}

  public var smoothness: Element { 0.25 }

  public func potential(_ v: Element) -> Element {
    guard v >= 0, v <= 1 else { return .infinity }
    return v.entropy + (v == 1 ? 0 : (1 - v) * .log(onePlus: -v))
  }

  public func conjugate(_ u: Element) -> Element { max(u, 0) + .log(onePlus: .exp(-abs(u))) }

  @inline(__always)
  public func activation(_ u: Element) -> Element {
    let e = Element.exp(-abs(u))
    return u >= 0 ? 1 / (1 + e) : e / (1 + e)
  }

  @inline(__always)
  public func slope(_ v: Element) -> Element { v * (1 - v) }

  /// log(v/(1 − v)).
  public func inverse(_ v: Element) -> Element { .log(v) - .log(onePlus: -v) }

  public func minimiser(near x: Element, step γ: Element) -> Element {
    proximalRoot(near: x, step: γ, between: (x - 1) / γ, x / γ) { w in
      let v = activation(w)
      return v * (1 - v)
    }
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: DivergencePass<Element>) -> Element {
    if case .map = pass.operation { return pass.writeLogistic(1) { sigmoid, _ in sigmoid } }
    return pass.run(self)
  }
}
