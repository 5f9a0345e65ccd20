import LinearAlgebra

/// Linearly independent unit rows a_1, …, a_r of length d with the triangular factor of their Gram matrix,
/// A Aᵀ = RᵀR, kept up to date as rows come and go: the work set of `PatternCone`.
///
/// Solves min_α ‖q + Aᵀα‖ by the seminormal equations with one correction (Björck 1987), which is as accurate as
/// an orthogonal factorisation while R is not singular to working precision. Appending costs O(r d + r²),
/// removing O(r²).
final class ActiveRows {
  private let d: Int
  private(set) var members: [Int] = []
  /// A: r × d.
  private let rows: UnsafeMutablePointer<Double>
  /// R by columns: entry (i, j), i ≤ j, at j·d + i.
  private let factor: UnsafeMutablePointer<Double>
  /// Aq for the vector that is being projected.
  private let products: UnsafeMutablePointer<Double>
  private let values: UnsafeMutablePointer<Double>
  private let best: UnsafeMutablePointer<Double>
  private let work: UnsafeMutablePointer<Double>
  private let rest: UnsafeMutablePointer<Double>
  private let storage: UnsafeMutablePointer<Double>

  init(dimension d: Int) {
    self.d = d
    storage = .allocate(capacity: max(1, 2 * d * d + 6 * d))
    (rows, factor) = (storage, storage + d * d)
    let vectors = storage + 2 * d * d
    (products, values, best) = (vectors, vectors + d, vectors + 2 * d)
    (work, rest) = (vectors + 3 * d, vectors + 4 * d)
  }

  deinit { storage.deallocate() }

  var count: Int { members.count }

  /// α ≥ 0, in the order of `members`, for the unit rows.
  var multipliers: [Double] { (0..<count).map { values[$0] } }

  /// v ← R⁻ᵀ v.
  private func solveTransposed(_ v: UnsafeMutablePointer<Double>) {
    for j in 0..<count {
      let column = factor + j * d
      v[j] = (v[j] - Double.dot(j, column, v)) / column[j]
    }
  }

  /// v ← R⁻¹ v.
  private func solve(_ v: UnsafeMutablePointer<Double>) {
    for j in stride(from: count - 1, through: 0, by: -1) {
      let column = factor + j * d
      v[j] /= column[j]
      Double.axpy(j, -v[j], column, v)
    }
  }

  /// Adds the unit row a; false where it depends on the others to rounding, or d rows are there already.
  func append(_ a: UnsafePointer<Double>, index: Int, q: UnsafePointer<Double>) -> Bool {
    let r = count
    guard r < d else { return false }
    let column = factor + r * d
    column.update(repeating: 0, count: d)
    rest.update(from: a, count: d)
    for _ in 0..<2 {  // the second pass takes out the rounding of the first
      Double.gemv(.no, m: r, n: d, alpha: 1, a: rows, lda: d, x: rest, beta: 0, y: work)
      solveTransposed(work)
      Double.axpy(r, 1, work, column)
      solve(work)
      Double.gemv(.yes, m: r, n: d, alpha: -1, a: rows, lda: d, x: work, beta: 1, y: rest)
    }
    let distance = Double.norm2(d, rest)
    guard distance > 1e-11 else { return false }
    column[r] = distance
    (rows + r * d).update(from: a, count: d)
    products[r] = Double.dot(d, a, q)
    values[r] = 0
    members.append(index)
    return true
  }

  /// Removes the row at a position; Givens rotations make R triangular again.
  private func remove(at position: Int) {
    let r = count
    for j in position..<r - 1 {
      (rows + j * d).update(from: rows + (j + 1) * d, count: d)
      (factor + j * d).update(from: factor + (j + 1) * d, count: d)
      (products[j], values[j]) = (products[j + 1], values[j + 1])
    }
    members.remove(at: position)
    for i in position..<r - 1 {
      let (a, b) = (factor[i * d + i], factor[i * d + i + 1])
      let length = (a * a + b * b).squareRoot()
      let (c, s) = (a / length, b / length)
      for j in i..<r - 1 {
        let column = factor + j * d
        let (top, bottom) = (column[i], column[i + 1])
        column[i] = c * top + s * bottom
        column[i + 1] = c * bottom - s * top
      }
    }
  }

  /// `best` ← the α of either sign with least ‖q + Aᵀα‖.
  private func updateBest(q: UnsafePointer<Double>) {
    let r = count
    for i in 0..<r { best[i] = -products[i] }
    solveTransposed(best)
    solve(best)
    rest.update(from: q, count: d)
    Double.gemv(.yes, m: r, n: d, alpha: 1, a: rows, lda: d, x: best, beta: 1, y: rest)
    Double.gemv(.no, m: r, n: d, alpha: -1, a: rows, lda: d, x: rest, beta: 0, y: work)
    solveTransposed(work)
    solve(work)
    Double.axpy(r, 1, work, best)
  }

  /// Steps from the last feasible α towards the best one for the current rows, removing each row whose
  /// multiplier reaches 0 on the way, until the best one is feasible; then p ← q + Aᵀα.
  func makeFeasible(q: UnsafePointer<Double>, p: UnsafeMutablePointer<Double>) {
    while count > 0 {
      updateBest(q: q)
      var length = 1.0
      var blocking: Int?
      for i in 0..<count where best[i] <= 0 {
        let step = values[i] > 0 ? values[i] / (values[i] - best[i]) : 0
        if step < length || blocking == nil {
          length = min(length, step)
          blocking = i
        }
      }
      for i in 0..<count { values[i] = max(0, values[i] + length * (best[i] - values[i])) }
      guard let blocking else { break }
      remove(at: blocking)
    }
    p.update(from: q, count: d)
    Double.gemv(.yes, m: count, n: d, alpha: 1, a: rows, lda: d, x: values, beta: 1, y: p)
  }
}
