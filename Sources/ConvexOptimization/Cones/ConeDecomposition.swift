import LinearAlgebra

/// A vector as the difference of two of a polyhedral cone K = {u : A u ≥ 0}, A: n × d, of least total norm:
///
///     min ‖u‖ + ‖v‖  s.t.  u − v = w,  u, v ∈ K     =     max wᵀy  s.t.  ‖Π_K(y)‖ ≤ 1,  ‖Π_K(−y)‖ ≤ 1
///
/// There is one for every w where K has an interior, otherwise for the w in the span of K (Mishkin, Sahiner &
/// Pilanci 2022, cone decompositions). The right side, the Lagrangian dual, bounds the left one from below:
/// by ‖Π_K(y)‖ = min_{α ≥ 0} ‖y + Aᵀα‖ any y and multipliers α, β ≥ 0 do.
///
/// By Cauchy and Schwarz the square of the minimum is that of φ(t) = min_{u, v} ‖u‖²/(1 − t) + ‖v‖²/t over
/// 0 < t < 1. φ is convex, and evaluated by one projection: u = z + (1 − t)w and v = z − tw for the z of least
/// norm with a_kᵀz ≥ t a_kᵀw and a_kᵀz ≥ −(1 − t) a_kᵀw. While the active rows stay the same,
/// φ(t) = p²/t + q²/(1 − t) + r², where p, q are the lengths of the parts of v, u in their span: least at
/// t = p/(p + q). That step, kept inside the bracket known so far, ends on the right face after a few
/// projections.
public struct ConeDecomposition: Sendable, Equatable {
  /// u ∈ K.
  public private(set) var u: [Double]
  /// v ∈ K.
  public private(set) var v: [Double]
  /// y, scaled to be feasible for the dual.
  public private(set) var dual: [Double]
  /// A lower bound on the total norm of all decompositions of w: wᵀy, from multipliers that prove y feasible.
  public private(set) var bound: Double
  /// Projections that it took.
  public private(set) var projections = 0

  /// ‖u‖ + ‖v‖.
  public var norm: Double { StrictArithmetic.norm(u) + StrictArithmetic.norm(v) }

  /// The decomposition of w, exact to rounding; nil where there is none, for a w that is not finite, and
  /// where K is so narrow that u and v would be 10¹² times as long as w is far from K.
  ///
  /// Where ±w is in K up to rounding one part is 0. Cost of a solve with `NonnegativeLeastSquares` for each
  /// of some five projections; 8n(d + 1) bytes beside A.
  ///
  /// - Parameters:
  ///   - rows: A.
  ///   - signs: σ: n numbers ±1; row k counts as σ_k a_k. nil: all +1. Thus the cones (2D − I)X u ≥ 0 of all
  ///     patterns share one X.
  public init?(of w: [Double], rows: NonnegativeLeastSquares<Double>, signs: [Double]? = nil) {
    let (n, d) = (rows.rows.rows, rows.rows.columns)
    precondition(w.count == d, "w has \(w.count) entries, A has \(d) columns")
    precondition(signs == nil || signs?.count == n, "one sign for each row")
    let size = StrictArithmetic.norm(w)
    guard size.isFinite else { return nil }
    let zero = [Double](repeating: 0, count: d)
    (u, v, dual, bound) = (zero, zero, zero, 0)
    guard size > 0 else { return }
    let signs = signs ?? [Double](repeating: 1, count: n)
    let unit = w.map { $0 / size }
    var search = RatioSearch(unit, LeastDistance(rows, signs: signs))
    if search.isInside(1) {
      (u, dual, bound) = (w, unit, size)
    } else if search.isInside(-1) {
      (v, dual, bound) = (w.map { -$0 }, unit, size)
    } else {
      guard let split = search.run() else { return nil }
      projections = search.projections
      u = split.u.map { size * $0 }
      v = split.v.map { size * $0 }
      setDual(split, slopes: search.slopes, of: w, rows, signs)
    }
  }

