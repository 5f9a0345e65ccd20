import LinearAlgebra

/// The factorisation A_S = L Q of the active rows of a matrix, with L: k × k lower triangular and Q: k × d of
/// orthonormal rows, and the projection p = q − Qᵀ Q q of a vector q off those rows.
///
/// Rows come and go in O(kd + k²): a row comes by Gram–Schmidt done twice, which keeps Q orthonormal to
/// rounding, and goes by Givens rotations (Daniel, Gragg, Kaufman & Stewart 1976).
struct ActiveRows<Element: Scalar>: ~Copyable {
  let dimension: Int
  private var q: [Element]
  /// Q: k × d.
  private var basis: [Element] = []
  /// The rows of L one after another, j + 1 entries in row j.
  private var factor: [Element] = []
  /// Q q.
  private var coefficients: [Element] = []
  /// p.
  private(set) var residual: [Element]
  /// Room for a row, its row of L and its products with Q.
  private var scratch: [Element]

  /// No rows: p = q.
  init(projecting q: [Element]) {
    self.q = q
    dimension = q.count
    residual = q
    scratch = [Element](repeating: 0, count: 3 * q.count)
  }

  /// No rows again and q/size for q, in the room there is.
  @inline(__always)
  mutating func restart(projecting q: UnsafePointer<Element>, dividedBy size: Element) {
    let d = dimension
    basis.removeAll(keepingCapacity: true)
    factor.removeAll(keepingCapacity: true)
    coefficients.removeAll(keepingCapacity: true)
    self.q.withMutablePointer { own in
      residual.withMutablePointer { p in
        for j in 0..<d {
          own[j] = q[j] / size
          p[j] = own[j]
        }
      }
    }
  }

  var count: Int { coefficients.count }

  /// ‖p‖.
  @inline(__always)
  var residualNorm: Element { residual.withPointer { Element.euclideanNorm(dimension, $0) } }

  /// Q.
  var orthonormalRows: Matrix<Element> { Matrix(count, dimension, storage: basis) }

  /// Orthonormal rows that complete Q: each time the unit vector that stands out most comes in.
  @inline(__always)
  consuming func complement() -> Matrix<Element> {
    let (k, d) = (count, dimension)
    var heights = [Element](repeating: 1, count: d)
    for i in 0..<k { for j in 0..<d { heights[j] -= basis[i * d + j] * basis[i * d + j] } }
    var unit = [Element](repeating: 0, count: d)
    while count < d {
      var next = 0
      for j in 1..<d where heights[j] > heights[next] { next = j }
      unit[next] = 1
      guard unit.withPointer({ append($0, tolerance: 0) }) else { break }
      unit[next] = 0
      for j in 0..<d { heights[j] -= basis[(count - 1) * d + j] * basis[(count - 1) * d + j] }
    }
    return Matrix(count - k, d, storage: Array(basis[(k * d)...]))
  }

  /// Adds s times a row, of length about 1, to the end; refuses it (false) where less than `tolerance` of it stands
  /// out of the span of the rows here.
  @inline(__always)
  mutating func append(_ row: UnsafePointer<Element>, scaledBy s: Element = 1, tolerance: Element) -> Bool {
    let (k, d) = (count, dimension)
    guard k < d else { return false }
    var room: [Element] = []
    swap(&room, &scratch)
    defer { swap(&room, &scratch) }
    return room.withMutablePointer { v in
      let (l, h) = (v + d, v + 2 * d)
      for j in 0..<d { v[j] = s * row[j] }
      for i in 0...k { l[i] = 0 }
      for _ in 0..<2 {
        Self.project(v, off: basis, k, d, h)
        for i in 0..<k { l[i] += h[i] }
      }
      let height = Element.euclideanNorm(d, v)
      guard height > tolerance else { return false }
      l[k] = height
      for j in 0..<d { v[j] /= height }
      basis.append(contentsOf: UnsafeBufferPointer(start: v, count: d))
      factor.append(contentsOf: UnsafeBufferPointer(start: l, count: k + 1))
      let c = q.withPointer { Element.dot(d, v, $0) }
      coefficients.append(c)
      residual.withMutablePointer { p in Element.axpy(d, -Element.dot(d, v, p), v, p) }
      return true
    }
  }

