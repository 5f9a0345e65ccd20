import LinearAlgebra

/// The divergence of the leaky rectifier φ(u) = max(αu, u), 0 < α < 1:
///
///     Φ(v) = ½v₊² + v₋²/(2α),   Φ*(u) = ½u₊² + (α/2)u₋².
public struct LeakyReLUDivergence<Element: Scalar>: EntrywiseDivergence {
  public var name: String { "leaky-relu" }
  public let α: Element

  /// - Throws: `ParameterError` unless 0 < α < 1.
  public init(alpha α: Element = 0.01) throws(ParameterError) {
    guard α > 0, α < 1 else {
      throw ParameterError("leaky ReLU", "α", Double(α), allowed: "a number between 0 and 1")
    }
    self.α = α
  }

  /// For an α that is known to lie between 0 and 1.
  package init(validated α: Element) { self.α = α }

  public var smoothness: Element { 1 }

  public func potential(_ v: Element) -> Element { v * inverse(v) / 2 }
  public func conjugate(_ u: Element) -> Element { u * activation(u) / 2 }

  @inline(__always)
  public func activation(_ u: Element) -> Element { u >= 0 ? u : α * u }

  @inline(__always)
  public func slope(_ v: Element) -> Element { v > 0 ? 1 : α }

  @inline(__always)
  public func inverse(_ v: Element) -> Element { v >= 0 ? v : v / α }

  public func minimiser(near x: Element, step γ: Element) -> Element { x / (1 + (x >= 0 ? γ : γ / α)) }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: DivergencePass<Element>) -> Element { pass.run(self) }
}
