import LinearAlgebra

extension SubnetworkPatterns {
  /// Patterns of up to `count` random sub-networks of m neurons with weights of N(0, I), of which every m in turn have 1,
  /// …, m positive signs; distinct ones only, so that there may be fewer. Weights depend on (seed, index, m, d) only.
  ///
  /// Errors: `PatternError` for a count of 0, entries that are not finite, or patterns that take more than `maximumBytes`.
  /// Cost 2ndm·count.
  public static func sampled(
    _ x: Matrix<Double>, width m: Int, count: Int, seed: UInt64, maximumBytes: Int = .max
  ) throws(PatternError) -> SubnetworkPatterns {
    guard count > 0 else { throw .noGates }
    let bytes = Double(count) * Double(8 * m * x.columns + 3 * (m + 1) * 8 * ((x.rows + 63) / 64))
    guard bytes <= Double(maximumBytes) else {
      throw .memory(patterns: Double(count), bytes: bytes, limit: maximumBytes)
    }
    let gates: Matrix<Double> = Philox(seed: seed, stream: stream).normalMatrix(count, m * x.columns)
    return try given(gates, signs: inTurn(count, width: m), for: x)
  }

  /// Signs of which every m rows in turn have 1, …, m that are positive.
  static func inTurn(_ count: Int, width m: Int) -> Matrix<Double> {
    Matrix(
      count, m, storage: (0..<count).flatMap { b in (0..<m).map { $0 <= b % m ? 1.0 : -1.0 } })
  }

  /// The stream of the random numbers that weights are drawn from.
  private static let stream: UInt64 = 0x7375_626e_6574
}