  /// y = tu − Aᵀα with the multipliers α of the rows that hold u: then y + Aᵀα = tu and −y + Aᵀβ = (1 − t)v,
  /// of equal length at the optimum. All three sums are evaluated afresh for the bound.
  private mutating func setDual(
    _ split: RatioSearch.Split, slopes: [Double], of w: [Double], _ rows: NonnegativeLeastSquares<Double>,
    _ signs: [Double]
  ) {
    let d = w.count
    func sum(_ y: [Double], ofRows isIncluded: (Int) -> Bool, sign: Double) -> [Double] {
      var sums = [CompensatedSum](repeating: CompensatedSum(), count: d)
      for i in 0..<d { sums[i] += y[i] }
      for (k, μ) in zip(split.z.support, split.z.multipliers) where isIncluded(k) {
        let factor = sign * signs[k] * μ / rows.norms[k]
        for i in 0..<d { sums[i].add(factor, times: rows.rows[k, i]) }
      }
      return sums.map(\.value)
    }
    let y = sum(split.u.map { split.t * $0 }, ofRows: { slopes[$0] < 0 }, sign: -1)
    let plus = StrictArithmetic.norm(sum(y, ofRows: { slopes[$0] < 0 }, sign: 1))
    let minus = StrictArithmetic.norm(sum(y.map { -$0 }, ofRows: { slopes[$0] >= 0 }, sign: 1))
    let scale = (1 - 8 * Double.ulpOfOne) / max(plus, minus)
    dual = y.map { scale * $0 }
    bound = StrictArithmetic.dot(w, dual)
  }
}

/// The search for the least φ(t), by the ratio ρ = t/(1 − t), which is ‖v‖/‖u‖ at the optimum, for ‖w‖ = 1.
private struct RatioSearch {
  /// a_kᵀw, 0 where it is rounding.
  let slopes: [Double]
  private let w: [Double]
  private var polyhedron: LeastDistance
  private(set) var projections = 0

  /// The best u and v for a ratio.
  struct Split {
    /// t and 1 − t.
    let t, s: Double
    let z: LeastDistance.Solution
    let u, v: [Double]
    /// ‖u‖, ‖v‖.
    let sizes: (u: Double, v: Double)

    init(_ w: [Double], _ z: LeastDistance.Solution, ratio ρ: Double) {
      let (t, s) = (ρ / (1 + ρ), 1 / (1 + ρ))
      (self.t, self.s, self.z) = (t, s, z)
      u = zip(z.z, w).map { $0 + s * $1 }
      v = zip(z.z, w).map { $0 - t * $1 }
      sizes = (StrictArithmetic.norm(u), StrictArithmetic.norm(v))
    }

    var ratio: Double { sizes.v / sizes.u }

    /// The gap to the dual point that comes with the split (`setDual`), 0 where t is optimal. Where the
    /// active rows determine u and v, only this tells one t from another.
    var gap: Double {
      let (p, q) = (t * sizes.u, s * sizes.v)
      return sizes.u + sizes.v - (p * sizes.u + q * sizes.v) / max(p, q)
    }
  }

  /// Products a_kᵀw/(‖a_k‖‖w‖) below it count as 0: less than what is tolerated of members of a cone.
  private static let rounding = 1e-13

  init(_ w: [Double], _ polyhedron: LeastDistance) {
    (self.w, self.polyhedron) = (w, polyhedron)
    slopes = polyhedron.product(w).map { abs($0) > Self.rounding ? $0 : 0 }
  }

  /// Whether ±w is in the cone.
  func isInside(_ sign: Double) -> Bool { slopes.allSatisfy { sign * $0 >= 0 } }

  /// The best split found; nil where there is none.
  mutating func run() -> Split? {
    let (least, largest) = (slopes.reduce(0, min), slopes.reduce(0, max))
    var (low, ratio, high) = (0.0, -least / largest, Double.infinity)
    var (best, last) = (Split?.none, LeastDistance.Solution?.none)
    for _ in 0..<64 {
      let (t, s) = (ratio / (1 + ratio), 1 / (1 + ratio))
      let b = slopes.map { $0 < 0 ? -s * $0 : t * $0 }
      projections += 1
      guard let z = polyhedron.solve(b, from: last) else { return best }
      last = z
      let split = Split(w, z, ratio: ratio)
      if split.gap < best?.gap ?? .infinity { best = split }
      if split.ratio > ratio { low = ratio } else { high = ratio }
      let next = ratioOnFace(split)
      if abs(next - ratio) <= 8 * .ulpOfOne * ratio { break }
      ratio = low < next && next < high ? next : middle(low, high)
      guard low < ratio, ratio < high else { break }
    }
    return best
  }

  /// p/q: the best ratio while the active rows stay the same.
  private func ratioOnFace(_ split: Split) -> Double {
    let free = polyhedron.remainder(of: w, offRows: split.z.support)
    let held = zip(w, free).map { $0 - $1 }
    let p = StrictArithmetic.norm(zip(split.z.z, held).map { $0 - split.t * $1 })
    let q = StrictArithmetic.norm(zip(split.z.z, held).map { $0 + split.s * $1 })
    return p / q
  }

  /// A ratio between two, in the middle of their logarithms.
  private func middle(_ low: Double, _ high: Double) -> Double {
    low == 0 ? high / 16 : high == .infinity ? 16 * low : (low * high).squareRoot()
  }
}
