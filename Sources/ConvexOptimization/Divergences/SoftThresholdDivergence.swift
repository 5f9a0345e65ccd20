import LinearAlgebra

/// The divergence of soft thresholding φ(u) = sign(u)(|u| − λ)₊, the activation of sparse codes:
///
///     Φ(v) = ½v² + λ|v|,   Φ*(u) = ½(|u| − λ)₊².
public struct SoftThresholdDivergence<Element: Scalar>: EntrywiseDivergence {
  public var name: String { "soft-threshold" }
  public let λ: Element

  /// - Throws: `ParameterError` unless λ is finite and ≥ 0.
  public init(_ λ: Element) throws(ParameterError) {
    try ParameterError.checkNonnegative(λ, "λ", of: "soft thresholding")
    self.λ = λ
  }

  /// For a λ that is known to be finite and at least 0.
  package init(validated λ: Element) { self.λ = λ }

  public var smoothness: Element { 1 }

  public func potential(_ v: Element) -> Element { abs(v) * (abs(v) / 2 + λ) }

  public func conjugate(_ u: Element) -> Element {
    let v = activation(u)
    return v * v / 2
  }

  @inline(__always)
  public func activation(_ u: Element) -> Element { u > λ ? u - λ : u < -λ ? u + λ : 0 }

  @inline(__always)
  public func slope(_ v: Element) -> Element { v == 0 ? 0 : 1 }

  public func inverse(_ v: Element) -> Element { v > 0 ? v + λ : v < 0 ? v - λ : 0 }

  /// B = ½(v − φ(u))² and, where φ(u) = 0 or v has the other sign, what λ|v| − (u − φ(u))v adds.
  public func divergence(_ v: Element, _ u: Element) -> Element {
    let p = activation(u)
    return (v - p) * (v - p) / 2 + max(0, λ * abs(v) - (u - p) * v)
  }

  public func minimiser(near x: Element, step γ: Element) -> Element {
    let size = max(abs(x) - γ * λ, 0) / (1 + γ)
    return x < 0 ? -size : size
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: DivergencePass<Element>) -> Element { pass.run(self) }
}
