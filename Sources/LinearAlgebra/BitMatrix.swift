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

  /// The columns with the given indices, in that order.
  public func selectingColumns(_ indices: [Int]) -> BitMatrix {
    transposed.selectingRows(indices).transposed
  }

  /// The rows with the given indices, in that order.
  public func selectingRows(_ indices: [Int]) -> BitMatrix {
    var result = BitMatrix(indices.count, columns)
    for (target, i) in indices.enumerated() {
      result.words.replaceSubrange(
        target * wordsPerRow..<(target + 1) * wordsPerRow,
        with: words[i * wordsPerRow..<(i + 1) * wordsPerRow])
    }
    return result
  }

  /// The transposed bits: one row a pattern. Cost about rows · columns / 10 operations, in 64 × 64 blocks.
  public var transposed: BitMatrix {
    var result = BitMatrix(columns, rows)
    var block = [UInt64](repeating: 0, count: 64)
    for top in stride(from: 0, to: rows, by: 64) {
      for word in 0..<wordsPerRow {
        for i in 0..<64 { block[i] = top + i < rows ? words[(top + i) * wordsPerRow + word] : 0 }
        BitMatrix.transpose(&block)
        for j in 0..<min(64, columns - word * 64) {
          result.words[(word * 64 + j) * result.wordsPerRow + top >> 6] = block[j]
        }
      }
    }
    return result
  }

  /// Transposes 64 × 64 bits in place: swaps the off-diagonal halves of ever smaller squares.
  private static func transpose(_ block: inout [UInt64]) {
    var (half, mask) = (32, UInt64(0xFFFF_FFFF))
    while half > 0 {
      for i in 0..<64 where i & half == 0 {
        let difference = (block[i] >> UInt64(half) ^ block[i + half]) & mask
        block[i + half] ^= difference
        block[i] ^= difference << UInt64(half)
      }
      half /= 2
      mask ^= mask << UInt64(half)
    }
  }

  /// The rows of `self` and then those of `other`, which must have as many columns.
  public func appendingRows(of other: BitMatrix) -> BitMatrix {
    precondition(columns == other.columns, "bit rows of \(columns) and \(other.columns) columns")
    var result = BitMatrix(rows + other.rows, columns)
    result.words = words + other.words
    return result
  }

  /// The first index of every distinct row, in order. Expected cost rows · columns / 64.
  public var distinctRows: [Int] {
    var seen = Set<ArraySlice<UInt64>>(minimumCapacity: rows)
    return (0..<rows).filter { seen.insert(row($0)).inserted }
  }

  /// The words of row i.
  public func row(_ i: Int) -> ArraySlice<UInt64> { words[i * wordsPerRow..<(i + 1) * wordsPerRow] }
}
