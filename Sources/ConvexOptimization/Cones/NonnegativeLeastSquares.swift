import LinearAlgebra

/// min_{α ≥ 0} ‖q + Aᵀ α‖ for A: n × d, solved exactly by an active-set method.
///
/// With K = { u : A u ≥ 0 }, the residual p = q + Aᵀ α at the optimum is the projection of q onto K, and
/// ‖p‖ = max { qᵀw : w ∈ K, ‖w‖ ≤ 1 } (0 where that maximum is not positive). Any α ≥ 0 bounds the maximum
/// from above, so the method may stop early. At the optimum α ≥ 0, A p ≥ 0 and αᵀ A p = 0.
///
/// Lawson & Hanson's method (1974, ch. 23) with an updated orthogonal factorisation instead of normal equations;
/// rows are priced all together only now and then, in between among the most violated ones. A step costs
/// O(kd) with k active rows, pricing nd (over all threads). Short rows are held transposed once more, nd numbers.
public struct NonnegativeLeastSquares<Element: Scalar>: Sendable {
  /// A: n × d.
  public let rows: Matrix<Element>
  /// ‖a_j‖.
  package let norms: [Element]
  /// 1/‖a_j‖, 0 for rows of zeros.
  let inverseNorms: [Element]
  /// Aᵀ: d × n where rows are short, whose products with p run along it then; otherwise without entries.
  let columns: Matrix<Element>
  /// When solves end as at their limit on iterations.
  package let deadline: Deadline

  /// Keeps A and the norms of its rows, for many solves with different q and signs. Cost nd.
  public init(_ a: Matrix<Element>, deadline: Deadline = .none) {
    rows = a
    self.deadline = deadline
    norms = a.rowNorms
    inverseNorms = norms.map { $0 > 0 ? 1 / $0 : 0 }
    columns = Self.keepsColumns(a.columns) ? a.transposed : Matrix(0, 0)
  }

  /// Whether rows of this length are held transposed too.
  package static func keepsColumns(_ d: Int) -> Bool { d <= 64 }

  /// How a solve ended.
  public enum Outcome: Sendable, Equatable {
    /// The conditions of optimality hold to rounding.
    case optimal
    /// ‖p‖ reached the threshold that was asked for.
    case belowThreshold
    /// The limit on iterations or the deadline came first; the bound ‖p‖ is valid all the same.
    case stoppedAtLimit
  }

  /// A point α ≥ 0 with its residual.
  public struct Solution: Sendable, Equatable {
    /// The rows j with α_j > 0.
    public var support: [Int]
    /// Their α_j.
    public var multipliers: [Element]
    /// p = q + Σ_j α_j σ_j a_j, summed anew from the multipliers.
    public var residual: [Element]
    /// ‖p‖.
    public var norm: Element
    /// How far optimality is missed: the largest −σ_j a_jᵀp, and |a_jᵀp| on the support, over ‖a_j‖ ‖q‖,
    /// when all rows were looked at last; infinite where the threshold was reached before that.
    public var violation: Element
    public var outcome: Outcome
    public var iterations: Int

    /// A start for a solve nearby, of which nothing but multipliers is known.
    package init(support: [Int], multipliers: [Element]) {
      self.init(
        support: support, multipliers: multipliers, residual: [], norm: 0, violation: .infinity,
        outcome: .stoppedAtLimit, iterations: 0)
    }

    init(
      support: [Int], multipliers: [Element], residual: [Element], norm: Element, violation: Element,
      outcome: Outcome, iterations: Int
    ) {
      (self.support, self.multipliers, self.residual) = (support, multipliers, residual)
      (self.norm, self.violation, self.outcome, self.iterations) = (norm, violation, outcome, iterations)
    }
  }

  /// Solves for q ∈ ℝᵈ.
  ///
  /// - Parameters:
  ///   - signs: σ: n numbers; row j counts as σ_j a_j, with σ_j = ±1, and 0 leaves it out. nil: all +1. Thus the
  ///     cones (2D − I)X u ≥ 0 of all patterns share one X.
  ///   - start: a solution of a nearby problem, whose support is where the method starts.
  ///   - threshold: stop as soon as ‖p‖ ≤ threshold.
  ///   - maximumIterations: rows that may come or go; by default 20(n + d), which is never needed.
  public func solve(
    _ q: [Element], signs: [Element]? = nil, start: Solution? = nil, threshold: Element = 0,
    maximumIterations: Int? = nil
  ) -> Solution {
    precondition(q.count == rows.columns, "q has \(q.count) entries, A has \(rows.columns) columns")
    precondition(signs == nil || signs?.count == rows.rows, "one sign for each row")
    var state = ActiveSet(of: self)
    if let signs { state.signs = signs }
    return q.withPointer {
      solve(
        $0, start: start, threshold: threshold,
        maximumIterations: maximumIterations ?? 20 * (rows.rows + rows.columns), in: &state)
    }
  }

