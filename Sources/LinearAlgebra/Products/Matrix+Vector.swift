/// The matrix as a vector of ℝ^{rows·columns}. One thread; sums in the order that BLAS fixes for the length.
extension Matrix {
  /// ⟨A, B⟩ = Σ a_ij b_ij.
  public func inner(_ other: Matrix) -> Element {
    precondition(rows == other.rows && columns == other.columns, "an inner product of different shapes")
    return withPointers(self, other) { Element.dot(count, $0, $1) }
  }

  /// ‖A‖_F, safe against overflow.
  public var frobeniusNorm: Element { withPointer { Element.norm2(count, $0) } }

  /// A ← A + α B.
  public mutating func add(_ alpha: Element, _ other: Matrix) {
    precondition(rows == other.rows && columns == other.columns, "a sum of different shapes")
    let count = count
    other.withPointer { x in withMutablePointer { y in Element.axpy(count, alpha, x, y) } }
  }

  /// A ← α A.
  public mutating func scale(by alpha: Element) {
    let count = count
    withMutablePointer { Element.scale(count, alpha, $0) }
  }
}
