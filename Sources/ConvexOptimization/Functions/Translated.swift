import LinearAlgebra

/// x ↦ f(x − b). Gradient ∇f(x − b), prox b + prox_{γf}(x − b), conjugate f*(u) + ⟨u, b⟩; each where f has it.
public struct Translated<F: ConvexFunction>: ConvexFunction {
  public typealias Element = F.Element
  public let f: F
  public let b: Matrix<Element>

  /// b must have the shape of the points x.
  public init(_ f: F, by b: Matrix<Element>) {
    self.f = f
    self.b = b
  }

  private func moved(_ x: Matrix<Element>) -> Matrix<Element> {
    var y = x
    y.add(-1, b)
    return y
  }

  public func value(at x: Matrix<Element>) -> Element { f.value(at: moved(x)) }
}

extension Translated: SmoothFunction where F: SmoothFunction {
  public var smoothness: Element { f.smoothness }

  @discardableResult
  public func gradient(at x: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element {
    f.gradient(at: moved(x), into: &gradient)
  }
}

extension Translated: ProximableFunction where F: ProximableFunction {
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    let value = f.prox(of: moved(x), step: γ, into: &y)
    y.add(1, b)
    return value
  }
}

extension Translated: ConjugableFunction where F: ConjugableFunction {
  public func conjugateValue(at u: Matrix<Element>) -> Element { f.conjugateValue(at: u) + u.inner(b) }
}
