import LinearAlgebra
import Synchronization

/// The rows of a file, each of one size, read where they lie.
struct RowFile: Sendable {
  let file: PlainFile
  /// Where row 0 begins.
  let start: Int
  /// Bytes of a row.
  let rowBytes: Int
  let rows: Int

  /// Rows that follow each other, end to end.
  func bytes(of rows: Range<Int>) throws -> [UInt8] {
    precondition(rows.upperBound <= self.rows, "rows beyond the end of the file")
    return try file.bytes(start + rows.lowerBound * rowBytes..<start + rows.upperBound * rowBytes)
  }

  /// Rows by their numbers, end to end in the order of these. One read a row, spread over threads.
  func bytes(of rows: some RandomAccessCollection<Int>) throws -> [UInt8] {
    try file.check()
    let (count, size) = (rows.count, rowBytes)
    let failed = Atomic<Bool>(false)
    let bytes = [UInt8](unsafeUninitializedCapacity: count * size) { buffer, filled in
      guard let base = buffer.baseAddress else { return }
      Parallel.forEach(tiles: Parallel.tiles(of: 64, covering: count)) { tile in
        for k in Parallel.range(ofTile: tile, size: 64, count: count) {
          let row = rows[rows.index(rows.startIndex, offsetBy: k)]
          if !file.fill(base + k * size, size, from: start + row * size) {
            failed.store(true, ordering: .relaxed)
          }
        }
      }
      filled = failed.load(ordering: .relaxed) ? 0 : count * size
    }
    if failed.load(ordering: .relaxed) { throw file.lost() }
    try file.check()
    return bytes
  }
}
