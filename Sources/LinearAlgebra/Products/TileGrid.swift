/// How a product of an m × n result over k terms is cut into pieces. It depends on the shape only, so that
/// results have the same bits for any number of threads.
///
/// BLAS packs its operands anew for every tile: tiles of 256 × 1024 keep 95 % of the rate of one large call,
/// tiles of 128 × 512 keep 85 %.
struct TileGrid: Equatable {
  /// Rows and columns of a tile of the result.
  let rows, columns: Int
  /// Terms that one piece sums. Where the result has few tiles and k is long, the terms are cut as well, and
  /// the partial results are added in order.
  let terms: Int

  /// Products with fewer multiplications run as one call.
  static let smallestShared = 1 << 20

  init(m: Int, n: Int, k: Int) {
    guard m * n * k >= TileGrid.smallestShared else {
      (rows, columns, terms) = (max(m, 1), max(n, 1), max(k, 1))
      return
    }
    columns = min(n, 1024)
    let pieces = m >= 192 ? 4 : 2  // a number that threads share well
    rows = min(m, max(m >= 96 ? 48 : 64, TileGrid.roundUp(TileGrid.ceiling(m, pieces), to: 16)), 512)
    let tiles = TileGrid.ceiling(m, rows) * TileGrid.ceiling(n, columns)
    let parts = tiles >= 8 ? 1 : min(16 / tiles, max(1, k / 1024))
    terms = TileGrid.roundUp(TileGrid.ceiling(k, parts), to: 64)
  }

  static func ceiling(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
  private static func roundUp(_ a: Int, to multiple: Int) -> Int { ceiling(a, multiple) * multiple }
}
