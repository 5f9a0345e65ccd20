import LinearAlgebra
import RealModule

/// The divergence of the softplus φ(u) = log(1 + eᵘ):
///
///     Φ(v) = ∫₀ᵛ log(eᵗ − 1) dt = ½v² + Li₂(e⁻ᵛ) − π²/6 on v ≥ 0,   Φ*(u) = −Li₂(−eᵘ).
public struct SoftplusDivergence<Element: Scalar>: EntrywiseDivergence {
  public var name: String { "softplus" }
  public init() {}

  public var smoothness: Element { 1 }

  public func potential(_ v: Element) -> Element {
    guard v >= 0 else { return .infinity }
    return v * v / 2 + dilogarithm(Element.exp(-v)) - Self.dilogarithmOfOne
  }

  /// For u > 0 by Li₂(−eᵘ) = −π²/6 − ½u² − Li₂(−e⁻ᵘ), which does not overflow.
  public func conjugate(_ u: Element) -> Element {
    let rest: Element = dilogarithm(-Element.exp(-abs(u)))
    return u <= 0 ? -rest : u * u / 2 + rest + Self.dilogarithmOfOne
  }

  /// π²/6.
  private static var dilogarithmOfOne: Element { Element.pi * Element.pi / 6 }

  @inline(__always)
  public func activation(_ u: Element) -> Element { max(u, 0) + .log(onePlus: .exp(-abs(u))) }

  /// 1 − e⁻ᵛ.
  public func slope(_ v: Element) -> Element { -.expMinusOne(-v) }

  /// log(eᵛ − 1).
  public func inverse(_ v: Element) -> Element { v + .log(-.expMinusOne(-v)) }

  public func minimiser(near x: Element, step γ: Element) -> Element {
    proximalRoot(near: x, step: γ, between: min(0, (x - .log(2)) / γ), x / γ) { w in
      1 / (1 + .exp(-w))
    }
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: DivergencePass<Element>) -> Element {
    if case .map = pass.operation { return pass.writeLogistic(1) { _, softplus in softplus } }
    return pass.run(self)
  }
}
