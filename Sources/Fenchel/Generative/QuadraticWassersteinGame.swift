import LinearAlgebra

/// The Wasserstein game of a generator against a discriminator with the quadratic activation, whose weights cost β (Sahiner
/// et al. 2021, *Hidden convexity of Wasserstein GANs*; Pilanci's slides). What the generator is to put out for data X: n × d
/// is known in closed form:
///
///     argmin ‖G‖_F²  s.t.  ‖XᵀX − GᵀG‖₂ ≤ β,    G* = Q (Σ² − βI)_+^{1/2} Vᵀ,   X = U Σ Vᵀ,
///
/// with any Q: n × r of orthonormal columns, r the number of singular values above √β. The discriminator sees nothing but
/// second moments.
public struct QuadraticWassersteinGame: Sendable {
  public let β: Double
  /// Σ, largest first.
  public let singularValues: [Double]
  /// The r singular values of G*: (σ² − β)^{1/2}, largest first.
  public let values: [Double]
  /// The first r rows of Vᵀ: r × d.
  public let directions: Matrix<Double>

  /// Cost: a singular value decomposition of X.
  ///
  /// - Throws: `GenerativeError.beta` unless β is finite and at least 0; `FactorisationError` where X is not finite.
  public init(_ x: Matrix<Double>, β: Double) throws { try self.init(x, .value(β)) }

  /// The same with β itself or as a share of σ_max².
  public init(_ x: Matrix<Double>, _ weight: DiscriminatorWeight) throws {
    let svd = try SVD(x)
    let largest = svd.values.first ?? 0
    let β = weight.value(largest: largest * largest)
    guard β.isFinite, β >= 0 else { throw GenerativeError.beta(β) }
    // Of β = 0 too, directions that rounding alone has are none.
    let rank = min(svd.rank(), svd.values.firstIndex { $0 <= β.squareRoot() } ?? svd.values.count)
    self.β = β
    singularValues = svd.values
    values = svd.values.prefix(rank).map { (($0 - β.squareRoot()) * ($0 + β.squareRoot())).squareRoot() }
    directions = svd.vTransposed.firstRows(rank)
  }

  /// σ_max².
  public var largest: Double { (singularValues.first ?? 0) * (singularValues.first ?? 0) }

  /// r.
  public var rank: Int { values.count }

  /// ‖G*‖_F² = Σ (σ² − β)_+.
  public var optimum: Double { values.reduce(0) { $0 + $1 * $1 } }

  /// (Σ² − βI)_+^{1/2} Vᵀ: r × d, what all G* are rotations of.
  public var output: Matrix<Double> {
    var result = directions
    for r in 0..<rank { for j in 0..<result.columns { result[r, j] *= values[r] } }
    return result
  }

  /// ‖XᵀX − GᵀG‖₂ for X: n × d and G: m × d, from the matrices alone, to some ε(‖X‖² + ‖G‖²). Cost: singular values of
  /// the stacked matrices, or eigenvalues of a matrix of order d where that is less.
  ///
  /// - Throws: `FactorisationError` where a matrix is not finite.
  public static func distance(_ x: Matrix<Double>, _ g: Matrix<Double>) throws(FactorisationError) -> Double {
    precondition(x.columns == g.columns, "\(x.columns) and \(g.columns) columns")
    guard x.columns > x.rows + g.rows else {
      var difference = gramMatrix(x, .yes)
      let other = gramMatrix(g, .yes)
      for i in 0..<difference.count { difference.storage[i] -= other.storage[i] }
      return try largestMagnitude(difference)
    }
    // With B = (X; G) = U S Hᵀ the eigenvalues but for 0 are those of S Uᵀ diag(I, −I) U S.
    let svd = try SVD(Matrix(x.rows + g.rows, x.columns, storage: x.storage + g.storage))
    var left = svd.u
    for i in 0..<left.rows { for j in 0..<left.columns { left[i, j] *= svd.values[j] } }
    var right = left
    for i in x.rows..<right.rows { for j in 0..<right.columns { right[i, j] = -right[i, j] } }
    return try largestMagnitude(matrixProduct(left, .yes, right))
  }

  private static func largestMagnitude(_ a: Matrix<Double>) throws(FactorisationError) -> Double {
    let values = try SymmetricEigen(a).values
    return max(abs(values.first ?? 0), abs(values.last ?? 0))
  }
}
