import ConvexOptimization
import LinearAlgebra

/// The coordinates in which XᵀX is diagonal, w = V y with XᵀX = V diag(ν) Vᵀ, and the metric in which no direction of X is
/// flatter than another.
///
/// The masks D_i of patterns are projections, so that
///
///     ‖Σ_i D_i X w_i‖² ≤ P Σ_i ‖D_i X w_i‖² ≤ P Σ_i ‖X w_i‖² = P Σ_i Σ_k ν_k y_ik²
///
/// for P groups: up to a factor, h = ν bounds the curvature of every gated program over X. Lengths stay as they are, and
/// with them penalty and dual constraints. Cost: n d² + 9 d³, and n d² for the inputs.
struct PrincipalCoordinates {
  /// Vᵀ: d × d.
  private let basis: Matrix<Double>
  /// ν/max ν, not below a floor that keeps steps in the null space of X finite.
  private let weights: [Double]

  private static let floor = 1e-6

  /// - Parameter x: X, n × d. Errors: `FactorisationError` where numbers are not finite, or LAPACK's iteration ends early.
  init(of x: Matrix<Double>) throws(FactorisationError) {
    let eigen = try SymmetricEigen(gramMatrix(x, .yes))
    basis = eigen.vectorsTransposed
    let largest = eigen.values.last ?? 0
    weights = eigen.values.map { largest > 0 ? max($0 / largest, Self.floor) : 1 }
  }

  func metric<Element: Scalar>() -> CoordinateMetric<Element> {
    CoordinateMetric(weights: weights.map { Element($0) })
  }

  /// Rows x of inputs, or w of coefficients, as rows y = Vᵀ x.
  func coordinates<Element: Scalar>(of rows: Matrix<Element>) -> Matrix<Element> {
    matrixProduct(rows, .no, basis.converted(to: Element.self), .yes)
  }

  /// The same of the rows of X in working precision, a tile at a time, so that X is not held twice in it.
  func coordinates<Element: Scalar>(of x: Matrix<Double>, in _: Element.Type) -> Matrix<Element> {
    let (n, d, tile) = (x.rows, x.columns, 512)
    var result = Matrix<Element>(n, d)
    withPointers(x, basis.converted(to: Element.self), &result.storage) { x, basis, result in
      Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: n), work: n * d * d) { index in
        let rows = Parallel.range(ofTile: index, size: tile, count: n)
        withTemporary(Element.self, rows.count * d) { own in
          let first = x + rows.lowerBound * d
          for i in 0..<rows.count * d { own[i] = Element(first[i]) }
          Element.gemm(
            .no, .yes, m: rows.count, n: d, k: d, alpha: 1, a: own, lda: d, b: basis, ldb: d, beta: 0,
            c: result + rows.lowerBound * d, ldc: d)
        }
      }
    }
    return result
  }

  /// Rows y of coordinates as rows w = V y.
  func rows(from coordinates: Matrix<Double>) -> Matrix<Double> {
    matrixProduct(coordinates, .no, basis, .no)
  }

  /// Bytes that making them takes, about, for X: n × d.
  static func bytes(columns d: Int) -> Int { 4 * 8 * d * d }

  /// Whether they cost less than `worth` steps over so many groups, of n d multiplications each: solving takes hundreds.
  static func pays(rows n: Int, columns d: Int, groups: Int) -> Bool {
    guard n > 0, d > 1, d <= largestOrder else { return false }
    return Double(d) * (2 + 9 * Double(d) / Double(n)) <= Double(worth * groups)
  }

  private static let worth = 40
  private static let largestOrder = 4096
}
