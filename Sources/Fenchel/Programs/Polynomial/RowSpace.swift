import LinearAlgebra

/// Coordinates z = Bu of vectors u ∈ ℝᵈ for samples fewer than features: the rows of B (n + 1 × d) are orthonormal and span
/// those of X and one direction more, so that Xu = (XBᵀ) z.
///
/// A vector of norm one is as good as one of these n + 1 dimensions: what it has beyond the rows of X, of which the samples
/// see only its length, fits into the additional one.
struct RowSpace: Sendable {
  /// B.
  private let basis: Matrix<Double>
  /// XBᵀ: n × (n + 1).
  let coordinates: Matrix<Double>

  /// Whether that is smaller.
  static func isSmaller(samples n: Int, features d: Int) -> Bool { n + 1 < d }

  /// Nil where that is no smaller, or X is not finite. Cost 6 n² d.
  init?(_ x: Matrix<Double>) {
    let (n, d) = (x.rows, x.columns)
    guard Self.isSmaller(samples: n, features: d) else { return nil }
    var columns = Matrix<Double>(d, n + 1)  // the last one stays 0
    for k in 0..<n { for j in 0..<d { columns[j, k] = x[k, j] } }
    guard let factors = try? QR(columns) else { return nil }
    basis = factors.q.transposed
    coordinates = matrixProduct(x, .no, factors.q)
  }

  /// Rows z → Bᵀz.
  func lifted(_ vectors: Matrix<Double>) -> Matrix<Double> { matrixProduct(vectors, basis) }

  /// Rows u → Bu.
  func projected(_ vectors: Matrix<Double>) -> Matrix<Double> { matrixProduct(vectors, .no, basis, .yes) }
}
