import LinearAlgebra

/// Projection onto the cones K = {w : (2D − I) X w ≥ 0} of the activation patterns of X.
///
/// The projection of q is p = q + Xᵀ(2D − I)α with the α ≥ 0 of least ‖p‖; then p ∈ K, and ‖p‖ is the maximum of
/// qᵀw over w ∈ K, ‖w‖ ≤ 1. It is found by the active-set method of Lawson and Hanson (1974, ch. 23), exactly up
/// to rounding; at most d rows are active at a time. Any α on the way gives an upper bound, so the method may
/// stop as soon as ‖p‖ is small enough.
struct PatternCones: Sendable {
  /// X with rows of unit length (zero rows stay zero), and these lengths.
  let unitRows: Matrix<Double>
  private let lengths: [Double]
  let patterns: BitMatrix

  init(_ x: Matrix<Double>, patterns: BitMatrix) {
    var rows = x
    let d = x.columns
    var lengths = [Double](repeating: 0, count: x.rows)
    for k in 0..<x.rows {
      lengths[k] = StrictDual.norm(x.row(k))
      if lengths[k] > 0 { for j in 0..<d { rows[k, j] /= lengths[k] } }
    }
    (unitRows, self.lengths, self.patterns) = (rows, lengths, patterns)
  }

  /// The projection, its norm and the multipliers that prove it.
  struct Polar {
    var norm: Double
    var multipliers: SparseVector
    var projection: [Double]
  }

  /// Projects q onto the cone of one pattern, or stops once ‖p‖ ≤ stopBelow. Cost: 2 n d for each of about d
  /// rounds; a round tries the worst rows found in it one after the other.
  func polar(of q: [Double], pattern: Int, stopBelow: Double = 0) -> Polar {
    let (n, d) = (unitRows.rows, unitRows.columns)
    let active = ActiveRows(dimension: d)
    let orientation = (0..<n).map { patterns[$0, pattern] ? 1.0 : -1.0 }
    var p = q
    var products = [Double](repeating: 0, count: n)
    let size = q.withPointer { Double.norm2(d, $0) }
    // Enough for exactness; where rows are many, as many as ten billion multiplications allow: the bound holds.
    let rounds = min(10 * d + 50, max(4, 10_000_000_000 / max(n * d, 1)))
    unitRows.withPointer { rows in
      q.withPointer { q in
        p.withMutablePointer { p in
          for _ in 0..<rounds {
            if Double.norm2(d, p) <= stopBelow { return }
            Double.gemv(.no, m: n, n: d, alpha: 1, a: rows, lda: max(d, 1), x: p, beta: 0, y: &products)
            for k in 0..<n { products[k] *= orientation[k] }
            for k in active.members { products[k] = 0 }
            let worst = Self.smallest(of: products, below: -1e-13 * size)
            guard improve(worst, active, orientation, rows: rows, q: q, p: p, size: size) else { return }
          }
        }
      }
    }
    let values = zip(active.members, active.multipliers).map { $0.1 / lengths[$0.0] }
    return Polar(
      norm: p.withPointer { Double.norm2(d, $0) },
      multipliers: SparseVector(indices: active.members, values: values), projection: p)
  }

  /// Takes in rows that p breaks, one after the other, while they still break it. Returns whether any came in.
  private func improve(
    _ candidates: [Int], _ active: ActiveRows, _ orientation: [Double], rows: UnsafePointer<Double>,
    q: UnsafePointer<Double>, p: UnsafeMutablePointer<Double>, size: Double
  ) -> Bool {
    let d = unitRows.columns
    var improved = false
    withTemporary(Double.self, d) { row in
      for k in candidates {
        guard orientation[k] * Double.dot(d, rows + k * d, p) < -1e-13 * size else { continue }
        for j in 0..<d { row[j] = orientation[k] * rows[k * d + j] }
        guard active.append(row, index: k, q: q) else { continue }
        active.makeFeasible(q: q, p: p)
        improved = true
      }
    }
    return improved
  }

  /// Indices of the eight smallest entries below a limit, smallest first.
  private static func smallest(of values: [Double], below limit: Double) -> [Int] {
    var found: [Int] = []
    var bound = limit
    for (k, value) in values.enumerated() where value < bound {
      let place = found.firstIndex { values[$0] > value } ?? found.count
      found.insert(k, at: place)
      if found.count > 8 { found.removeLast() }
      if found.count == 8 { bound = values[found[7]] }
    }
    return found
  }
}
