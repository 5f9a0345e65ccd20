extension Parallel {
  /// Σ_t body(t) over the tiles 0..<tiles, run on up to `threads` threads and added in the order of the tiles:
  /// the same bits for any number of threads. Tiles must write to places of their own.
  public static func sum(tiles: Int, _ body: (Int) -> Double) -> Double {
    guard tiles > 1 else { return tiles == 1 ? body(0) : 0 }
    return withTemporary(Double.self, tiles) { partial in
      forEach(tiles: tiles) { partial[$0] = body($0) }
      var total = 0.0
      for tile in 0..<tiles { total += partial[tile] }
      return total
    }
  }
}
