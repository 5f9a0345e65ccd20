import LinearAlgebra
import RealModule

/// The divergence of the sine on [−π/2, π/2], continued by ±1 beyond:
///
///     Φ(v) = v arcsin v + √(1 − v²) − 1 on [−1, 1],   Φ*(u) = 1 − cos u, beyond |u| = π/2: |u| − π/2 + 1.
public struct SineDivergence<Element: Scalar>: EntrywiseDivergence {
  public var name: String { "sine" }
  public init() {}

  private static var end: Element { .pi / 2 }

  public var smoothness: Element { 1 }

  /// √(1 − v²) − 1 = −v²/(1 + √(1 − v²)) loses no digits near 0.
  public func potential(_ v: Element) -> Element {
    guard abs(v) <= 1 else { return .infinity }
    return v * .asin(v) - v * v / (1 + ((1 - v) * (1 + v)).squareRoot())
  }

  public func conjugate(_ u: Element) -> Element {
    if abs(u) > Self.end { return abs(u) - Self.end + 1 }
    let s = Element.sin(u / 2)
    return 2 * s * s
  }

  @inline(__always)
  public func activation(_ u: Element) -> Element { u > Self.end ? 1 : u < -Self.end ? -1 : .sin(u) }

  /// √(1 − v²) = cos u.
  @inline(__always)
  public func slope(_ v: Element) -> Element { max(0, (1 - v) * (1 + v)).squareRoot() }

  public func inverse(_ v: Element) -> Element { .asin(v) }

  public func minimiser(near x: Element, step γ: Element) -> Element {
    if abs(x) >= 1 + γ * Self.end { return x > 0 ? 1 : -1 }
    return proximalRoot(near: x, step: γ, between: -Self.end, Self.end) { .cos($0) }
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: DivergencePass<Element>) -> Element { pass.run(self) }
}