  /// v ← v − Qᵀ h with h ← Q v for the k rows of Q.
  @inline(__always)
  private static func project(
    _ v: UnsafeMutablePointer<Element>, off q: [Element], _ k: Int, _ d: Int,
    _ h: UnsafeMutablePointer<Element>
  ) {
    guard k > 0 else { return }
    q.withPointer { q in
      Element.gemv(.no, m: k, n: d, alpha: 1, a: q, lda: d, x: v, beta: 0, y: h)
      Element.gemv(.yes, m: k, n: d, alpha: -1, a: q, lda: d, x: h, beta: 1, y: v)
    }
  }

  /// p computed anew from q, free of what updates left behind.
  @inline(__always)
  mutating func refresh() {
    let (k, d) = (count, dimension)
    var room: [Element] = []
    swap(&room, &scratch)
    defer { swap(&room, &scratch) }
    room.withMutablePointer { p in
      let h = p + d
      q.withPointer { p.update(from: $0, count: d) }
      Self.project(p, off: basis, k, d, h)
      coefficients.withMutablePointer { $0.update(from: h, count: k) }
      Self.project(p, off: basis, k, d, h)
      residual.withMutablePointer { $0.update(from: p, count: d) }
    }
  }

  /// The α that minimises ‖q + A_Sᵀ α‖: Lᵀ α = −Q q.
  @inline(__always)
  func multipliers(into α: inout [Element]) {
    let k = count
    α.removeAll(keepingCapacity: true)
    α.append(contentsOf: coefficients)
    α.withMutablePointer { α in
      factor.withPointer { factor in
        for j in stride(from: k - 1, through: 0, by: -1) {
          let row = factor + j * (j + 1) / 2
          α[j] = -α[j] / row[j]
          Element.axpy(j, α[j], row, α)
        }
      }
    }
  }

  /// Takes row `index` out.
  @inline(__always)
  mutating func remove(at index: Int) {
    let (k, d) = (count, dimension)
    for j in index..<k - 1 {
      let (c, s) = factor.withMutablePointer { rotateColumns($0, j, k) }
      basis.withMutablePointer { rotate($0 + j * d, $0 + (j + 1) * d, d, c, s) }
      coefficients.withMutablePointer { rotate($0 + j, $0 + j + 1, 1, c, s) }
    }
    factor.withMutablePointer { factor in
      for r in index..<k - 1 {
        (factor + r * (r + 1) / 2).update(from: factor + (r + 1) * (r + 2) / 2, count: r + 1)
      }
    }
    basis.withPointer { basis in
      let last = basis + (k - 1) * d
      let c = q.withPointer { Element.dot(d, last, $0) }
      residual.withMutablePointer { Element.axpy(d, c, last, $0) }
    }
    factor.removeLast(k)
    basis.removeLast(d)
    coefficients.removeLast()
  }
}

/// Rotates columns j and j + 1 of the packed L so that the last entry of row j + 1 becomes 0, and returns the
/// rotation.
@inline(__always)
private func rotateColumns<T: Scalar>(_ factor: UnsafeMutablePointer<T>, _ j: Int, _ k: Int) -> (T, T) {
  let row = factor + (j + 1) * (j + 2) / 2
  let diagonal = T.hypot(row[j], row[j + 1])
  let (c, s) = (row[j] / diagonal, row[j + 1] / diagonal)
  for r in j + 1..<k {
    let row = factor + r * (r + 1) / 2
    (row[j], row[j + 1]) = (c * row[j] + s * row[j + 1], c * row[j + 1] - s * row[j])
  }
  return (c, s)
}

@inline(__always)
private func rotate<T: Scalar>(
  _ x: UnsafeMutablePointer<T>, _ y: UnsafeMutablePointer<T>, _ count: Int, _ c: T, _ s: T
) {
  for i in 0..<count { (x[i], y[i]) = (c * x[i] + s * y[i], c * y[i] - s * x[i]) }
}

extension Matrix {
  /// Orthonormal rows that complete the orthonormal rows of this matrix.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func orthogonalComplement() -> Matrix {
    var rows = ActiveRows<Element>(projecting: [Element](repeating: 0, count: columns))
    withPointer { a in for i in 0..<self.rows { _ = rows.append(a + i * columns, tolerance: 0) } }
    return rows.complement()
  }
}
