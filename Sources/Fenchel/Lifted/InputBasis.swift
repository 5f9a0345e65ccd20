import LinearAlgebra

/// The inputs in the axes of their second moment, XᵀX/n = Q Λ Qᵀ: there the curvature of a layer's weights is diagonal,
/// and the directions that hold nearly nothing can be left out of every product.
///
/// Weights for the rotated inputs X Q are turned back by W = Q V: with all directions nothing is changed, as rotations
/// keep ‖W − W₀‖.
struct InputBasis<Element: Scalar>: Sendable {
  /// Q: d × r, the directions of the largest moments.
  let directions: Matrix<Element>
  /// Λ: the r largest eigenvalues of XᵀX/n, largest first.
  let moments: [Element]

  /// Keeps the directions that hold `share` of the second moment, all of them where it is 1. Cost nd² + 9d³, in Double
  /// over a fixed sample of rows.
  ///
  /// - Throws: `FactorisationError` where an entry of X is not finite.
  init(_ x: Matrix<Element>, share: Double) throws {
    let rows = Self.sample(x)
    let eigen = try SymmetricEigen(gramMatrix(rows, .yes))
    let d = x.columns
    let total = eigen.values.reduce(0) { $0 + max($1, 0) }
    var (kept, sum) = (0, 0.0)
    while kept < d, kept == 0 || share >= 1 || sum < share * total {
      sum += max(eigen.values[d - 1 - kept], 0)
      kept += 1
    }
    let order = (0..<kept).map { d - 1 - $0 }
    directions = eigen.vectorsTransposed.selectingRows(order).transposed.converted(to: Element.self)
    moments = order.map { Element(max(eigen.values[$0], 0) / Double(max(rows.rows, 1))) }
  }

  /// At most 20000 rows, evenly spread.
  private static func sample(_ x: Matrix<Element>) -> Matrix<Double> {
    let stride = max(1, (x.rows + 19_999) / 20_000)
    return x.selectingRows(Array(Swift.stride(from: 0, to: x.rows, by: stride))).converted(to: Double.self)
  }

  /// X Q.
  func rotated(_ x: Matrix<Element>) -> Matrix<Element> { matrixProduct(x, directions) }

  /// QᵀW of augmented weights, whose bias stays as it is.
  func entering(_ w: Matrix<Element>, hasBias: Bool) -> Matrix<Element> {
    turned(w, directions, .yes, hasBias: hasBias)
  }

  /// Q V of augmented weights.
  func leaving(_ v: Matrix<Element>, hasBias: Bool) -> Matrix<Element> {
    turned(v, directions, .no, hasBias: hasBias)
  }

  /// A network on the inputs as one on their axes.
  func entering(_ network: FeedForward<Element>) -> FeedForward<Element> {
    var result = network
    result.weights[0] = entering(network.weights[0], hasBias: network.hasBias)
    return result
  }

  /// A network on the axes as one on the inputs as they were; along directions that were left out it is constant.
  func leaving(_ network: FeedForward<Element>) -> FeedForward<Element> {
    var result = network
    result.weights[0] = leaving(network.weights[0], hasBias: network.hasBias)
    return result
  }

  private func turned(
    _ w: Matrix<Element>, _ q: Matrix<Element>, _ transpose: Transpose, hasBias: Bool
  ) -> Matrix<Element> {
    let rows = w.rows - (hasBias ? 1 : 0)
    let turned = matrixProduct(q, transpose, w.firstRows(rows))
    guard hasBias else { return turned }
    return Matrix(turned.rows + 1, w.columns, storage: turned.storage + w.row(rows))
  }
}
