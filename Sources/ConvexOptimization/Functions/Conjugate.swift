import LinearAlgebra

/// The convex conjugate f*(u) = sup_x ⟨u, x⟩ − f(x) of a closed convex f, as a function of its own.
///
/// Moreau's identity gives its proximal operator: prox_{γf*}(u) = u − γ prox_{f/γ}(u/γ).
public struct Conjugate<F: ProximableFunction & ConjugableFunction>: ProximableFunction, ConjugableFunction {
  public typealias Element = F.Element
  public let f: F

  public init(_ f: F) { self.f = f }

  public func value(at u: Matrix<Element>) -> Element { f.conjugateValue(at: u) }

  /// Returns f*(y) = ⟨y, p⟩ − f(p), p = prox_{f/γ}(u/γ): y is a subgradient of f at p.
  @discardableResult
  public func prox(of u: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    var scaled = u
    scaled.scale(by: 1 / γ)
    let value = f.prox(of: scaled, step: 1 / γ, into: &y)
    let p = y
    y.scale(by: -1)
    y.add(1, scaled)
    y.scale(by: γ)
    return y.inner(p) - value
  }

  /// f** = f.
  public func conjugateValue(at x: Matrix<Element>) -> Element { f.value(at: x) }
}
