import LinearAlgebra

extension Dataset {
  /// Sets of numeric columns of which a linear combination is constant, each as rising column indices: one set for
  /// every column that the others make superfluous. None where there are not more rows than such columns (then
  /// every column is superfluous), nor where the search would cost more than 2·10⁸ multiplications, 2nd².
  ///
  /// The columns are centred and scaled to norm 1; their QR factorisation with pivoting gives the rank, with a
  /// tolerance of 1e-10.
  func collinearColumns(except skipped: Set<Int>) -> [[Int]] {
    let isNumeric = schema.features.flatMap { [Bool](repeating: $0.categories == nil, count: $0.width) }
    let columns = (0..<features.columns).filter { isNumeric[$0] && !skipped.contains($0) }
    let cost = Double(rows) * Double(columns.count) * Double(columns.count)
    guard columns.count > 1, rows > columns.count, cost <= 1e8 else { return [] }
    var scaled = Matrix<Double>(rows, columns.count)
    for (j, column) in columns.enumerated() {
      for (k, value) in centredUnit(features.column(column).map { Double($0) }).enumerated() {
        scaled[k, j] = value
      }
    }
    guard let factors = try? QR(scaled) else { return [] }
    let rank = factors.rank(tolerance: 1e-10)
    return (rank..<max(rank, columns.count)).map { superfluous in
      let weights = combination(factors, rank, of: superfluous)
      let others = (0..<rank).filter { abs(weights[$0]) > 1e-6 }.map { columns[factors.pivots[$0]] }
      return (others + [columns[factors.pivots[superfluous]]]).sorted()
    }
  }

  /// (x − mean)/‖x − mean‖ without overflow or underflow; zeros where that is 0.
  private func centredUnit(_ x: [Double]) -> [Double] {
    let largest = x.reduce(0) { max($0, abs($1)) }
    guard largest > 0 else { return x }
    let relative = x.map { $0 / largest }
    let mean = relative.reduce(0, +) / Double(x.count)
    let centred = relative.map { $0 - mean }
    let norm = centred.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return norm > 0 ? centred.map { $0 / norm } : centred
  }

  /// How the first `rank` pivot columns give a later one: R₁₁⁻¹ times its column of R.
  private func combination(_ factors: QR<Double>, _ rank: Int, of column: Int) -> [Double] {
    var weights = (0..<rank).map { factors.r[$0, column] }
    for i in weights.indices.reversed() {
      for j in i + 1..<max(rank, i + 1) { weights[i] -= factors.r[i, j] * weights[j] }
      weights[i] /= factors.r[i, i]
    }
    return weights
  }
}
