/// A matrix of bits, one row a sample and one column an activation pattern: `𝔻[k, i] = 1[x_kᵀ g_i > 0]`.
///
/// Rows are padded to whole 64-bit words, least significant bit first, padding bits zero. n × P bits take
/// n·⌈P/64⌉·8 bytes, a thirty-second of the float mask.
public struct BitMatrix: Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  /// Words in a row: ⌈columns / 64⌉.
  public let wordsPerRow: Int
  public var words: [UInt64]

  public init(_ rows: Int, _ columns: Int) {
    self.rows = rows
    self.columns = columns
    wordsPerRow = (columns + 63) / 64
    words = [UInt64](repeating: 0, count: rows * wordsPerRow)
  }

  @inlinable
  public subscript(_ i: Int, _ j: Int) -> Bool {
    get { words[i * wordsPerRow + j >> 6] >> UInt64(j & 63) & 1 == 1 }
    set {
      let bit = UInt64(1) << UInt64(j & 63)
      if newValue { words[i * wordsPerRow + j >> 6] |= bit } else { words[i * wordsPerRow + j >> 6] &= ~bit }
    }
  }

  /// The signs of a product: bit (k, i) is `(X G)_{k,i} > 0`, for X: n × d and G: d × P. Cost 2ndP.
  public init<T: Scalar>(signsOf x: Matrix<T>, times g: Matrix<T>) {
    precondition(x.columns == g.rows, "X has \(x.columns) columns, the gates have \(g.rows) rows")
    self.init(x.rows, g.columns)
    let tile = 256
    let (n, d, p, stride) = (x.rows, x.columns, g.columns, wordsPerRow)
    withPointers(x, g, &words) { x, g, words in
      Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: n)) { index in
        let range = Parallel.range(ofTile: index, size: tile, count: n)
        withTemporary(T.self, range.count * p) { z in
          T.gemm(
            .no, .no, m: range.count, n: p, k: d, alpha: 1, a: x + range.lowerBound * d, lda: max(d, 1), b: g,
            ldb: max(p, 1), beta: 0, c: z, ldc: max(p, 1))
          for (offset, k) in range.enumerated() { T.signBits(z + offset * p, words + k * stride, p) }
        }
      }
    }
  }

  /// The columns with the given indices, in that order.
  public func selectingColumns(_ indices: [Int]) -> BitMatrix {
    var result = BitMatrix(rows, indices.count)
    for i in 0..<rows {
      for (target, j) in indices.enumerated() where self[i, j] { result[i, target] = true }
    }
    return result
  }

  /// The transposed bits: one row a pattern.
  public var transposed: BitMatrix {
    var result = BitMatrix(columns, rows)
    for i in 0..<rows { for j in 0..<columns where self[i, j] { result[j, i] = true } }
    return result
  }

  /// The words of row i.
  public func row(_ i: Int) -> ArraySlice<UInt64> { words[i * wordsPerRow..<(i + 1) * wordsPerRow] }
}
