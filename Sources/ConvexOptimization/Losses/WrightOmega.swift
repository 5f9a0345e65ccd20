import LinearAlgebra

/// The Wright function on the real line: the w > 0 with w + log w = x, i.e. Lambert's W(exp x) without
/// overflow. Solves the proximal steps of losses made of exponentials.
///
/// Fritsch, Shafer and Crowley's fourth-order iteration; its error after two steps is below rounding.
@inline(__always)
func wrightOmega<Element: Scalar>(_ x: Element) -> Element {
  let e = x < 1 ? Element.exp(x) : 1
  if e < Element.ulpOfOne { return e }
  if x > 1 / Element.ulpOfOne { return x - .log(x) }
  var w = x < 1 ? e / (1 + e) : x - .log(x) * (x / (1 + x))
  for _ in 0..<3 {
    let r = x - w - .log(w)
    if abs(r) <= Element.ulpOfOne * max(1, abs(x)) { break }
    let a = 1 + w
    let b = 2 * a * (a + 2 * r / 3)
    w *= 1 + (r / a) * ((b - r) / (b - 2 * r))
  }
  return w
}
