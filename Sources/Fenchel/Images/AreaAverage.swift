import LinearAlgebra

/// The linear map that brings images to a smaller resolution: every pixel becomes the mean of the image over the pixel's area,
/// where pixels of the image count by the share of them that lies in it. Keeps the mean of an image.
public struct AreaAverage: Sendable, Equatable {
  private let rows: [[(place: Int, weight: Double)]]
  private let columns: [[(place: Int, weight: Double)]]
  private let from: (height: Int, width: Int)

  public init(from: (height: Int, width: Int), to: (height: Int, width: Int)) {
    precondition(to.height > 0 && to.width > 0 && to.height <= from.height && to.width <= from.width)
    self.from = from
    rows = Self.weights(from.height, to.height)
    columns = Self.weights(from.width, to.width)
  }

  public static func == (a: AreaAverage, b: AreaAverage) -> Bool {
    a.from == b.from && a.rows.count == b.rows.count && a.columns.count == b.columns.count
  }

  /// For each of `count` equal parts of a line of n pixels the pixels in it, with their shares; weights of a part sum to 1.
  private static func weights(_ n: Int, _ count: Int) -> [[(place: Int, weight: Double)]] {
    (0..<count).map { part in
      // In units of 1/count of a pixel all ends are whole numbers.
      let (begin, end) = (part * n, (part + 1) * n)
      return (begin / count...(end - 1) / count).map { place in
        let overlap = min(end, (place + 1) * count) - max(begin, place * count)
        return (place, Double(overlap) / Double(n))
      }
    }
  }

  /// The averages of images, one a row. Cost: a few times their pixels.
  public func applied(to images: Matrix<Double>) -> Matrix<Double> {
    precondition(images.columns == from.height * from.width, "images of another size")
    let size = rows.count * columns.count
    var result = Matrix<Double>(images.rows, size)
    images.withPointer { source in
      result.withMutablePointer { target in
        Parallel.forEach(tiles: images.rows) { k in
          average(source + k * images.columns, into: target + k * size)
        }
      }
    }
    return result
  }

  private func average(_ image: UnsafePointer<Double>, into target: UnsafeMutablePointer<Double>) {
    for (y, vertical) in rows.enumerated() {
      for (x, horizontal) in columns.enumerated() {
        var sum = 0.0
        for (row, share) in vertical {
          var line = 0.0
          for (column, weight) in horizontal { line += weight * image[row * from.width + column] }
          sum += share * line
        }
        target[y * columns.count + x] = sum
      }
    }
  }
}
