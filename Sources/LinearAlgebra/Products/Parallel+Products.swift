extension Parallel {
  /// C ← α op(A) op(B) + β C like `Scalar.gemm`, spread over threads; same bits for any number of them.
  public static func gemm<T: Scalar>(
    _ transposeA: Transpose, _ transposeB: Transpose, m: Int, n: Int, k: Int, alpha: T,
    a: UnsafePointer<T>, lda: Int, b: UnsafePointer<T>, ldb: Int, beta: T, c: UnsafeMutablePointer<T>,
    ldc: Int
  ) {
    guard m > 0, n > 0 else { return }
    let grid = TileGrid(m: m, n: n, k: k)
    let across = tiles(of: grid.columns, covering: n)
    let piece = { (tile: Int, terms: Range<Int>, beta: T, target: UnsafeMutablePointer<T>, ld: Int) in
      let rows = range(ofTile: tile / across, size: grid.rows, count: m)
      let columns = range(ofTile: tile % across, size: grid.columns, count: n)
      T.gemm(
        transposeA, transposeB, m: rows.count, n: columns.count, k: terms.count, alpha: alpha,
        a: a + transposeA.offset(row: rows.lowerBound, column: terms.lowerBound, leading: lda), lda: lda,
        b: b + transposeB.offset(row: terms.lowerBound, column: columns.lowerBound, leading: ldb), ldb: ldb,
        beta: beta, c: target + rows.lowerBound * ld + columns.lowerBound, ldc: ld)
    }
    let tileCount = tiles(of: grid.rows, covering: m) * across
    let split = tiles(of: grid.terms, covering: k)
    guard split > 1 else {
      return forEach(tiles: tileCount) { piece($0, 0..<k, beta, c, ldc) }
    }
    inPieces(split, of: m * n, T.self) { partial in
      forEach(tiles: tileCount * split) { index in
        let part = index / tileCount
        piece(
          index % tileCount, range(ofTile: part, size: grid.terms, count: k), 0, partial + part * m * n, n)
      }
      sum(partial, split, m, n, beta, c, ldc, triangle: false)
    }
  }

  /// Lower triangle of C ← α op(A) op(A)ᵀ + β C like `Scalar.syrk`, spread over threads; the strict upper
  /// triangle inside tiles on the diagonal is left alone. Same bits for any number of threads.
  public static func syrk<T: Scalar>(
    _ transpose: Transpose, n: Int, k: Int, alpha: T, a: UnsafePointer<T>, lda: Int, beta: T,
    c: UnsafeMutablePointer<T>, ldc: Int
  ) {
    guard n > 0 else { return }
    let size = n * n * k < TileGrid.smallestShared ? n : min(n, max(96, min(384, TileGrid.ceiling(n, 4))))
    let side = tiles(of: size, covering: n)
    let tileCount = side * (side + 1) / 2
    let split =
      n * n * k < TileGrid.smallestShared || tileCount >= 8 ? 1 : min(16 / tileCount, max(1, k / 1024))
    let length = max(1, TileGrid.ceiling(k, split))
    let piece = { (tile: Int, terms: Range<Int>, beta: T, target: UnsafeMutablePointer<T>, ld: Int) in
      let (i, j) = triangular(tile)
      let rows = range(ofTile: i, size: size, count: n)
      let columns = range(ofTile: j, size: size, count: n)
      let at = { (row: Int) in
        a + transpose.offset(row: row, column: terms.lowerBound, leading: lda)
      }
      let place = target + rows.lowerBound * ld + columns.lowerBound
      if i == j {
        T.syrk(
          transpose, n: rows.count, k: terms.count, alpha: alpha, a: at(rows.lowerBound), lda: lda,
          beta: beta,
          c: place, ldc: ld)
      } else {
        T.gemm(
          transpose, transpose.other, m: rows.count, n: columns.count, k: terms.count, alpha: alpha,
          a: at(rows.lowerBound), lda: lda, b: at(columns.lowerBound), ldb: lda, beta: beta, c: place, ldc: ld
        )
      }
    }
    guard split > 1 else {
      return forEach(tiles: tileCount) { piece($0, 0..<k, beta, c, ldc) }
    }
    inPieces(split, of: n * n, T.self) { partial in
      forEach(tiles: tileCount * split) { index in
        let part = index / tileCount
        piece(index % tileCount, range(ofTile: part, size: length, count: k), 0, partial + part * n * n, n)
      }
      sum(partial, split, n, n, beta, c, ldc, triangle: true)
    }
  }

  /// Row and column of entry `index` of a lower triangle counted row by row.
  static func triangular(_ index: Int) -> (Int, Int) {
    var row = Int((Double(8 * index + 1).squareRoot() - 1) / 2)
    while (row + 1) * (row + 2) / 2 <= index { row += 1 }
    while row * (row + 1) / 2 > index { row -= 1 }
    return (row, index - row * (row + 1) / 2)
  }

  private static func inPieces<T: Scalar>(
    _ pieces: Int, of count: Int, _: T.Type, _ body: (UnsafeMutablePointer<T>) -> Void
  ) {
    withTemporary(T.self, pieces * count) { partial in
      partial.initialize(repeating: 0, count: pieces * count)
      body(partial)
    }
  }

  /// C ← β C + Σ of the partial results, in order (of a triangle: its lower part only).
  private static func sum<T: Scalar>(
    _ partial: UnsafePointer<T>, _ pieces: Int, _ m: Int, _ n: Int, _ beta: T, _ c: UnsafeMutablePointer<T>,
    _ ldc: Int, triangle: Bool
  ) {
    for i in 0..<m {
      let width = triangle ? i + 1 : n
      let row = c + i * ldc
      if beta == 0 {
        row.update(from: partial + i * n, count: width)
      } else {
        if beta != 1 { T.scale(width, beta, row) }
        T.axpy(width, 1, partial + i * n, row)
      }
      for piece in 1..<pieces { T.axpy(width, 1, partial + piece * m * n + i * n, row) }
    }
  }
}

extension Transpose {
  /// The opposite choice.
  public var other: Transpose { self == .no ? .yes : .no }

  /// Where entry (row, column) of op(A) lies in A.
  @inlinable
  func offset(row: Int, column: Int, leading: Int) -> Int {
    self == .no ? row * leading + column : column * leading + row
  }
}
