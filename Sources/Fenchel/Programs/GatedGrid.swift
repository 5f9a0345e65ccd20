import LinearAlgebra

/// How the products of a gated operator are cut into tiles: by the sizes of the problem alone, so that results
/// have the same bits for any number of threads.
struct GatedGrid: Sendable {
  let samples: Int
  /// Samples in a tile, a multiple of 64 so that tiles begin on whole words of bits.
  let sampleTile: Int
  let sampleTiles: Int
  /// Groups whose products with a tile of samples are in cache at once.
  var groupTile = 512
  /// Ranges of sample tiles whose partial sums of an adjoint are added in order.
  var segments = 1
  /// Multiplications in one product.
  private var work = 0

  init(samples: Int) {
    self.samples = samples
    let eighth = (samples + 7) / 8
    sampleTile = min(1024, max(64, (eighth + 63) / 64 * 64))
    sampleTiles = Parallel.tiles(of: sampleTile, covering: samples)
  }

  /// The grid for a product with `count` groups of the given width.
  func forGroups(_ count: Int, width: Int) -> GatedGrid {
    var grid = self
    let tiles = Parallel.tiles(of: groupTile, covering: count)
    grid.segments = tiles >= 8 || tiles == 0 ? 1 : max(1, min(sampleTiles, 8 / tiles))
    grid.work = samples * count * width
    return grid
  }

  func sampleRange(_ tile: Int) -> Range<Int> {
    Parallel.range(ofTile: tile, size: sampleTile, count: samples)
  }

  func groupTiles(_ count: Int) -> Int { Parallel.tiles(of: groupTile, covering: count) }

  /// The sample tiles of a segment; segments differ by at most one tile.
  func tiles(ofSegment segment: Int) -> Range<Int> {
    segment * sampleTiles / segments..<(segment + 1) * sampleTiles / segments
  }

  /// Runs the tiles, on several threads where there is work for more than some 50 µs.
  func forEach(tiles: Int, _ body: (Int) -> Void) {
    if work < 2_000_000 {
      for tile in 0..<tiles { body(tile) }
    } else {
      Parallel.forEach(tiles: tiles, body)
    }
  }

  /// target ← Σ of the `segments` parts of `count` entries, in order.
  func sum<T: Scalar>(_ parts: UnsafePointer<T>, count: Int, into target: UnsafeMutablePointer<T>) {
    let size = 1 << 14
    forEach(tiles: Parallel.tiles(of: size, covering: count)) { tile in
      let range = Parallel.range(ofTile: tile, size: size, count: count)
      let target = target + range.lowerBound
      target.update(from: parts + range.lowerBound, count: range.count)
      for segment in 1..<segments {
        T.axpy(range.count, 1, parts + segment * count + range.lowerBound, target)
      }
    }
  }

  /// Writes the transpose of rows × columns entries, column j of the source to target + j·targetStride.
  @specialized(where T == Float)
  @specialized(where T == Double)
  static func transpose<T: Scalar>(
    _ source: UnsafePointer<T>, rows: Int, columns: Int, into target: UnsafeMutablePointer<T>,
    targetStride: Int
  ) {
    for j in 0..<columns {
      for i in 0..<rows { target[j * targetStride + i] = source[i * columns + j] }
    }
  }
}
