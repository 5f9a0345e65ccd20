import LinearAlgebra

/// The distinct hyperplanes {g : x_kᵀ g = 0} of data X of numerical rank r ≤ 3, in r coordinates.
///
/// With C the columns that pivoted QR picks, X = X_C M for a surjective M, so X g = X_C (M g) and the patterns of
/// X are those of X_C. A gate h for X_C is a gate for X once zeros are put at the other columns. The entries of
/// X_C are those of X times powers of two, hence exact.
struct Hyperplanes {
  /// Numerical rank of X with its columns, then its rows brought to one scale.
  let rank: Int
  /// C: `rank` columns of X.
  let columns: [Int]
  /// Exponents e with entries of column j divided by 2^{e_j}.
  private let exponents: [Int]
  /// One normal for each hyperplane, up to sign and positive factor, zeros after the first `rank` coordinates.
  let normals: [SIMD3<Double>]
  private let width: Int

  init(of x: Matrix<Double>) throws(PatternError) {
    width = x.columns
    exponents = Hyperplanes.columnExponents(x)
    let scaled = Hyperplanes.scaledRows(x, exponents)
    let (rank, pivots) = try Hyperplanes.rank(of: scaled)
    self.rank = rank
    let columns = Array(pivots.prefix(rank)).sorted()
    self.columns = columns
    var seen = Set<SIMD3<Double>>()
    var normals: [SIMD3<Double>] = []
    for i in 0..<scaled.rows {
      var normal = SIMD3<Double>()
      for (target, j) in columns.enumerated() { normal[target] = scaled[i, j] }
      if let (normal, key) = Hyperplanes.normalised(normal), seen.insert(key).inserted {
        normals.append(normal)
      }
    }
    self.normals = normals
  }

  /// The most cells that so many hyperplanes through the origin have in rank r: 2 Σ_{k<r} C(n − 1, k).
  static func mostCells(hyperplanes n: Int, rank: Int) -> Double {
    guard n > 0, rank > 0 else { return 1 }
    var (binomial, sum) = (1.0, 0.0)
    for k in 0..<rank {
      sum += binomial
      binomial *= max(0, Double(n - 1 - k)) / Double(k + 1)
    }
    return 2 * sum
  }

  /// The gates of X for gates of X_C, scaled to unit length unless the data's scales are extreme: then such that
  /// X g stays clear of under- and overflow, which no gate can where the scales of columns differ by 10⁶⁰⁰.
  func gates(for interiors: [SIMD3<Double>]) -> Matrix<Double> {
    var gates = Matrix<Double>(interiors.count, width)
    let used = columns.map { exponents[$0] }
    let middle = min(max(((used.min() ?? 0) + (used.max() ?? 0)) / 2, -500), 500)
    for (i, interior) in interiors.enumerated() {
      for (source, j) in columns.enumerated() {
        gates[i, j] = Double(sign: .plus, exponent: middle - exponents[j], significand: interior[source])
      }
    }
    for (i, norm) in gates.rowNorms.enumerated() where norm > 1e-100 && norm < 1e100 {
      for j in columns { gates[i, j] /= norm }
    }
    return gates
  }

  private static func columnExponents(_ x: Matrix<Double>) -> [Int] {
    var largest = [Double](repeating: 0, count: x.columns)
    for i in 0..<x.rows { for j in 0..<x.columns { largest[j] = max(largest[j], abs(x[i, j])) } }
    return largest.map { $0 > 0 ? Int($0.exponent) : 0 }
  }

  /// The rows that are not zero, columns and then rows divided by powers of two to entries of size 1 … 2.
  private static func scaledRows(_ x: Matrix<Double>, _ exponents: [Int]) -> Matrix<Double> {
    var entries: [Double] = []
    for i in 0..<x.rows {
      let row = (0..<x.columns).map { Double(sign: .plus, exponent: -exponents[$0], significand: x[i, $0]) }
      let largest = row.reduce(0) { max($0, abs($1)) }
      guard largest > 0 else { continue }
      entries += row.map { Double(sign: .plus, exponent: -Int(largest.exponent), significand: $0) }
    }
    return Matrix(x.columns == 0 ? 0 : entries.count / x.columns, x.columns, storage: entries)
  }

  /// Numerical rank of the rows brought to unit length, and the columns in the order that QR took them.
  private static func rank(of scaled: Matrix<Double>) throws(PatternError) -> (Int, [Int]) {
    var unit = scaled
    for (i, norm) in scaled.rowNorms.enumerated() { for j in 0..<unit.columns { unit[i, j] /= norm } }
    let few = unit.columns + 64  // so many rows tell a high rank apart cheaply
    for rows in unit.rows > 2 * few ? [few, unit.rows] : [unit.rows] {
      guard let qr = try? QR(unit.selectingRows(0..<rows)) else { return (0, []) }
      let rank = qr.rank()
      if rank > 3 {
        let planes = distinctRows(scaled)
        throw .rankTooHigh(
          rank: rank, hyperplanes: planes, patterns: mostCells(hyperplanes: planes, rank: rank))
      }
      if rows == unit.rows { return (rank, qr.pivots) }
    }
    return (0, [])
  }

  /// The number of rows that are not multiples of each other, up to the rounding of one division.
  private static func distinctRows(_ scaled: Matrix<Double>) -> Int {
    var seen = Set<[Double]>()
    for i in 0..<scaled.rows {
      let row = scaled.row(i)
      let pivot = row.reduce(0) { abs($1) > abs($0) ? $1 : $0 }
      seen.insert(row.map { $0 / pivot })
    }
    return seen.count
  }

  /// The normal with its largest entry in 1 … 2 and negligible ones 0, and the same divided by its largest
  /// entry, which exact multiples share; nil for zero.
  private static func normalised(_ normal: SIMD3<Double>) -> (SIMD3<Double>, SIMD3<Double>)? {
    var pivot = 0.0
    for c in 0..<3 where abs(normal[c]) > abs(pivot) { pivot = normal[c] }
    guard pivot != 0 else { return nil }
    var result = normal
    for c in 0..<3 {
      result[c] = Double(sign: .plus, exponent: -Int(pivot.exponent), significand: normal[c])
      if abs(result[c]) < 0x1p-200 { result[c] = 0 }
    }
    pivot = Double(sign: .plus, exponent: -Int(pivot.exponent), significand: pivot)
    return (result, result / pivot)
  }
}
