import ConvexOptimization
import LinearAlgebra

extension SubnetworkPatterns {
  /// Patterns of up to `count` random sub-networks of m neurons with weights of N(0, I), of which every m in turn have 1,
  /// …, m positive signs; distinct ones only, so that there may be fewer. Weights depend on (seed, index, m, d) only.
  ///
  /// Few rows have few patterns: drawing ends early once some 2¹⁶ sub-networks in a row have brought no new one. It also
  /// ends, after the first few, with the deadline.
  ///
  /// Errors: `PatternError` for a count of 0, entries that are not finite, or patterns that take more than `maximumBytes`.
  /// Cost 2ndm·count.
  public static func sampled(
    _ x: Matrix<Double>, width m: Int, count: Int, seed: UInt64, maximumBytes: Int = .max,
    deadline: Deadline = .none
  ) throws(PatternError) -> SubnetworkPatterns {
    guard count > 0 else { throw .noGates }
    let most = min(Double(count), mostPatterns(samples: x.rows, features: x.columns, width: m))
    let bytes = most * Double(8 * m * x.columns + 3 * (m + 1) * 8 * ((x.rows + 63) / 64))
    guard bytes <= Double(maximumBytes) else {
      throw .memory(patterns: most, bytes: bytes, limit: maximumBytes)
    }
    let random = Philox(seed: seed, stream: stream)
    let batch = min(1024, max(16, (1 << 22) / max(m * x.columns, 1)))
    var (parts, seen) = ([SubnetworkPatterns](), Set<[UInt64]>())
    try RandomDraws(count: count, batch: batch, deadline: deadline).run { indices throws(PatternError) in
      let (rows, first) = (indices.count, indices.lowerBound)
      let gates: Matrix<Double> = random.normalMatrix(rows, m * x.columns, firstRow: first)
      let more = try given(gates, signs: inTurn(rows, width: m, from: first), for: x)
      let new = more.unseen(&seen)
      if parts.isEmpty || !new.isEmpty { parts.append(more.keeping(new)) }
      return new.count
    }
    return joining(parts, isExact: false)
  }

  /// The most patterns that random signs in turn have: those of m neurons, and of their sums in md dimensions.
  private static func mostPatterns(samples n: Int, features d: Int, width m: Int) -> Double {
    func cells(_ d: Int) -> Double { Hyperplanes.mostCells(hyperplanes: n, rank: min(n, d)) }
    return (0..<m).reduce(Double(m) * cells(m * d)) { most, _ in most * cells(d) }
  }

  /// Signs of which every m rows in turn have 1, …, m that are positive: rows from `start` on.
  static func inTurn(_ count: Int, width m: Int, from start: Int = 0) -> Matrix<Double> {
    let rows = start..<start + count
    return Matrix(count, m, storage: rows.flatMap { b in (0..<m).map { $0 <= b % m ? 1.0 : -1.0 } })
  }

  /// The stream of the random numbers that weights are drawn from.
  private static let stream: UInt64 = 0x7375_626e_6574
}
