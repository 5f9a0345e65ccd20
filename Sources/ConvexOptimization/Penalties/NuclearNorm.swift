import LinearAlgebra

/// The nuclear norm Ω(X) = λ Σ σ_i(X) of a matrix X: m × n, which makes ranks small.
///
/// Its dual norm is σ_max(U)/λ. Every operation costs a singular value decomposition, O(mn min(m, n)). Where an
/// entry is not finite, or LAPACK's iteration fails, values are NaN and `prox` writes NaN.
public struct NuclearNorm<Element: Scalar>: Penalty {
  public let λ: Element

  /// - Throws: `ParameterError` unless λ is finite and ≥ 0.
  public init(_ λ: Element) throws(ParameterError) {
    try ParameterError.checkNonnegative(λ, "λ", of: "nuclear norm")
    self.λ = λ
  }

  public func value(at x: Matrix<Element>) -> Element {
    guard let svd = ThinSVD(x) else { return .nan }
    return λ * svd.values.reduce(0, +)
  }

  /// U diag((σ − γλ)₊) Vᵀ.
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    guard let svd = ThinSVD(x) else {
      y = Matrix(x.rows, x.columns, fill: .nan)
      return .nan
    }
    let kept = svd.values.map { max(0, $0 - γ * λ) }
    y = svd.product { kept[$0] }
    return λ * kept.reduce(0, +)
  }

  /// 0 where σ_max(U) ≤ λ, up to rounding, otherwise +∞.
  public func conjugateValue(at u: Matrix<Element>) -> Element {
    guard let svd = ThinSVD(u) else { return .nan }
    return (svd.values.first ?? 0) <= .inside(λ) ? 0 : .infinity
  }

  /// σ_max(U)/λ; for λ = 0: 0 at U = 0, otherwise +∞.
  public func dualNorm(of u: Matrix<Element>) -> Element {
    guard let svd = ThinSVD(u) else { return .nan }
    let largest = svd.values.first ?? 0
    return largest == 0 ? 0 : largest / λ
  }

  /// With X = U Σ Vᵀ of rank r, ∂Ω(X) = λ(U Vᵀ + W), Uᵀ W = 0, W V = 0, σ_max(W) ≤ 1: the norm of
  /// G + λ U Vᵀ on the tangent space and of (σ − λ)₊ of G off it.
  public func subdifferentialDistance(at x: Matrix<Element>, gradient g: Matrix<Element>) -> Element {
    guard let svd = ThinSVD(x) else { return .nan }
    let rank = svd.rank
    let normal = svd.projectedOff(g, rank: rank)
    guard let rest = ThinSVD(normal) else { return .nan }
    let polar = svd.product { $0 < rank ? λ : 0 }
    var squares: Element = 0
    for i in 0..<g.count {
      let r = g.storage[i] - normal.storage[i] + polar.storage[i]
      squares += r * r
    }
    for σ in rest.values { squares += max(0, σ - λ) * max(0, σ - λ) }
    return squares.squareRoot()
  }
}

/// X = U diag(σ) Vᵀ with k = min(m, n) terms.
private struct ThinSVD<Element: Scalar> {
  /// U: m × k.
  let u: Matrix<Element>
  let values: [Element]
  /// Vᵀ: k × n.
  let vt: Matrix<Element>

  /// nil where an entry is not finite or the iteration fails.
  init?(_ x: Matrix<Element>) {
    let k = min(x.rows, x.columns)
    var (work, u, vt) = (x, Matrix<Element>(x.rows, k), Matrix<Element>(k, x.columns))
    var values = [Element](repeating: 0, count: k)
    if k > 0 {
      guard x.storage.allSatisfy({ $0.isFinite }) else { return nil }
      // Row-major X is column-major Xᵀ, whose left factor is V; both factors come out by rows.
      let info = work.withMutablePointer { a in
        u.withMutablePointer { u in
          vt.withMutablePointer { vt in
            values.withMutablePointer { Element.gesdd(x.columns, x.rows, a, $0, vt, u) }
          }
        }
      }
      guard info == 0 else { return nil }
    }
    (self.u, self.values, self.vt) = (u, values, vt)
  }

  /// The number of singular values above rounding.
  var rank: Int {
    guard let largest = values.first, largest > 0 else { return 0 }
    let floor = Element(max(u.rows, vt.columns)) * .ulpOfOne * largest
    return values.firstIndex { $0 <= floor } ?? values.count
  }

  /// U diag(weight(i)) Vᵀ.
  func product(_ weight: (Int) -> Element) -> Matrix<Element> {
    var scaled = vt
    for i in 0..<values.count {
      let factor = weight(i)
      for j in 0..<vt.columns { scaled[i, j] *= factor }
    }
    return multiply(u, .no, scaled, .no)
  }

  /// (I − U Uᵀ) G (I − V Vᵀ) with the first `rank` columns of U and V.
  func projectedOff(_ g: Matrix<Element>, rank: Int) -> Matrix<Element> {
    let v = vt.selectingRows(0..<rank)
    let ut = u.transposed.selectingRows(0..<rank)
    let left = subtract(g, multiply(ut, .yes, multiply(ut, .no, g, .no), .no))
    return subtract(left, multiply(multiply(left, .no, v, .yes), .no, v, .no))
  }

  private func subtract(_ a: Matrix<Element>, _ b: Matrix<Element>) -> Matrix<Element> {
    Matrix(a.rows, a.columns, storage: zip(a.storage, b.storage).map { $0 - $1 })
  }

  private func multiply(
    _ a: Matrix<Element>, _ ta: Transpose, _ b: Matrix<Element>, _ tb: Transpose
  ) -> Matrix<Element> {
    let m = ta == .no ? a.rows : a.columns
    let k = ta == .no ? a.columns : a.rows
    var c = Matrix<Element>(m, tb == .no ? b.columns : b.rows)
    let n = c.columns
    withPointers(a, b, &c.storage) { a0, b0, c0 in
      Element.gemm(
        ta, tb, m: m, n: n, k: k, alpha: 1, a: a0, lda: max(1, a.columns), b: b0, ldb: max(1, b.columns),
        beta: 0,
        c: c0, ldc: max(1, n))
    }
    return c
  }
}
