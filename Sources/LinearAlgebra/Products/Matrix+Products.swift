/// op(A) op(B), in parallel over tiles with the same bits for any number of threads. Cost 2mnk.
public func matrixProduct<T: Scalar>(
  _ a: Matrix<T>, _ transposeA: Transpose, _ b: Matrix<T>, _ transposeB: Transpose = .no
) -> Matrix<T> {
  var result = Matrix<T>(transposeA == .no ? a.rows : a.columns, transposeB == .no ? b.columns : b.rows)
  addProduct(a, transposeA, b, transposeB, to: &result, beta: 0)
  return result
}

/// C ← α op(A) op(B) + β C. Cost 2mnk; nothing is allocated for results larger than a few tiles.
public func addProduct<T: Scalar>(
  _ a: Matrix<T>, _ transposeA: Transpose, _ b: Matrix<T>, _ transposeB: Transpose = .no,
  to c: inout Matrix<T>, alpha: T = 1, beta: T = 1
) {
  let (m, k) = transposeA == .no ? (a.rows, a.columns) : (a.columns, a.rows)
  let (inner, n) = transposeB == .no ? (b.rows, b.columns) : (b.columns, b.rows)
  precondition(k == inner, "a product of \(m) × \(k) and \(inner) × \(n)")
  precondition(c.rows == m && c.columns == n, "a product of \(m) × \(n) into \(c.rows) × \(c.columns)")
  withPointers(a, b, &c.storage) { a, b, c in
    Parallel.gemm(
      transposeA, transposeB, m: m, n: n, k: k, alpha: alpha, a: a, lda: max(transposeA == .no ? k : m, 1),
      b: b, ldb: max(transposeB == .no ? n : k, 1), beta: beta, c: c, ldc: max(n, 1))
  }
}

/// A B. Cost 2mnk.
public func matrixProduct<T: Scalar>(_ a: Matrix<T>, _ b: Matrix<T>) -> Matrix<T> {
  matrixProduct(a, .no, b, .no)
}

/// C ← α A B + β C. Cost 2mnk.
public func addProduct<T: Scalar>(
  _ a: Matrix<T>, _ b: Matrix<T>, to c: inout Matrix<T>, alpha: T = 1, beta: T = 1
) {
  addProduct(a, .no, b, .no, to: &c, alpha: alpha, beta: beta)
}

/// The symmetric Gram matrix op(A) op(A)ᵀ, both triangles: of the rows of A (`.no`), or AᵀA (`.yes`).
/// Cost n²k.
public func gramMatrix<T: Scalar>(_ a: Matrix<T>, _ transpose: Transpose = .no) -> Matrix<T> {
  let (n, k) = transpose == .no ? (a.rows, a.columns) : (a.columns, a.rows)
  var result = Matrix<T>(n, n)
  let leading = max(a.columns, 1)
  withPointers(a, a, &result.storage) { a, _, c in
    Parallel.syrk(transpose, n: n, k: k, alpha: 1, a: a, lda: leading, beta: 0, c: c, ldc: max(n, 1))
  }
  result.mirrorLowerTriangle()
  return result
}

extension Matrix {
  /// Copies the lower triangle of a square matrix onto the upper one.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public mutating func mirrorLowerTriangle() {
    precondition(rows == columns, "only a square matrix has triangles to mirror")
    let n = rows
    withMutablePointer { a in
      let tile = 32
      for top in Swift.stride(from: 0, to: n, by: tile) {
        for left in Swift.stride(from: 0, through: top, by: tile) {
          for i in top..<Swift.min(top + tile, n) {
            for j in left..<Swift.min(left + tile, i + 1) { a[j * n + i] = a[i * n + j] }
          }
        }
      }
    }
  }

  /// ‖row i‖₂ for every row, safe against overflow. Cost 2 · rows · columns.
  public var rowNorms: [Element] {
    var norms = [Element](repeating: 0, count: rows)
    let (rows, columns) = (rows, columns)
    withPointer { a in
      norms.withMutablePointer { norms in
        Parallel.forEach(tiles: Parallel.tiles(of: 1024, covering: rows)) { tile in
          for i in Parallel.range(ofTile: tile, size: 1024, count: rows) {
            norms[i] = Element.norm2(columns, a + i * columns)
          }
        }
      }
    }
    return norms
  }
}
