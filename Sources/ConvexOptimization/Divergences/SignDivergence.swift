import LinearAlgebra

/// The divergence of φ = sign: Φ = 0 on [−1, 1], Φ*(u) = |u|, so that B(v, u) = |u| − uv.
public struct SignDivergence<Element: Scalar>: EntrywiseDivergence {
  public var name: String { "sign" }
  public init() {}

  public var smoothness: Element { .infinity }

  public func potential(_ v: Element) -> Element { abs(v) <= 1 ? 0 : .infinity }
  public func conjugate(_ u: Element) -> Element { abs(u) }
  public func activation(_ u: Element) -> Element { u > 0 ? 1 : u < 0 ? -1 : 0 }
  public func slope(_ v: Element) -> Element { 0 }
  public func inverse(_ v: Element) -> Element { 0 }
  public func minimiser(near x: Element, step γ: Element) -> Element { min(max(x, -1), 1) }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: DivergencePass<Element>) -> Element { pass.run(self) }
}
