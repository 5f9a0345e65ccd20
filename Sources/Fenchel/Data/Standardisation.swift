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

  /// The map that changes nothing.
  public static func identity(_ columns: Int) -> Standardisation {
    Standardisation(
      mean: [Double](repeating: 0, count: columns), scale: [Double](repeating: 1, count: columns))
  }

  public var columns: Int { mean.count }

  /// Columns that did not vary when the map was fitted are indistinguishable from scale 1 and kept so.
  public init<Element: Scalar>(fitting x: Matrix<Element>, weights: [Double]) {
    precondition(weights.count == x.rows, "one weight a row")
    self = Statistics(x, weights).standardisation
  }

  /// z from x. Cost n·d. Entries may become infinite only if x lies 1e308 scales away from the mean.
  public func applied<Element: Scalar>(to x: Matrix<Element>) -> Matrix<Element> {
    mapped(x) { x, mean, scale in
      abs(x) < 1e300 && abs(mean) < 1e300 ? (x - mean) / scale : 2 * ((x / 2 - mean / 2) / scale)
    }
  }

  /// x from z, as for predictions of a standardised target.
  public func inverted<Element: Scalar>(_ z: Matrix<Element>) -> Matrix<Element> {
    mapped(z) { z, mean, scale in z * scale + mean }
  }

  private func mapped<Element: Scalar>(
    _ x: Matrix<Element>, _ map: (Double, Double, Double) -> Double
  ) -> Matrix<Element> {
    precondition(x.columns == columns, "\(x.columns) columns for a map of \(columns)")
    var result = x
    result.withMutablePointer { pointer in
      let raw = UnsafeMutableRawPointer(pointer)
      Parallel.forEach(tiles: Parallel.tiles(of: 64, covering: x.rows)) { tile in
        for row in Parallel.range(ofTile: tile, size: 64, count: x.rows) {
          for j in 0..<columns {
            let index = row * columns + j
            if Element.self == Double.self {
              let values = raw.assumingMemoryBound(to: Double.self)
              values[index] = map(values[index], mean[j], scale[j])
            } else {
              let values = raw.assumingMemoryBound(to: Float.self)
              values[index] = Float(map(Double(values[index]), mean[j], scale[j]))
            }
          }
        }
      }
    }
    return result
  }
}

/// Weighted mean and deviation of each column, in three passes over the rows in their order.
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
    rows.forEach(shares) { row, _ in
      for j in row.indices {
        lowest[j] = min(lowest[j], row[j])
        highest[j] = max(highest[j], row[j])
      }
    }
    for j in 0..<columns { factor[j] = Self.factor(max(abs(lowest[j]), abs(highest[j]))) }
    rows.forEach(shares) { row, share in
      for j in row.indices { mean[j] += share * (row[j] * factor[j]) }
    }
    for j in 0..<columns { mean[j] /= total }
    rows.forEach(shares) { row, share in
      for j in row.indices {
        let difference = row[j] * factor[j] - mean[j]
        deviation[j] += share * (difference * difference)
      }
    }
    for j in 0..<columns { deviation[j] = (deviation[j] / total).squareRoot() }
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

  /// Calls `body` with each row of positive weight.
  func forEach(_ weights: [Double], _ body: (UnsafeBufferPointer<Double>, Double) -> Void) {
    let width = matrix.columns
    matrix.withPointer { pointer in
      withTemporary(Double.self, width) { temporary in
        temporary.initialize(repeating: 0, count: max(width, 1))
        for (row, weight) in weights.enumerated() where weight > 0 {
          let start = UnsafeRawPointer(pointer + row * width)
          if Element.self == Double.self {
            body(.init(start: start.assumingMemoryBound(to: Double.self), count: width), weight)
          } else {
            let single = start.assumingMemoryBound(to: Float.self)
            for j in 0..<width { temporary[j] = Double(single[j]) }
            body(.init(start: temporary, count: width), weight)
          }
        }
      }
    }
  }
}
