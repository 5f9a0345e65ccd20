import LinearAlgebra

/// A = RᵀR by loops in plain Double arithmetic, the same on every processor; nil where A is not positive definite. Reads the
/// upper triangle of A. Cost d³/3.
///
/// Rows are finished in blocks, whose products are taken off the rows below in parallel: an order of summation that no thread
/// changes.
struct PlainCholesky {
  private var r: Matrix<Double>

  /// Rows of a block, few enough for the cache.
  private static let block = 32

  init?(_ a: Matrix<Double>) {
    let d = a.rows
    r = a
    let isPositive = r.withMutablePointer { r in
      for start in stride(from: 0, to: d, by: Self.block) {
        let block = start..<min(start + Self.block, d)
        for i in block {
          Self.subtract(start..<i, from: i, r, d)
          let row = r + i * d
          guard row[i] > 0, row[i].isFinite else { return false }
          let pivot = row[i].squareRoot()
          row[i] = pivot
          for l in i + 1..<max(d, i + 1) { row[l] /= pivot }
        }
        let (tile, rest) = (16, d - block.upperBound)
        let work = rest * rest * block.count / 2
        Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: rest), work: work) {
          for i in Parallel.range(ofTile: $0, size: tile, count: rest) {
            Self.subtract(block, from: block.upperBound + i, r, d)
          }
        }
      }
      return true
    }
    guard isPositive else { return nil }
  }

  /// Row i, from its diagonal on, less R_ki times row k for every k.
  private static func subtract(
    _ rows: Range<Int>, from i: Int, _ r: UnsafeMutablePointer<Double>, _ d: Int
  ) {
    let (target, count) = (r + i * d + i, d - i)
    for k in rows {
      let source = UnsafePointer(r + k * d + i)
      let factor = source[0]
      for l in 0..<count { target[l] -= factor * source[l] }
    }
  }

  /// R⁻ᵀb.
  func halfSolve(_ b: [Double]) -> [Double] {
    var x = b
    let d = r.rows
    r.withPointer { r in
      x.withMutablePointer { x in
        for i in 0..<d {
          let row = r + i * d
          x[i] /= row[i]
          for k in i + 1..<max(d, i + 1) { x[k] -= row[k] * x[i] }
        }
      }
    }
    return x
  }

  /// A⁻¹b.
  func solve(_ b: [Double]) -> [Double] {
    var x = halfSolve(b)
    let d = r.rows
    for i in stride(from: d - 1, through: 0, by: -1) {
      for k in i + 1..<max(d, i + 1) { x[i] -= r[i, k] * x[k] }
      x[i] /= r[i, i]
    }
    return x
  }
}
