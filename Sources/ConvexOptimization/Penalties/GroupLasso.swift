import LinearAlgebra

/// The group lasso Ω(x) = λ Σ_i w_i ‖x_i‖₂ over the rows x_i of x: G × d, which sets whole rows to zero.
///
/// A norm where λ and all w_i are positive; its dual norm is max_i ‖u_i‖/(λ w_i). Every operation costs Gd.
public struct GroupLasso<Element: Scalar>: Penalty {
  public let λ: Element
  /// w: one number ≥ 0 for each group; nil means 1 for all.
  public let groupWeights: [Element]?

  /// - Throws: `ParameterError` unless λ and the group weights are finite and ≥ 0.
  public init(_ λ: Element, groupWeights: [Element]? = nil) throws(ParameterError) {
    try ParameterError.checkNonnegative(λ, "λ", of: "group lasso")
    for (i, weight) in (groupWeights ?? []).enumerated() {
      try ParameterError.checkNonnegative(weight, "weight of group \(i + 1)", of: "group lasso")
    }
    self.λ = λ
    self.groupWeights = groupWeights
  }

  /// λ w_i.
  @inlinable
  public func threshold(_ i: Int) -> Element { groupWeights.map { λ * $0[i] } ?? λ }

  public func value(at x: Matrix<Element>) -> Element {
    sum(over: x) { i, row in threshold(i) * .euclideanNorm(x.columns, row) }
  }

  /// Each row: x_i (1 − γλw_i/‖x_i‖)₊, the zero row where ‖x_i‖ ≤ γλw_i.
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    let d = x.columns
    return y.withMutablePointer { y in
      sum(over: x) { i, row in
        let (threshold, target) = (γ * threshold(i), y + i * d)
        let norm = Element.euclideanNorm(d, row)
        if norm <= threshold {
          target.update(repeating: 0, count: d)
          return 0
        }
        target.update(from: row, count: d)
        if threshold > 0 { Element.scale(d, 1 - threshold / norm, target) }
        return self.threshold(i) * max(0, norm - threshold)
      }
    }
  }

  /// 0 where every ‖u_i‖ ≤ λ w_i, up to rounding, otherwise +∞.
  public func conjugateValue(at u: Matrix<Element>) -> Element {
    sum(over: u) { i, row in
      Element.euclideanNorm(u.columns, row) <= .inside(threshold(i)) ? 0 : .infinity
    }
  }

  /// max_i ‖u_i‖/(λ w_i); a zero row counts 0, a row without a penalty +∞ unless it is zero.
  public func dualNorm(of u: Matrix<Element>) -> Element {
    checkGroups(u)
    return u.withPointer { u0 in
      var largest: Element = 0
      for i in 0..<u.rows {
        let norm = Element.euclideanNorm(u.columns, u0 + i * u.columns)
        if norm > 0 { largest = max(largest, norm / threshold(i)) }
        if norm.isNaN { return .nan }
      }
      return largest
    }
  }

  /// The norm over the rows of ‖g_i + λw_i x_i/‖x_i‖‖ where x_i ≠ 0 and (‖g_i‖ − λw_i)₊ where x_i = 0.
  public func subdifferentialDistance(at x: Matrix<Element>, gradient g: Matrix<Element>) -> Element {
    let d = x.columns
    let squares = g.withPointer { g in
      withTemporary(Element.self, d) { r in
        sum(over: x) { i, row in
          let norm = Element.euclideanNorm(d, row)
          r.update(from: g + i * d, count: d)
          if norm > 0 { Element.axpy(d, threshold(i) / norm, row, r) }
          let size = Element.euclideanNorm(d, r)
          let distance = norm > 0 ? size : max(0, size - threshold(i))
          return distance * distance
        }
      }
    }
    return squares.squareRoot()
  }

  private func checkGroups(_ x: Matrix<Element>) {
    precondition(groupWeights == nil || groupWeights?.count == x.rows, "one weight for each group")
  }

  private func sum(over x: Matrix<Element>, _ body: (Int, UnsafePointer<Element>) -> Element) -> Element {
    checkGroups(x)
    return x.withPointer { x0 in
      var total: Element = 0
      for i in 0..<x.rows { total += body(i, x0 + i * x.columns) }
      return total
    }
  }
}
