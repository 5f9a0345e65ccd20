extension Philox {
  /// A matrix of independent standard normals: entry (i, j) is `normal(at: (firstRow + i) * columns + j)`, drawn
  /// in Double and rounded, so that both precisions hold the same sample.
  public func normalMatrix<T: Scalar>(
    _ rows: Int, _ columns: Int, firstRow: Int = 0, of _: T.Type = T.self
  ) -> Matrix<T> {
    var result = Matrix<T>(rows, columns)
    fill(&result, from: firstRow * columns) { $0.normals($1) }
    return result
  }

  /// A matrix of independent numbers uniform on [0, 1): entry (i, j) is `uniform(at: i * columns + j)`. In
  /// Float an entry may round up to 1.
  public func uniformMatrix<T: Scalar>(_ rows: Int, _ columns: Int, of _: T.Type = T.self) -> Matrix<T> {
    var result = Matrix<T>(rows, columns)
    fill(&result, from: 0) { generator, index in
      let (a, b) = generator.words(index)
      return (Philox.unit(a), Philox.unit(b))
    }
    return result
  }

  /// Fills in row-major order with the entries from `first` on, two of them a block, tiles in parallel.
  private func fill<T: Scalar>(
    _ matrix: inout Matrix<T>, from first: Int, with pair: @Sendable (Philox, UInt64) -> (Double, Double)
  ) {
    let count = matrix.count
    let tile = 1 << 13
    matrix.withMutablePointer { entries in
      Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: count)) { index in
        let range = Parallel.range(ofTile: index, size: tile, count: count)
        var buffer = [Double](repeating: 0, count: tile + 2)
        let skipped = (first + range.lowerBound) & 1  // the other half of the block that the tile begins in
        for block in stride(from: 0, to: skipped + range.count, by: 2) {
          (buffer[block], buffer[block + 1]) = pair(self, UInt64(first + range.lowerBound + block) >> 1)
        }
        convert(buffer[skipped...], range.count, entries + range.lowerBound)
      }
    }
  }
}

/// Rounds the first `count` of some numbers into `target`.
@specialized(where T == Float)
@specialized(where T == Double)
private func convert<T: Scalar>(
  _ source: ArraySlice<Double>, _ count: Int, _ target: UnsafeMutablePointer<T>
) {
  for i in 0..<count { target[i] = T(source[source.startIndex + i]) }
}
