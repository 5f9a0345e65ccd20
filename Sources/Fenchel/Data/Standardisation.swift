import LinearAlgebra

/// The affine map z = (x − mean) / scale of each column, with weighted mean and standard deviation:
/// mean = Σ s x / Σ s, scale² = Σ s (x − mean)² / Σ s. A weight of 2 equals the row twice.
///
/// Columns that are constant over the rows of positive weight have scale 1 (and become 0). Values from 1e−300 to
/// 1e300 neither overflow nor vanish: sums are taken after an exact scaling by a power of two.
public struct Standardisation: Codable, Sendable, Equatable {
  public var mean: [Double]
  public var scale: [Double]

  public init(mean: [Double], scale: [Double]) {
    precondition(mean.count == scale.count)
    self.mean = mean
    self.scale = scale
  }

  private enum CodingKeys: CodingKey { case mean, scale }

  /// Reads a map from a model file; refuses lists of different lengths, scales ≤ 0 and infinite entries.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    mean = try container.decode([Double].self, forKey: .mean)
    scale = try container.decode([Double].self, forKey: .scale)
    guard mean.count == scale.count, mean.allSatisfy(\.isFinite),
      scale.allSatisfy({ $0 > 0 && $0.isFinite })
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .scale, in: container, debugDescription: "the standardisation is not a valid map")
    }
  }

  /// The map that changes nothing.
  public static func identity(_ columns: Int) -> Standardisation {
    Standardisation(
      mean: [Double](repeating: 0, count: columns), scale: [Double](repeating: 1, count: columns))
  }

  public var columns: Int { mean.count }

  /// The map under which the columns of x have weighted mean 0 and deviation 1. Cost 3·n·d.
  public init<Element: Scalar>(fitting x: Matrix<Element>, weights: [Double]) {
    precondition(weights.count == x.rows, "one weight a row")
    var statistics = ColumnStatistics(columns: x.columns)
    for _ in 0..<ColumnStatistics.passes {
      statistics.add(x, weights)
      statistics.finishPass()
    }
    self = statistics.standardisation
  }

  /// The map under which each of some channels, which lie one after another in a row, has weighted mean 0 and deviation 1 over
  /// all its columns: for images and signals, whose columns share a unit. Cost 4·n·d.
  public init<Element: Scalar>(fitting x: Matrix<Element>, weights: [Double], channels: Int) {
    let width = x.columns / max(channels, 1)
    precondition(width * channels == x.columns, "\(x.columns) columns for \(channels) channels")
    let repeated = weights.flatMap { [Double](repeating: $0, count: width) }
    let maps = (0..<channels).map { channel in
      var values: [Element] = []
      values.reserveCapacity(x.rows * width)
      for k in 0..<x.rows {
        let first = k * x.columns + channel * width
        values += x.storage[first..<first + width]
      }
      return Standardisation(fitting: Matrix(column: values), weights: repeated)
    }
    self.init(
      mean: maps.flatMap { [Double](repeating: $0.mean[0], count: width) },
      scale: maps.flatMap { [Double](repeating: $0.scale[0], count: width) })
  }

  /// The map that divides all entries by the largest magnitude among them, so that they lie in [−1, 1].
  public init<Element: Scalar>(dividing x: Matrix<Element>) {
    let largest = x.storage.withUnsafeBufferPointer { $0.reduce(0) { max($0, abs($1)) } }
    self.init(columns: x.columns, dividedBy: Double(largest))
  }

  /// The map that divides all columns by the largest magnitude of their entries; by 1 where that is 0 or infinite.
  init(columns: Int, dividedBy largest: Double) {
    let scale = largest > 0 && largest.isFinite ? largest : 1
    self.init(
      mean: [Double](repeating: 0, count: columns), scale: [Double](repeating: scale, count: columns))
  }

  /// z from x. Cost n·d. Entries become infinite only where x lies 1e308 scales away from the mean.
  public func applied<Element: Scalar>(to x: Matrix<Element>) -> Matrix<Element> {
    // Halves, because the difference of two numbers near 1e308 may be infinite.
    let halfMean = mean.map { $0 / 2 }
    return mapped(x) { x, z, count in
      for j in 0..<count { z[j] = 2 * ((x[j] / 2 - halfMean[j]) / scale[j]) }
    }
  }

  /// x from z, as for predictions of a standardised target.
  public func inverted<Element: Scalar>(_ z: Matrix<Element>) -> Matrix<Element> {
    mapped(z) { z, x, count in
      for j in 0..<count { x[j] = z[j] * scale[j] + mean[j] }
    }
  }

  /// Applies a map of rows: (row, result, columns).
  private func mapped<Element: Scalar>(
    _ x: Matrix<Element>,
    _ map: (UnsafePointer<Double>, UnsafeMutablePointer<Double>, Int) -> Void
  ) -> Matrix<Element> {
    precondition(x.columns == columns, "\(x.columns) columns for a map of \(columns)")
    let rows = RowReader(x)
    var result = Matrix<Element>(x.rows, columns)
    result.withMutablePointer { target in
      let raw = UnsafeMutableRawPointer(target)
      Parallel.forEach(tiles: Parallel.tiles(of: 256, covering: x.rows)) { tile in
        withTemporary(Double.self, columns) { buffer in
          rows.forEach(Parallel.range(ofTile: tile, size: 256, count: x.rows)) { row, values in
            if Element.self == Double.self {
              map(values, raw.assumingMemoryBound(to: Double.self) + row * columns, columns)
            } else {
              map(values, buffer, columns)
              let place = raw.assumingMemoryBound(to: Float.self) + row * columns
              for j in 0..<columns { place[j] = Float(buffer[j]) }
            }
          }
        }
      }
    }
    return result
  }
}
