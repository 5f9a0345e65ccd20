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

  /// Rows that products with all of X take at a time, so that they come to the same bits where X comes in pieces.
  static var pieceRows: Int { 1024 }

  /// The basis of a matrix in memory.
  init(_ x: Matrix<Element>, share: Double) throws {
    try self.init(samples: x.rows, features: x.columns, share: share) { x.selectingRows($0) }
  }

  /// Keeps the directions that hold `share` of the second moment, all of them where it is 1. Cost nd² + 9d³, in Double
  /// over at most 20000 rows, evenly spread.
  ///
  /// - Parameter rows: the rows of X of some numbers; asked for few at a time.
  /// - Throws: `FactorisationError` where an entry of X is not finite; what `rows` throws.
  init(
    samples n: Int, features d: Int, share: Double, rows: (ArraySlice<Int>) throws -> Matrix<Element>
  ) throws {
    let chosen = Array(stride(from: 0, to: n, by: max(1, (n + 19_999) / 20_000)))
    var moment = Matrix<Double>(d, d)
    for first in stride(from: 0, to: chosen.count, by: Self.pieceRows) {
      let piece = try rows(chosen[first..<min(first + Self.pieceRows, chosen.count)])
      moment.add(1, gramMatrix(piece.converted(to: Double.self), .yes))
    }
    let eigen = try SymmetricEigen(moment)
    let total = eigen.values.reduce(0) { $0 + max($1, 0) }
    var (kept, sum) = (0, 0.0)
    while kept < d, kept == 0 || share >= 1 || sum < share * total {
      sum += max(eigen.values[d - 1 - kept], 0)
      kept += 1
    }
    let order = (0..<kept).map { d - 1 - $0 }
    directions = eigen.vectorsTransposed.selectingRows(order).transposed.converted(to: Element.self)
    moments = order.map { Element(max(eigen.values[$0], 0) / Double(max(chosen.count, 1))) }
  }

  /// X Q, piece by piece of `pieceRows` rows. Cost 2ndr.
  func rotated(_ x: Matrix<Element>) -> Matrix<Element> {
    let (d, r) = (directions.rows, directions.columns)
    let n = x.rows
    var result = Matrix<Element>(n, r)
    withPointers(x, directions, &result.storage) { x, q, result in
      for first in stride(from: 0, to: n, by: Self.pieceRows) {
        Parallel.gemm(
          .no, .no, m: min(Self.pieceRows, n - first), n: r, k: d, alpha: 1, a: x + first * d, lda: d, b: q,
          ldb: r, beta: 0, c: result + first * r, ldc: r)
      }
    }
    return result
  }

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
