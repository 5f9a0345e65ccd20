import LinearAlgebra

/// Products that fill the lower triangle of a symmetric matrix, tile by tile on all threads.
enum SymmetricTiles {
  private static let size = 192

  /// Tiles (row, column) of the lower triangle of an n × n matrix.
  private static func lowerTiles(_ n: Int) -> [(Range<Int>, Range<Int>)] {
    let count = Parallel.tiles(of: size, covering: n)
    return (0..<count).flatMap { i in
      (0...i).map { j in
        (
          Parallel.range(ofTile: i, size: size, count: n), Parallel.range(ofTile: j, size: size, count: n)
        )
      }
    }
  }

  /// Lower triangle of C ← C + V Vᵀ, with V: rows × columns and C: rows × rows, row-major.
  static func addProduct(
    of v: UnsafePointer<Double>, rows: Int, columns: Int, to c: UnsafeMutablePointer<Double>
  ) {
    let tiles = lowerTiles(rows)
    Parallel.forEach(tiles: tiles.count, work: rows * rows * columns) { index in
      let (i, j) = tiles[index]
      Double.gemm(
        .no, .yes, m: i.count, n: j.count, k: columns, alpha: 1, a: v + i.lowerBound * columns,
        lda: columns, b: v + j.lowerBound * columns, ldb: columns, beta: 1,
        c: c + i.lowerBound * rows + j.lowerBound, ldc: rows)
    }
  }

  /// Lower triangle of C ← C ± BᵀB, where columns m·blockSize… of B: rows × columns belong at
  /// members[m]·blockSize… of C: size × size; members ascend.
  static func addTransposedProduct(
    of b: UnsafePointer<Double>, rows: Int, columns: Int, sign: Double, blockSize: Int, members: [Int],
    to c: UnsafeMutablePointer<Double>, size: Int
  ) {
    let perTile = max(1, Self.size / blockSize)
    let groups = Parallel.tiles(of: perTile, covering: members.count)
    let tiles = (0..<groups).flatMap { i in (0...i).map { (i, $0) } }
    Parallel.forEach(tiles: tiles.count, work: rows * columns * columns) { index in
      let (i, j) = tiles[index]
      let rowMembers = Parallel.range(ofTile: i, size: perTile, count: members.count)
      let columnMembers = Parallel.range(ofTile: j, size: perTile, count: members.count)
      let (height, width) = (rowMembers.count * blockSize, columnMembers.count * blockSize)
      withTemporary(Double.self, height * width) { product in
        Double.gemm(
          .yes, .no, m: height, n: width, k: rows, alpha: sign,
          a: b + rowMembers.lowerBound * blockSize, lda: columns,
          b: b + columnMembers.lowerBound * blockSize, ldb: columns, beta: 0, c: product, ldc: width)
        for (a, rowMember) in rowMembers.enumerated() {
          for (e, columnMember) in columnMembers.enumerated() where columnMember <= rowMember {
            for row in 0..<blockSize {
              let source = product + (a * blockSize + row) * width + e * blockSize
              let target =
                c + (members[rowMember] * blockSize + row) * size + members[columnMember] * blockSize
              for column in 0..<blockSize { target[column] += source[column] }
            }
          }
        }
      }
    }
  }
}
