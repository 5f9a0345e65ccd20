import LinearAlgebra

/// The Moreau envelope f_μ(x) = min_y f(y) + ‖y − x‖²/(2μ): f made smooth, with the same minimisers.
///
/// ∇f_μ(x) = (x − prox_{μf}(x))/μ is Lipschitz with constant 1/μ; conjugate f* + (μ/2)‖·‖².
public struct MoreauEnvelope<F: ProximableFunction>: SmoothFunction, ProximableFunction {
  public typealias Element = F.Element
  public let f: F
  public let μ: Element

  /// - Throws: `ParameterError` unless μ is finite and > 0.
  public init(_ f: F, _ μ: Element) throws(ParameterError) {
    try ParameterError.checkPositive(μ, "μ", of: "Moreau envelope")
    self.f = f
    self.μ = μ
  }

  public var smoothness: Element { 1 / μ }

  public func value(at x: Matrix<Element>) -> Element {
    var gradient = x
    return self.gradient(at: x, into: &gradient)
  }

  @discardableResult
  public func gradient(at x: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element {
    let value = f.prox(of: x, step: μ, into: &gradient)
    gradient.scale(by: -1)
    gradient.add(1, x)
    let square = gradient.inner(gradient)
    gradient.scale(by: 1 / μ)
    return value + square / (2 * μ)
  }

  /// x + γ/(γ + μ) (prox_{(γ+μ)f}(x) − x).
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    let value = f.prox(of: x, step: γ + μ, into: &y)
    y.scale(by: -1)
    y.add(1, x)  // x − p; the envelope at the result reaches p as well
    let square = y.inner(y)
    y.scale(by: -γ / (γ + μ))
    y.add(1, x)
    let share = μ / (γ + μ)
    return value + share * share * square / (2 * μ)
  }
}

extension MoreauEnvelope: ConjugableFunction where F: ConjugableFunction {
  public func conjugateValue(at u: Matrix<Element>) -> Element {
    f.conjugateValue(at: u) + μ / 2 * u.inner(u)
  }
}
