import ConvexOptimization
import LinearAlgebra

extension ActivationPatterns {
  /// The patterns of all full-dimensional cells {g : sign(X g) constant}, for data of numerical rank r ≤ 3.
  ///
  /// There are 2 Σ_{k<r} C(n' − 1, k) of them when the n' distinct hyperplanes are in general position, fewer
  /// otherwise; rows that are multiples of each other, of either sign, share a hyperplane. Combinatorics are
  /// decided by exact signs of determinants; cells less than about 1e-13 radians wide are taken for rounding of
  /// the data and left out. Every gate lies well inside its cell.
  ///
  /// Throws for r > 3, for entries that are not finite or columns whose scales no gate can hold at once, and for
  /// more than `limit` patterns. Where the deadline ends the search, the patterns found by then, at least one, that are
  /// not exact.
  /// Cost n'² log n' + n'³, about a second for n' = 500 at r = 3.
  public static func enumerated<T: Scalar>(
    _ x: Matrix<T>, limit: Int = 1_000_000, deadline: Deadline = .none
  ) throws(PatternError) -> ActivationPatterns {
    try checkFinite(x, .data)
    let planes = try Hyperplanes(of: x.converted(to: Double.self))
    let most = Hyperplanes.mostCells(hyperplanes: planes.normals.count, rank: planes.rank)
    guard most <= Double(limit) else {
      let bytesEach = Double((x.rows + 7) / 8 + 8 * x.columns)
      throw .tooMany(patterns: most, bytes: most * bytesEach, limit: limit)
    }
    let gates =
      switch planes.rank {
      case 0: Matrix<Double>(1, x.columns, fill: 1)
      case 1: planes.gates(for: [SIMD3(1, 0, 0), SIMD3(-1, 0, 0)])
      case 2: planes.gates(for: PlanarCells.interiors(planes.normals, deadline))
      default: planes.gates(for: SphericalCells.interiors(planes.normals, deadline))
      }
    let isExact = !deadline.hasPassed
    guard isExact || gates.rows > 0 else { return try sampled(x, count: 1, seed: 0) }
    try checkFinite(gates, .gates)
    let bits = BitMatrix(signsOf: x, timesTransposed: gates)
    return ActivationPatterns(bits: bits, gates: gates, isExact: isExact).distinct()
  }
}
