import LinearAlgebra

/// A linear subspace of ℝᵈ, by an orthonormal basis of itself or of its orthogonal complement, whichever is smaller.
public struct Subspace<Element: Scalar>: Sendable {
  /// Orthonormal rows B.
  public let basis: Matrix<Element>
  /// Whether B spans the complement: the projector is I − BᵀB then, otherwise BᵀB.
  public let isComplement: Bool

  /// An orthonormal basis of the subspace. Cost d³ where it is given by its complement.
  package var spanningRows: Matrix<Element> { isComplement ? basis.orthogonalComplement() : basis }

  /// v ← the projection of v onto the subspace.
  package func project(_ v: UnsafeMutablePointer<Element>) {
    let (k, d) = (basis.rows, basis.columns)
    guard k > 0 else {
      if !isComplement { v.update(repeating: 0, count: d) }
      return
    }
    withTemporary(Element.self, k) { h in
      basis.withPointer { b in
        Element.gemv(.no, m: k, n: d, alpha: 1, a: b, lda: d, x: v, beta: 0, y: h)
        Element.gemv(
          .yes, m: k, n: d, alpha: isComplement ? -1 : 1, a: b, lda: d, x: h, beta: isComplement ? 1 : 0,
          y: v)
      }
    }
  }
}
