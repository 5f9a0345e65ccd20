import LinearAlgebra

extension EntrywiseDivergence {
  /// The prox of γΦ at x for an increasing φ without a closed form: φ(w) for the root w of γw + φ(w) = x, by Newton
  /// steps that a bracket γ·low + φ(low) ≤ x ≤ γ·high + φ(high) keeps safe.
  @inline(__always)
  func proximalRoot(
    near x: Element, step γ: Element, between low: Element, _ high: Element, slope: (Element) -> Element
  ) -> Element {
    var (low, high) = (low, high)
    var w = low + (high - low) / 2
    for _ in 0..<200 {
      let excess = γ * w + activation(w) - x
      if excess == 0 { break }
      if excess > 0 { high = w } else { low = w }
      let newton = w - excess / (γ + slope(w))
      let next = newton > low && newton < high ? newton : low + (high - low) / 2
      if abs(next - w) <= 2 * .ulpOfOne * abs(w) || next == low || next == high { return activation(next) }
      w = next
    }
    return activation(w)
  }
}
