import LinearAlgebra

/// A damped search for the roots of many small systems side by side, F_k(s_k) = 0, one a row: every row goes back
/// halfway to where its ‖F‖∞ was least as long as a step does not lower it.
struct RowwiseSearch<Element: Scalar> {
  /// Where each row's ‖F‖∞ was least, and the direction from there.
  private var base: Matrix<Element>
  private var direction: Matrix<Element>
  private var least: [Element]
  private var length: [Element]
  /// Rows whose last step lowered ‖F‖∞.
  private var hasAdvanced: [Bool]

  init(from s: Matrix<Element>) {
    (base, direction) = (s, s)
    least = [Element](repeating: .infinity, count: s.rows)
    length = [Element](repeating: 1, count: s.rows)
    hasAdvanced = [Bool](repeating: true, count: s.rows)
  }

  /// Takes note of F at S. Returns whether ‖F_k‖∞ ≤ tolerance (1 + ‖s_k‖∞) for every row.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  mutating func record(_ residual: Matrix<Element>, at s: Matrix<Element>, tolerance: Element) -> Bool {
    let q = s.columns
    var isSolved = true
    for k in 0..<s.rows {
      var (size, largest): (Element, Element) = (0, 0)
      for i in k * q..<(k + 1) * q {
        size = max(size, abs(residual.storage[i]))
        largest = max(largest, abs(s.storage[i]))
      }
      if !(size <= tolerance * (1 + largest)) { isSolved = false }
      hasAdvanced[k] = size < least[k]
      if hasAdvanced[k] {
        (least[k], length[k]) = (size, 1)
        for i in k * q..<(k + 1) * q { base.storage[i] = s.storage[i] }
      } else {
        length[k] /= 2
      }
    }
    return isSolved
  }

  /// The next S, where `newDirection` holds the steps of the rows that advanced.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  mutating func next(_ newDirection: Matrix<Element>) -> Matrix<Element> {
    let q = base.columns
    var s = base
    for k in 0..<base.rows {
      for i in k * q..<(k + 1) * q {
        if hasAdvanced[k] { direction.storage[i] = newDirection.storage[i] }
        s.storage[i] += length[k] * direction.storage[i]
      }
    }
    return s
  }
}
