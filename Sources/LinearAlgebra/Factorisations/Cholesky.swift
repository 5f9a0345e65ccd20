import RealModule

/// The Cholesky factorisation A = L Lᵀ of a symmetric positive definite matrix, L lower triangular.
///
/// Cost n³/3; large matrices are factorised in tiles over all threads, with the same bits for any number of
/// them. Only the lower triangle of A is read.
public struct Cholesky<Element: Scalar>: Sendable {
  /// L in its lower triangle; the strict upper triangle holds what A held there, and must not be read.
  public private(set) var packedFactor: Matrix<Element>

  /// Throws when A is not square or a pivot is not positive (NaN included).
  public init(_ a: consuming Matrix<Element>) throws(FactorisationError) {
    guard a.rows == a.columns else { throw .notSquare(rows: a.rows, columns: a.columns) }
    packedFactor = a
    let n = packedFactor.rows
    let info = packedFactor.withMutablePointer { Parallel.cholesky(n, $0, max(n, 1)) }
    if info != 0 { throw .notPositiveDefinite(pivot: info - 1) }
  }

  /// The factorisation whose `packedFactor` is known, as from a file.
  ///
  /// Throws when L is not square or an entry of its diagonal is not positive (NaN included).
  public init(packedFactor l: Matrix<Element>) throws(FactorisationError) {
    guard l.rows == l.columns else { throw .notSquare(rows: l.rows, columns: l.columns) }
    if let pivot = (0..<l.rows).first(where: { !(l[$0, $0] > 0) }) {
      throw .notPositiveDefinite(pivot: pivot)
    }
    packedFactor = l
  }

  public var order: Int { packedFactor.rows }

  /// L, with zeros above the diagonal.
  public var factor: Matrix<Element> {
    var l = packedFactor
    for i in 0..<order { for j in i + 1..<max(order, i + 1) { l[i, j] = 0 } }
    return l
  }

  /// X with A X = B, for B: n × c. Cost 2n²c.
  public func solve(_ b: consuming Matrix<Element>) -> Matrix<Element> {
    solve(inPlace: &b)
    return b
  }

  /// x with A x = b. Cost 2n².
  public func solve(_ b: [Element]) -> [Element] { solve(Matrix(column: b)).storage }

  /// B ← A⁻¹ B. Columns are solved in parallel, in slices of fixed width.
  public func solve(inPlace b: inout Matrix<Element>) {
    triangularSolve(&b, [.no, .yes])
  }

  /// B ← L⁻¹ B (`.no`) or L⁻ᵀ B (`.yes`). Cost n²c.
  public func solveTriangular(_ transpose: Transpose, inPlace b: inout Matrix<Element>) {
    triangularSolve(&b, [transpose])
  }

  private func triangularSolve(_ b: inout Matrix<Element>, _ steps: [Transpose]) {
    precondition(b.rows == order, "a right-hand side of \(b.rows) rows for a matrix of order \(order)")
    let (n, c) = (order, b.columns)
    let width = n * c < 1 << 14 ? max(c, 1) : 64
    withPointers(packedFactor, packedFactor, &b.storage) { l, _, b in
      Parallel.forEach(tiles: Parallel.tiles(of: width, covering: c)) { tile in
        let columns = Parallel.range(ofTile: tile, size: width, count: c)
        for step in steps {
          Element.trsm(
            step, m: n, n: columns.count, l: l, ldl: max(n, 1), b: b + columns.lowerBound, ldb: max(c, 1))
        }
      }
    }
  }

  /// log det A = 2 Σ log L_ii.
  public var logDeterminant: Element {
    (0..<order).reduce(Element(0)) { $0 + 2 * Element.log(packedFactor[$1, $1]) }
  }

  /// A⁻¹, both triangles. Cost 2n³/3, on one thread.
  public var inverse: Matrix<Element> {
    var result = packedFactor
    let n = order
    let info = result.withMutablePointer { Element.potri(n, $0, max(n, 1)) }
    precondition(info == 0, "a Cholesky factor with a zero on its diagonal")
    result.mirrorLowerTriangle()
    return result
  }
}
