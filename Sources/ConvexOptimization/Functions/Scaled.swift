import LinearAlgebra

/// α f for a number α > 0. Gradient α∇f, prox_{γαf}, conjugate α f*(u/α); each where f has it.
public struct Scaled<F: ConvexFunction>: ConvexFunction {
  public typealias Element = F.Element
  public let f: F
  public let α: Element

  /// - Throws: `ParameterError` unless α is finite and > 0.
  public init(_ f: F, by α: Element) throws(ParameterError) {
    try ParameterError.checkPositive(α, "α", of: "scaled function")
    self.f = f
    self.α = α
  }

  public func value(at x: Matrix<Element>) -> Element { α * f.value(at: x) }
}

extension Scaled: SmoothFunction where F: SmoothFunction {
  public var smoothness: Element { α * f.smoothness }

  @discardableResult
  public func gradient(at x: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element {
    let value = f.gradient(at: x, into: &gradient)
    gradient.scale(by: α)
    return α * value
  }
}

extension Scaled: ProximableFunction where F: ProximableFunction {
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    α * f.prox(of: x, step: α * γ, into: &y)
  }
}

extension Scaled: ConjugableFunction where F: ConjugableFunction {
  public func conjugateValue(at u: Matrix<Element>) -> Element {
    var scaled = u
    scaled.scale(by: 1 / α)
    return α * f.conjugateValue(at: scaled)
  }
}
