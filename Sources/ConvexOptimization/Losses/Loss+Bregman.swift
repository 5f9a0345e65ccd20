import LinearAlgebra

extension Loss {
  /// −∇ℓ(F), the dual point that belongs to predictions F.
  package func residual(at f: Matrix<Element>) -> Matrix<Element> {
    var θ = f
    gradient(at: f, into: &θ)
    θ.scale(by: -1)
    return θ
  }

  /// 2 D(F⁺, F) = 2 (ℓ(F⁺) − ℓ(F) − ⟨∇ℓ(F), F⁺ − F⟩), given ℓ(F) and ∇ℓ(F); by gradients,
  /// ⟨∇ℓ(F⁺) − ∇ℓ(F), F⁺ − F⟩, where the difference of values is lost in rounding: the same for small steps, and for
  /// quadratic losses always.
  package func twiceBregman(
    at next: Matrix<Element>, from f: Matrix<Element>, value: Element, slope: Matrix<Element>
  ) -> Element {
    var difference = next
    difference.add(-1, f)
    var nextSlope = slope
    let nextValue = gradient(at: next, into: &nextSlope)
    let bregman = 2 * (nextValue - value - slope.inner(difference))
    if bregman > 1000 * Element.ulpOfOne * (abs(value) + abs(nextValue)) { return bregman }
    nextSlope.add(-1, slope)
    return max(0, nextSlope.inner(difference))
  }
}