  /// The same for the signs that an active set of this problem has, in the room of earlier solves.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  package func solve(
    _ q: UnsafePointer<Element>, start: Solution?, threshold: Element, maximumIterations: Int,
    in state: inout ActiveSet<Element>
  ) -> Solution {
    let size = Element.euclideanNorm(rows.columns, q)
    guard size > 0, size.isFinite else { return trivial(q, size) }
    if let start, let known = known(q, state.signs, start, threshold: threshold) { return known }
    state.restart(q, dividedBy: size, threshold: threshold / size, maximumIterations: maximumIterations)
    if let start { state.start(at: start.support, start.multipliers, dividedBy: size) }
    let outcome = state.run()
    return solution(q, size, state, outcome)
  }

  /// All w with a_jᵀw = 0 for the given rows of A; rows that depend on others to rounding count as dependent.
  /// Cost d²min(k, d − k) for k rows.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func kernel(ofRows support: [Int]) -> Subspace<Element> {
    let d = rows.columns
    var basis = ActiveRows<Element>(projecting: [Element](repeating: 0, count: d))
    rows.withPointer { a in
      for j in support where norms[j] > 0 {
        _ = basis.append(a + j * d, tolerance: 8192 * .ulpOfOne * norms[j])
      }
    }
    guard 2 * basis.count > d else { return Subspace(basis: basis.orthonormalRows, isComplement: true) }
    return Subspace(basis: basis.complement(), isComplement: false)
  }

  /// The multiple of an earlier α that makes ‖p‖ least, where that is at most the threshold. Cost kd.
  @inline(__always)
  private func known(
    _ q: UnsafePointer<Element>, _ signs: [Element], _ start: Solution, threshold: Element
  ) -> Solution? {
    guard threshold > 0, !start.support.isEmpty,
      start.support.allSatisfy((0..<rows.rows).contains),
      start.multipliers.allSatisfy({ $0 >= 0 && $0.isFinite })
    else { return nil }
    let d = rows.columns
    return withTemporary(Element.self, 2 * d) { v in
      let p = v + d
      v.update(repeating: 0, count: d)
      p.update(from: q, count: d)
      rows.withPointer { a in
        for (j, α) in zip(start.support, start.multipliers) { Element.axpy(d, α * signs[j], a + j * d, v) }
      }
      let square = Element.dot(d, v, v)
      let scale = square > 0 ? max(0, -Element.dot(d, v, p) / square) : 0
      Element.axpy(d, scale, v, p)
      let norm = Element.euclideanNorm(d, p)
      guard norm <= threshold else { return nil }
      return Solution(
        support: start.support, multipliers: start.multipliers.map { scale * $0 },
        residual: Self.array(p, d), norm: norm, violation: .infinity, outcome: .belowThreshold, iterations: 0)
    }
  }

  /// q = 0, which is its own projection, or a q that is not finite.
  @inline(__always)
  private func trivial(_ q: UnsafePointer<Element>, _ size: Element) -> Solution {
    Solution(
      support: [], multipliers: [], residual: Self.array(q, rows.columns), norm: size,
      violation: size == 0 ? 0 : .nan, outcome: size == 0 ? .optimal : .stoppedAtLimit, iterations: 0)
  }

  @inline(__always)
  private static func array(_ entries: UnsafePointer<Element>, _ count: Int) -> [Element] {
    [Element](UnsafeBufferPointer(start: entries, count: count))
  }

  /// The state's multipliers in the units of A and q, and what they are worth.
  @inline(__always)
  private func solution(
    _ q: UnsafePointer<Element>, _ size: Element, _ state: borrowing ActiveSet<Element>, _ outcome: Outcome
  ) -> Solution {
    let d = rows.columns
    let (support, signs) = (state.support, state.signs)
    var (residual, multipliers) = (Self.array(q, d), state.multipliers)
    residual.withMutablePointer { p in
      rows.withPointer { a in
        for (i, j) in support.enumerated() {
          multipliers[i] *= size / norms[j]
          Element.axpy(d, signs[j] * multipliers[i], a + j * d, p)
        }
      }
    }
    let norm = residual.withPointer { Element.euclideanNorm(d, $0) }
    let isOptimal = outcome == .stoppedAtLimit && state.violation <= 512 * .ulpOfOne
    return Solution(
      support: support, multipliers: multipliers, residual: residual, norm: norm,
      violation: state.violation, outcome: isOptimal ? .optimal : outcome, iterations: state.iterations)
  }
}
