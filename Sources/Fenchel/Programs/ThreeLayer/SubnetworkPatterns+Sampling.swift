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
    let bytes = Double(count) * Double(8 * m * x.columns + 3 * (m + 1) * 8 * ((x.rows + 63) / 64))
    guard bytes <= Double(maximumBytes) else {
      throw .memory(patterns: Double(count), bytes: bytes, limit: maximumBytes)
    }
    let random = Philox(seed: seed, stream: stream)
    let batch = min(1024, max(16, (1 << 22) / max(m * x.columns, 1)))
    var (parts, seen) = ([SubnetworkPatterns](), Set<[UInt64]>())
    var (drawn, fruitless) = (0, 0)
    while drawn < count, fruitless < patience, drawn == 0 || !deadline.hasPassed {
      let gates: Matrix<Double> = random.normalMatrix(
        min(batch, count - drawn), m * x.columns, firstRow: drawn)
      let more = try given(gates, signs: inTurn(gates.rows, width: m, from: drawn), for: x)
      let new = more.unseen(&seen)
      if parts.isEmpty || !new.isEmpty { parts.append(more.keeping(new)) }
      drawn += gates.rows
      fruitless = new.isEmpty ? fruitless + gates.rows : 0
    }
    return joining(parts, isExact: false)
  }

  /// Signs of which every m rows in turn have 1, …, m that are positive: rows from `start` on.
  static func inTurn(_ count: Int, width m: Int, from start: Int = 0) -> Matrix<Double> {
    let rows = start..<start + count
    return Matrix(count, m, storage: rows.flatMap { b in (0..<m).map { $0 <= b % m ? 1.0 : -1.0 } })
  }

  /// The stream of the random numbers that weights are drawn from.
  private static let stream: UInt64 = 0x7375_626e_6574
  /// Sub-networks in a row without a new pattern after which no more are drawn.
  private static let patience = 1 << 16
}
