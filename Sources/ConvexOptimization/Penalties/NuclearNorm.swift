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
    guard let svd = try? SVD(x) else { return .nan }
    return λ * svd.values.reduce(0, +)
  }

  /// U diag((σ − γλ)₊) Vᵀ.
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    guard let svd = try? SVD(x) else {
      y = Matrix(x.rows, x.columns, fill: .nan)
      return .nan
    }
    let kept = svd.values.map { max(0, $0 - γ * λ) }
    y = svd.product { kept[$0] }
    return λ * kept.reduce(0, +)
  }

  /// 0 where σ_max(U) ≤ λ, up to rounding, otherwise +∞.
  public func conjugateValue(at u: Matrix<Element>) -> Element {
    guard let svd = try? SVD(u) else { return .nan }
    return (svd.values.first ?? 0) <= .inside(λ) ? 0 : .infinity
  }

  /// σ_max(U)/λ; for λ = 0: 0 at U = 0, otherwise +∞.
  public func dualNorm(of u: Matrix<Element>) -> Element {
    guard let svd = try? SVD(u) else { return .nan }
    let largest = svd.values.first ?? 0
    return largest == 0 ? 0 : largest / λ
  }

  /// With X = U Σ Vᵀ of rank r, ∂Ω(X) = λ(U Vᵀ + W), Uᵀ W = 0, W V = 0, σ_max(W) ≤ 1: the norm of
  /// G + λ U Vᵀ on the tangent space and of (σ − λ)₊ of G off it.
  public func subdifferentialDistance(at x: Matrix<Element>, gradient g: Matrix<Element>) -> Element {
    guard let svd = try? SVD(x) else { return .nan }
    let rank = svd.rank()
    let normal = svd.projectedOff(g, rank: rank)
    guard let rest = try? SVD(normal) else { return .nan }
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

extension SVD {
  /// U diag(weight(i)) Vᵀ.
  fileprivate func product(_ weight: (Int) -> Element) -> Matrix<Element> {
    var scaled = vTransposed
    for i in 0..<values.count {
      let factor = weight(i)
      for j in 0..<scaled.columns { scaled[i, j] *= factor }
    }
    return matrixProduct(u, scaled)
  }

  /// (I − U Uᵀ) G (I − V Vᵀ) with the first `rank` columns of U and V.
  fileprivate func projectedOff(_ g: Matrix<Element>, rank: Int) -> Matrix<Element> {
    let v = vTransposed.selectingRows(0..<rank)
    let ut = u.transposed.selectingRows(0..<rank)
    var left = g
    addProduct(ut, .yes, matrixProduct(ut, g), to: &left, alpha: -1)
    var both = left
    addProduct(matrixProduct(left, .no, v, .yes), v, to: &both, alpha: -1)
    return both
  }
}
