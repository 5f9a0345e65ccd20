import LinearAlgebra

/// A smooth loss of a linear map of a matrix W, with a convex function that is positively homogeneous, such as a norm:
///
///     min_W ℓ(A W) + Ω(W),      max_θ −ℓ*(−θ)  subject to  Ω°(Aᵀθ) ≤ 1,
///
/// with the dual gauge Ω°(G) = sup { ⟨G, W⟩ : Ω(W) ≤ 1 }. Ω may be +∞ outside of a cone.
public protocol CompositeProblem<Element>: ProximalProblem where Penalty == Element {
  /// Rows and columns of W.
  var shape: (rows: Int, columns: Int) { get }
  /// Before the first prox, which returns Ω(W).
  var memory: Memory { get }
  /// Ω°(G), as exactly as working precision has it: it steers the method and proves nothing.
  func dualGauge(_ g: Matrix<Element>) -> Element
}

extension CompositeProblem {
  /// Plain lengths.
  public var metric: CoordinateMetric<Element>? { nil }

  public func apply(_ w: Matrix<Element>, _ penalty: Element, into f: inout Matrix<Element>) {
    apply(w, into: &f)
  }

  /// The multiple tθ with tΩ°(Aᵀθ) ≤ 1 of the largest dual value, given Ω°(Aᵀθ): by golden section on a concave function.
  func bestMultiple(of θ: Matrix<Element>, gauge: Element) -> (value: Element, t: Element) {
    func value(_ t: Element) -> Element {
      var scaled = θ
      scaled.scale(by: -t)
      return -loss.conjugateValue(at: scaled)
    }
    let limit = gauge > 0 ? 1 / gauge : 2
    let golden: Element = 0.618
    var (low, high): (Element, Element) = (0, min(limit, 2))
    var best = (value: value(0), t: 0 as Element)
    let atOne = value(min(1, limit))
    if atOne > best.value { best = (atOne, min(1, limit)) }
    for _ in 0..<16 {
      let (left, right) = (high - golden * (high - low), low + golden * (high - low))
      let (atLeft, atRight) = (value(left), value(right))
      if atLeft > best.value { best = (atLeft, left) }
      if atRight > best.value { best = (atRight, right) }
      // Where both leave the domain, an interval that contains 0, it lies to the left.
      if atRight > atLeft { low = left } else { high = right }
    }
    return best
  }
}
