import LinearAlgebra
import RealModule

/// The divergence of φ = tanh:
///
///     Φ(v) = ½[(1 + v) log(1 + v) + (1 − v) log(1 − v)] on [−1, 1],   Φ*(u) = log cosh u.
public struct TanhDivergence<Element: Scalar>: EntrywiseDivergence {
  public var name: String { "tanh" }
  public init() {}

  public var smoothness: Element { 1 }

  public func potential(_ v: Element) -> Element {
    let a = abs(v)
    guard a <= 1 else { return .infinity }
    return ((1 + a) * .log(onePlus: a) + (a == 1 ? 0 : (1 - a) * .log(onePlus: -a))) / 2
  }

  /// |u| + log(1 + e^(−2|u|)) − log 2, which does not overflow.
  public func conjugate(_ u: Element) -> Element {
    let a = abs(u)
    if a < 0.5 {
      let s = Element.sinh(a / 2)
      return .log(onePlus: 2 * s * s)
    }
    return a + .log(onePlus: .exp(-2 * a)) - .log(2)
  }

  @inline(__always)
  public func activation(_ u: Element) -> Element { .tanh(u) }

  @inline(__always)
  public func slope(_ v: Element) -> Element { (1 - v) * (1 + v) }

  public func inverse(_ v: Element) -> Element { .atanh(v) }

  public func minimiser(near x: Element, step γ: Element) -> Element {
    proximalRoot(near: x, step: γ, between: (x - 1) / γ, (x + 1) / γ) { w in
      let v = activation(w)
      return 1 - v * v
    }
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: DivergencePass<Element>) -> Element {
    // 2σ(2u) − 1, to an ulp of 1.
    if case .map = pass.operation { return pass.writeLogistic(2) { sigmoid, _ in 2 * sigmoid - 1 } }
    return pass.run(self)
  }
}
