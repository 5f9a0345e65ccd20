import ConvexOptimization
import LinearAlgebra

extension ActivationPatterns {
  /// Patterns of up to `count` random gates g ~ N(0, I), the first of every distinct pattern kept, in order; so
  /// there may be fewer than `count`. Gates depend on (seed, index, d) only: not on n or on the order of rows,
  /// and a larger count begins with the smaller one.
  ///
  /// Few rows have few patterns: drawing ends early once some 2¹⁶ gates in a row have brought no new one. It also ends,
  /// after the first some thousand gates, with the deadline.
  ///
  /// Throws `PatternError.memory` before anything is drawn where as many distinct patterns as may come would take
  /// more than `maximumBytes`; also for entries that are not finite, and for a count of 0. Cost 2nd·count.
  public static func sampled<T: Scalar>(
    _ x: Matrix<T>, count: Int, seed: UInt64, maximumBytes: Int = .max, deadline: Deadline = .none
  ) throws(PatternError) -> ActivationPatterns {
    guard count > 0 else { throw .noGates }
    try checkFinite(x, .data)
    let (n, d) = (x.rows, x.columns)
    let most = min(Double(count), Hyperplanes.mostCells(hyperplanes: n, rank: min(n, d)))
    let bytes = most * bytesPerPattern(samples: n, features: d)
    guard bytes <= Double(maximumBytes) else {
      throw .memory(patterns: most, bytes: bytes, limit: maximumBytes)
    }
    let random = Philox(seed: seed, stream: gateStream)
    let batch = min(4096, max(64, (1 << 22) / max(d, 1)))
    var seen = Set<[UInt64]>()
    var (gates, words): ([Double], [UInt64]) = ([], [])
    try RandomDraws(count: count, batch: batch, deadline: deadline).run { indices in
      let more: Matrix<Double> = random.normalMatrix(indices.count, d, firstRow: indices.lowerBound)
      let bits = BitMatrix(signsOf: x, timesTransposed: more).transposed
      let new = (0..<more.rows).filter { seen.insert(Array(bits.row($0))).inserted }
      gates += more.selectingRows(new).storage
      words += bits.selectingRows(new).words
      return new.count
    }
    var rows = BitMatrix(seen.count, n)
    rows.words = words
    return ActivationPatterns(
      bits: rows.transposed, gates: Matrix(seen.count, d, storage: gates), isExact: false)
  }

  /// The stream of the random numbers that gates are drawn from, apart from all other uses of a seed.
  private static let gateStream: UInt64 = 0x6761_7465_73

  /// Bytes that a pattern takes while patterns are collected: its gate, and its bits thrice.
  private static func bytesPerPattern(samples n: Int, features d: Int) -> Double {
    Double(8 * d + 3 * 8 * ((n + 63) / 64))
  }
}
