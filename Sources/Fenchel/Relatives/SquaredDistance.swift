import LinearAlgebra
import RealModule

/// ‖A − B‖_F² in Double, in parallel over fixed tiles of entries. Nothing is allocated.
func squaredDistance<Element: Scalar>(_ a: Matrix<Element>, _ b: Matrix<Element>) -> Double {
  precondition(a.rows == b.rows && a.columns == b.columns, "a distance of different shapes")
  let (count, size) = (a.count, 1 << 16)
  return withPointers(a, b) { a, b in
    Parallel.sum(tiles: Parallel.tiles(of: size, covering: count)) { tile in
      squaredDistance(a, b, Parallel.range(ofTile: tile, size: size, count: count))
    }
  }
}

@specialized(where Element == Double)
@specialized(where Element == Float)
private func squaredDistance<Element: Scalar>(
  _ a: UnsafePointer<Element>, _ b: UnsafePointer<Element>, _ entries: Range<Int>
) -> Double {
  var total = 0.0
  for start in stride(from: entries.lowerBound, to: entries.upperBound, by: 1024) {
    var sum: Element = 0
    for i in start..<min(start + 1024, entries.upperBound) {
      let difference = a[i] - b[i]
      sum = Relaxed.multiplyAdd(difference, difference, sum)
    }
    total += Double(sum)
  }
  return total
}
