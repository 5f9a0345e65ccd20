import LinearAlgebra

/// A factor L of the Hessian of a loss at some predictions, ∇²ℓ(F) = L Lᵀ, acting on n × c matrices row by row:
///
///     L t = r ∘ (t − q⟨q, t⟩),   Lᵀ v = r ∘ v − q⟨q, r ∘ v⟩,
///
/// with r the roots and, where the outputs of a sample are coupled, a unit vector q. Cost nc.
public struct HessianFactor<Element: Scalar>: Sendable {
  /// r: n × c.
  public let roots: Matrix<Element>
  /// q: n × c with unit rows; nil where L is diagonal.
  public let units: Matrix<Element>?

  public init(roots: Matrix<Element>, units: Matrix<Element>? = nil) {
    self.roots = roots
    self.units = units
  }

  /// T ← L T.
  public func apply(_ t: inout Matrix<Element>) {
    project(&t)
    multiplyByRoots(&t)
  }

  /// V ← Lᵀ V.
  public func applyTransposed(_ v: inout Matrix<Element>) {
    multiplyByRoots(&v)
    project(&v)
  }

  /// V ← V − R / r, entry by entry; entries where r is 0 stay.
  func subtractQuotient(_ r: Matrix<Element>, from v: inout Matrix<Element>) {
    let count = roots.count
    withPointers(roots, r) { roots, r in v.withMutablePointer { Self.subtractQuotient(count, r, roots, $0) } }
  }

  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private static func subtractQuotient(
    _ count: Int, _ r: UnsafePointer<Element>, _ roots: UnsafePointer<Element>,
    _ v: UnsafeMutablePointer<Element>
  ) {
    for i in 0..<count where roots[i] > 0 { v[i] -= r[i] / roots[i] }
  }

  /// V ← (I − q qᵀ) V: onto the range of Lᵀ.
  func projectOntoRange(_ v: inout Matrix<Element>) { project(&v) }

  private func multiplyByRoots(_ v: inout Matrix<Element>) { v.multiply(by: roots) }

  private func project(_ v: inout Matrix<Element>) {
    guard let units else { return }
    let (n, c) = (v.rows, v.columns)
    units.withPointer { q in v.withMutablePointer { Self.project(n, c, q, $0) } }
  }

  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private static func project(
    _ n: Int, _ c: Int, _ q: UnsafePointer<Element>, _ v: UnsafeMutablePointer<Element>
  ) {
    for k in 0..<n {
      let (q, v) = (q + k * c, v + k * c)
      var inner: Element = 0
      for j in 0..<c { inner += q[j] * v[j] }
      for j in 0..<c { v[j] -= inner * q[j] }
    }
  }
}

extension Matrix {
  /// A ∘ B, entry by entry.
  mutating func multiply(by b: Matrix) {
    let count = count
    b.withPointer { b in withMutablePointer { Element.multiply(count, b, $0) } }
  }

  /// √max(a_ij, 0).
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  func squareRoots() -> Matrix {
    var result = self
    let count = count
    result.withMutablePointer { a in for i in 0..<count { a[i] = a[i] > 0 ? a[i].squareRoot() : 0 } }
    return result
  }

  /// Row i ← s_i · row i.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package mutating func scaleRows(by s: [Element]) {
    let (rows, columns) = (rows, columns)
    withMutablePointer { a in
      for i in 0..<rows { for j in 0..<columns { a[i * columns + j] *= s[i] } }
    }
  }
}
