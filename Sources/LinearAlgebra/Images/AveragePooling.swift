/// The averages P of every channel over squares of size × size pixels that lie side by side, with P Pᵀ = I/size².
public struct AveragePooling: Sendable, Equatable {
  let frame: ImageFrame

  /// - Throws: `ImageOperatorError` where the squares do not fill the image.
  public init(_ input: ImageShape, size: Int) throws(ImageOperatorError) {
    frame = try ImageFrame(input, size: size)
  }

  public var input: ImageShape { frame.image }
  public var output: ImageShape { frame.averages }
  public var size: Int { frame.size }

  /// ‖P‖₂², one over the pixels of a square.
  public var squaredNorm: Double { 1 / Double(size * size) }

  /// X Pᵀ for images in the rows of X. Cost: the entries of X.
  public func averages<T: Scalar>(_ x: Matrix<T>) -> Matrix<T> {
    precondition(x.columns == input.count, "\(x.columns) columns for images of \(input)")
    var y = Matrix<T>(x.rows, output.count)
    let (d, p, n) = (input.count, output.count, x.rows)
    withPointers(x, x, &y.storage) { x, _, y in
      Parallel.forEach(tiles: Parallel.tiles(of: Self.tile, covering: n), work: n * d) { tile in
        for k in Parallel.range(ofTile: tile, size: Self.tile, count: n) {
          T.frame(x + k * d, frame, into: y + k * p)
        }
      }
    }
    return y
  }

  /// X ← X + α Y P, the adjoint. Cost: the entries of X.
  public func spread<T: Scalar>(_ y: Matrix<T>, scaledBy α: T = 1, to x: inout Matrix<T>) {
    precondition(
      x.columns == input.count && y.columns == output.count && x.rows == y.rows, "images of another shape")
    let (d, p, n) = (input.count, output.count, x.rows)
    withPointers(y, y, &x.storage) { y, _, x in
      Parallel.forEach(tiles: Parallel.tiles(of: Self.tile, covering: n), work: n * d) { tile in
        for k in Parallel.range(ofTile: tile, size: Self.tile, count: n) {
          T.addFrame(y + k * p, frame, scale: α, to: x + k * d)
        }
      }
    }
  }

  /// Images of a tile.
  private static var tile: Int { 16 }
}
