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
    self = Statistics(x, weights).standardisation
  }

  /// The map that divides all entries by the largest magnitude among them, so that they lie in [−1, 1].
  public init<Element: Scalar>(dividing x: Matrix<Element>) {
    let largest = x.storage.withUnsafeBufferPointer { $0.reduce(0) { max($0, abs($1)) } }
    let scale = largest > 0 && largest.isFinite ? Double(largest) : 1
    self.init(
      mean: [Double](repeating: 0, count: x.columns), scale: [Double](repeating: scale, count: x.columns))
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

/// Weighted mean and deviation of each column: three passes over tiles of rows, whose sums are added in order.
private struct Statistics {
  private let columns: Int
  private var factor: [Double]
  private var lowest: [Double]
  private var highest: [Double]
  private var mean: [Double]
  private var deviation: [Double]

  init<Element: Scalar>(_ x: Matrix<Element>, _ weights: [Double]) {
    columns = x.columns
    factor = [Double](repeating: 1, count: columns)
    lowest = [Double](repeating: .infinity, count: columns)
    highest = [Double](repeating: -.infinity, count: columns)
    mean = [Double](repeating: 0, count: columns)
    deviation = [Double](repeating: 0, count: columns)
    let largest = max(weights.max() ?? 0, .leastNonzeroMagnitude)
    let shares = weights.map { $0 / largest }
    let total = shares.reduce(0, +)
    guard total > 0 else { return }
    let rows = RowReader(x)
    findRange(rows, shares)
    for j in 0..<columns { factor[j] = Self.factor(max(abs(lowest[j]), abs(highest[j]))) }
    let factor = factor
    mean = sums(rows, shares) { row, share, sum, count in
      for j in 0..<count { sum[j] += share * (row[j] * factor[j]) }
    }.map { $0 / total }
    let mean = mean
    deviation = sums(rows, shares) { row, share, sum, count in
      for j in 0..<count {
        let difference = row[j] * factor[j] - mean[j]
        sum[j] += share * (difference * difference)
      }
    }.map { ($0 / total).squareRoot() }
  }

  private mutating func findRange<Element>(_ rows: RowReader<Element>, _ shares: [Double]) {
    let count = columns
    lowest.withMutablePointer { lowest in
      highest.withMutablePointer { highest in
        rows.forEach(0..<shares.count) { row, values in
          guard shares[row] > 0 else { return }
          for j in 0..<count {
            lowest[j] = values[j] < lowest[j] ? values[j] : lowest[j]
            highest[j] = values[j] > highest[j] ? values[j] : highest[j]
          }
        }
      }
    }
  }

  /// Σ over the rows of positive weight of what `add` adds to a row of sums.
  private func sums<Element>(
    _ rows: RowReader<Element>, _ shares: [Double],
    _ add: (UnsafePointer<Double>, Double, UnsafeMutablePointer<Double>, Int) -> Void
  ) -> [Double] {
    let size = 1024
    let tiles = Parallel.tiles(of: size, covering: shares.count)
    var partial = [Double](repeating: 0, count: tiles * columns)
    partial.withMutablePointer { partial in
      Parallel.forEach(tiles: tiles) { tile in
        let range = Parallel.range(ofTile: tile, size: size, count: shares.count)
        rows.forEach(range) { row, values in
          if shares[row] > 0 { add(values, shares[row], partial + tile * columns, columns) }
        }
      }
    }
    var result = [Double](repeating: 0, count: columns)
    for tile in 0..<tiles { for j in 0..<columns { result[j] += partial[tile * columns + j] } }
    return result
  }

  /// A power of two that brings `magnitude` near 1 if it is extreme, else 1.
  private static func factor(_ magnitude: Double) -> Double {
    guard magnitude > 0, magnitude.isFinite, !(1e-100...1e100).contains(magnitude) else { return 1 }
    let exponent = min(max(-Int(magnitude.exponent), -1000), 1000)
    return Double(sign: .plus, exponent: exponent, significand: 1)
  }

  var standardisation: Standardisation {
    var result = Standardisation.identity(columns)
    for j in 0..<columns where lowest[j].isFinite && highest[j].isFinite {
      if lowest[j] == highest[j] {
        result.mean[j] = lowest[j]
        continue
      }
      result.mean[j] = mean[j] / factor[j]
      let scale = deviation[j] / factor[j]
      result.scale[j] = scale > 0 ? scale : 1
    }
    return result
  }
}

/// The rows of a matrix as doubles, one after the other.
private struct RowReader<Element: Scalar> {
  private let matrix: Matrix<Element>

  init(_ matrix: Matrix<Element>) { self.matrix = matrix }

  /// Calls `body` with the index and the entries of each row of `range`.
  func forEach(_ range: Range<Int>, _ body: (Int, UnsafePointer<Double>) -> Void) {
    let width = matrix.columns
    matrix.withPointer { pointer in
      let raw = UnsafeRawPointer(pointer)
      if Element.self == Double.self {
        let doubles = raw.assumingMemoryBound(to: Double.self)
        for row in range { body(row, doubles + row * width) }
        return
      }
      let singles = raw.assumingMemoryBound(to: Float.self)
      withTemporary(Double.self, width) { temporary in
        for row in range {
          let place = singles + row * width
          for j in 0..<width { temporary[j] = Double(place[j]) }
          body(row, temporary)
        }
      }
    }
  }
}
