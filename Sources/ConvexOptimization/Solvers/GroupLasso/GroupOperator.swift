import LinearAlgebra

/// A linear map from groups of coefficients to predictions, F = Σ_r A_r w_r with F: n × c.
///
/// Every group r has `width` coefficients and acts on one output: A_r w_r is zero outside column `output(of: r)`.
/// Coefficients come as a compact matrix with one row for each group of a list, so that work is proportional
/// to the groups in use.
public protocol GroupOperator<Element>: Sendable {
  associatedtype Element: Scalar
  /// n.
  var samples: Int { get }
  /// c.
  var outputs: Int { get }
  /// Coefficients of a group.
  var width: Int { get }
  /// Number of groups.
  var groups: Int { get }
  /// The column of F that group r acts on.
  func output(of group: Int) -> Int
  /// The map onto output j alone, n × 1; its groups are those of output j, in order.
  func restricted(toOutput j: Int) -> Self
  /// F ← Σ_q A_{groups[q]} w_q, for W: groups.count × width and F: n × c. Must have the same bits for any number
  /// of threads.
  func apply(_ w: Matrix<Element>, of groups: [Int], into f: inout Matrix<Element>)
  /// Row q of G ← A_{groups[q]}ᵀ R, for R: n × c and G: groups.count × width.
  func applyAdjoint(_ r: Matrix<Element>, to groups: [Int], into g: inout Matrix<Element>)
  /// The lower triangle of Q ← Σ_q α_q A_r A_rᵀ ± Σ_p A_{r(p)} v_p v_pᵀ A_{r(p)}ᵀ, r = groups[q], restricted to the one
  /// output that all the groups share; α: groups.count numbers ≥ 0, Q: n × n.
  func gram(
    of groups: [Int], scales α: [Element], updates: [GroupUpdate<Element>], into q: inout Matrix<Element>)
  /// The lower triangle of T ← Sᵀ diag(h) S for the columns s_p = A_r v_p, r = groups[p], restricted to the one output
  /// that all the groups share; V: one row a column of S, h: n weights ≥ 0, T: m × m for m columns.
  func normalMatrix(
    of groups: [Int], vectors v: Matrix<Element>, weights h: [Element], into t: inout Matrix<Element>)
}

/// Rank-one terms ± A_r v vᵀ A_rᵀ of a Gram matrix.
public struct GroupUpdate<Element: Scalar>: Sendable {
  /// The group r of each term.
  public var groups: [Int]
  /// One row v for each.
  public var vectors: Matrix<Element>
  /// +1 or −1, for all of them.
  public var sign: Element

  public init(groups: [Int], vectors: Matrix<Element>, sign: Element) {
    (self.groups, self.vectors, self.sign) = (groups, vectors, sign)
  }
}

extension GroupOperator {
  /// F = Σ_r A_r w_r over all groups, W: one row a group.
  public func forward(_ w: Matrix<Element>) -> Matrix<Element> {
    var f = Matrix<Element>(samples, outputs)
    apply(w, of: Array(0..<groups), into: &f)
    return f
  }

  /// G = AᵀR over all groups, R: n × c; one row a group.
  public func adjoint(_ r: Matrix<Element>) -> Matrix<Element> {
    var g = Matrix<Element>(groups, width)
    applyAdjoint(r, to: Array(0..<groups), into: &g)
    return g
  }

  /// ‖A_rᵀ R‖₂ for every group r, without holding all of AᵀR.
  public func adjointNorms(_ r: Matrix<Element>) -> [Element] {
    let chunk = 4096
    var norms: [Element] = []
    norms.reserveCapacity(groups)
    for start in stride(from: 0, to: groups, by: chunk) {
      let part = Array(start..<min(start + chunk, groups))
      var g = Matrix<Element>(part.count, width)
      applyAdjoint(r, to: part, into: &g)
      norms += g.rowNorms
    }
    return norms
  }
}
