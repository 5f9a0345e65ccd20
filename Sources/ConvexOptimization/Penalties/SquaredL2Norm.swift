import LinearAlgebra

/// Ridge regularisation Ω(x) = (λ/2) ‖x‖²: with the ½, so that its gradient is λx.
///
/// Not a norm: ⟨u, x⟩ ≤ t Ω(x) holds for all x with no finite t unless u = 0, so `dualNorm` is 0 or +∞.
/// Every operation costs the number of entries.
public struct SquaredL2Norm<Element: Scalar>: Penalty, SmoothFunction {
  public let λ: Element

  /// - Throws: `ParameterError` unless λ is finite and ≥ 0.
  public init(_ λ: Element) throws(ParameterError) {
    try ParameterError.checkNonnegative(λ, "λ", of: "squared ℓ2 norm")
    self.λ = λ
  }

  public func value(at x: Matrix<Element>) -> Element { λ * (x.inner(x) / 2) }

  public var smoothness: Element { λ }

  @discardableResult
  public func gradient(at x: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element {
    write(x, scaledBy: λ, into: &gradient)
    return value(at: x)
  }

  /// x/(1 + γλ).
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    write(x, scaledBy: 1 / (1 + γ * λ), into: &y)
    return value(at: y)
  }

  /// ‖u‖²/(2λ); for λ = 0: 0 at u = 0, otherwise +∞.
  public func conjugateValue(at u: Matrix<Element>) -> Element {
    let square = u.inner(u)
    return square == 0 ? 0 : square / (2 * λ)
  }

  public func dualNorm(of u: Matrix<Element>) -> Element {
    u.storage.allSatisfy { $0 == 0 } ? 0 : .infinity
  }

  /// ‖g + λx‖.
  public func subdifferentialDistance(at x: Matrix<Element>, gradient g: Matrix<Element>) -> Element {
    var residual = g
    x.withPointer { x0 in residual.withMutablePointer { Element.axpy(x.count, λ, x0, $0) } }
    return residual.withPointer { Element.euclideanNorm(x.count, $0) }
  }

  private func write(_ x: Matrix<Element>, scaledBy factor: Element, into y: inout Matrix<Element>) {
    x.withPointer { x0 in
      y.withMutablePointer {
        $0.update(from: x0, count: x.count)
        Element.scale(x.count, factor, $0)
      }
    }
  }
}
