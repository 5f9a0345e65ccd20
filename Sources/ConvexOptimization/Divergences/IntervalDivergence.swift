import LinearAlgebra

/// The divergence of the projection onto an interval, φ(u) = min(max(u, a), b): ReLU, hard tanh, hard sigmoid and the
/// identity.
///
///     Φ(v) = ½v² on [a, b],   Φ*(u) = uφ(u) − ½φ(u)²,   B(v, u) = ½(v − φ(u))² + (u − φ(u))(φ(u) − v)
///
/// For ReLU B is ½‖V − U₊‖² + ⟨V, (−U)₊⟩, on V ≥ 0.
public struct IntervalDivergence<Element: Scalar>: EntrywiseDivergence {
  public let name: String
  /// a, may be −∞.
  public let lower: Element
  /// b > a, may be +∞.
  public let upper: Element

  private init(_ name: String, _ lower: Element, _ upper: Element) {
    (self.name, self.lower, self.upper) = (name, lower, upper)
  }

  /// max(u, 0).
  public static var relu: Self { Self("relu", 0, .infinity) }
  /// min(max(u, −1), 1).
  public static var hardTanh: Self { Self("hard-tanh", -1, 1) }
  /// min(max(u, 0), 1).
  public static var hardSigmoid: Self { Self("hard-sigmoid", 0, 1) }
  /// u.
  public static var identity: Self { Self("identity", -.infinity, .infinity) }

  public var smoothness: Element { 1 }

  public func potential(_ v: Element) -> Element { v >= lower && v <= upper ? v * v / 2 : .infinity }

  public func conjugate(_ u: Element) -> Element {
    let p = activation(u)
    return p * (u - p / 2)
  }

  @inline(__always)
  public func activation(_ u: Element) -> Element { u < lower ? lower : u > upper ? upper : u }

  @inline(__always)
  public func slope(_ v: Element) -> Element { v > lower && v < upper ? 1 : 0 }

  public func inverse(_ v: Element) -> Element { v }

  public func divergence(_ v: Element, _ u: Element) -> Element {
    guard v >= lower, v <= upper else { return .infinity }
    let p = activation(u)
    return (v - p) * (v - p) / 2 + (u - p) * (p - v)
  }

  public func minimiser(near x: Element, step γ: Element) -> Element { activation(x / (1 + γ)) }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: DivergencePass<Element>) -> Element { pass.run(self) }
}
