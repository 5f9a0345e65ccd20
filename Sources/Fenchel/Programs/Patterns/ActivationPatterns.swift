import LinearAlgebra

/// Activation patterns D_i = diag(1[X g_i > 0]) of data X: n × d, each with a gate g_i that has it.
///
/// The gates define the patterns: bit (k, i) is set exactly where x_kᵀ g_i > 0, decided in Double. A zero row
/// of X is active in no pattern.
///
/// Source: M. Pilanci, T. Ergen, *Neural networks are convex regularizers*, ICML 2020, §2.
public struct ActivationPatterns: Sendable, Equatable {
  /// 𝔻: n × P, one column a pattern.
  public let bits: BitMatrix
  /// G: P × d, one gate a row.
  public let gates: Matrix<Double>
  /// Whether these are the patterns of *all* full-dimensional cells, so that a certificate over them holds for
  /// every network.
  public let isExact: Bool

  /// P.
  public var count: Int { gates.rows }

  init(bits: BitMatrix, gates: Matrix<Double>, isExact: Bool) {
    (self.bits, self.gates, self.isExact) = (bits, gates, isExact)
  }

  /// Patterns of the given gates, P × d; where asked, the first of every distinct pattern only.
  public static func given<T: Scalar>(
    _ gates: Matrix<Double>, for x: Matrix<T>, deduplicated: Bool = false
  ) throws(PatternError) -> ActivationPatterns {
    guard gates.columns == x.columns else { throw .width(gates: gates.columns, features: x.columns) }
    guard gates.rows > 0 else { throw .noGates }
    try checkFinite(gates, .gates)
    try checkFinite(x, .data)
    let bits = BitMatrix(signsOf: x, timesTransposed: gates)
    let all = ActivationPatterns(bits: bits, gates: gates, isExact: false)
    return deduplicated ? all.distinct() : all
  }

  /// These patterns, then those of `gates` that are new, in order. Still exact if it was.
  public func adding<T: Scalar>(
    _ gates: Matrix<Double>, for x: Matrix<T>
  ) throws(PatternError) -> ActivationPatterns {
    guard x.rows == bits.rows else {
      preconditionFailure("patterns of \(bits.rows) samples and data of \(x.rows)")
    }
    guard gates.rows > 0 else { return self }
    let new = try ActivationPatterns.given(gates, for: x)
    let joined = Matrix(count + gates.rows, gates.columns, storage: self.gates.storage + gates.storage)
    let columns = bits.transposed.appendingRows(of: new.bits.transposed)
    let kept = Array(0..<count) + columns.distinctRows.filter { $0 >= count }
    return ActivationPatterns(
      bits: columns.selectingRows(kept).transposed, gates: joined.selectingRows(kept), isExact: isExact)
  }

  /// The patterns with the given indices, in that order; no longer exact unless all are kept.
  public func selecting(_ indices: [Int]) -> ActivationPatterns {
    ActivationPatterns(
      bits: bits.selectingColumns(indices), gates: gates.selectingRows(indices),
      isExact: isExact && Set(indices).count == count)
  }

  /// The first of every distinct pattern, in order.
  func distinct() -> ActivationPatterns {
    let columns = bits.transposed
    let kept = columns.distinctRows
    guard kept.count < count else { return self }
    return ActivationPatterns(
      bits: columns.selectingRows(kept).transposed, gates: gates.selectingRows(kept), isExact: isExact)
  }

  static func checkFinite<T: Scalar>(
    _ matrix: Matrix<T>, _ source: PatternError.Source
  ) throws(PatternError) {
    guard let index = matrix.firstNonFinite else { return }
    throw .notFinite(source, row: index / matrix.columns, column: index % matrix.columns)
  }
}
