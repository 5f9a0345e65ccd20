import LinearAlgebra

/// Weighted mean and deviation of each column, in three passes over the rows: ranges, means, deviations. Sums are taken over
/// tiles of rows and added in order, so that rows that come in pieces, all but the last of them whole tiles, give the same
/// bits as all rows at once.
struct ColumnStatistics {
  static let passes = 3
  /// Rows of a tile; pieces are multiples of it.
  static let tileRows = 1024

  private let columns: Int
  private var pass = 0
  private var largestWeight = 0.0
  /// Σ of the weights over the largest one.
  private var total = 0.0
  private var factor: [Double]
  private var lowest: [Double]
  private var highest: [Double]
  private var mean: [Double]
  private var deviation: [Double]

  init(columns: Int) {
    self.columns = columns
    factor = [Double](repeating: 1, count: columns)
    lowest = [Double](repeating: .infinity, count: columns)
    highest = [Double](repeating: -.infinity, count: columns)
    mean = [Double](repeating: 0, count: columns)
    deviation = mean
  }

  /// The next rows of a pass. Cost: their entries.
  mutating func add<Element: Scalar>(_ x: Matrix<Element>, _ weights: [Double]) {
    precondition(x.columns == columns && weights.count == x.rows, "one weight a row")
    let rows = RowReader(x)
    switch pass {
    case 0:
      largestWeight = weights.reduce(largestWeight) { max($0, $1) }
      findRange(rows, weights)
    case 1:
      let (shares, factor) = (shares(weights), factor)
      total = shares.reduce(total, +)
      addSums(of: rows, shares, to: &mean) { row, share, sum, count in
        for j in 0..<count { sum[j] += share * (row[j] * factor[j]) }
      }
    case 2:
      let (shares, factor, mean) = (shares(weights), factor, mean)
      addSums(of: rows, shares, to: &deviation) { row, share, sum, count in
        for j in 0..<count {
          let difference = row[j] * factor[j] - mean[j]
          sum[j] += share * (difference * difference)
        }
      }
    default: break
    }
  }

  /// Every row was given: the next pass begins.
  mutating func finishPass() {
    switch pass {
    case 0: for j in 0..<columns { factor[j] = Self.factor(max(abs(lowest[j]), abs(highest[j]))) }
    case 1: mean = total > 0 ? mean.map { $0 / total } : mean
    case 2: deviation = total > 0 ? deviation.map { ($0 / total).squareRoot() } : deviation
    default: break
    }
    pass += 1
  }

  private func shares(_ weights: [Double]) -> [Double] {
    let largest = max(largestWeight, .leastNonzeroMagnitude)
    return weights.map { $0 / largest }
  }

  private mutating func findRange<Element>(_ rows: RowReader<Element>, _ weights: [Double]) {
    let count = columns
    lowest.withMutablePointer { lowest in
      highest.withMutablePointer { highest in
        rows.forEach(0..<weights.count) { row, values in
          guard weights[row] > 0 else { return }
          for j in 0..<count {
            lowest[j] = values[j] < lowest[j] ? values[j] : lowest[j]
            highest[j] = values[j] > highest[j] ? values[j] : highest[j]
          }
        }
      }
    }
  }

  /// Adds to a row of sums, over the rows of positive weight, what `add` adds to one.
  private func addSums<Element>(
    of rows: RowReader<Element>, _ shares: [Double], to result: inout [Double],
    _ add: (UnsafePointer<Double>, Double, UnsafeMutablePointer<Double>, Int) -> Void
  ) {
    let tiles = Parallel.tiles(of: Self.tileRows, covering: shares.count)
    var partial = [Double](repeating: 0, count: tiles * columns)
    partial.withMutablePointer { partial in
      Parallel.forEach(tiles: tiles) { tile in
        rows.forEach(Parallel.range(ofTile: tile, size: Self.tileRows, count: shares.count)) { row, values in
          if shares[row] > 0 { add(values, shares[row], partial + tile * columns, columns) }
        }
      }
    }
    for tile in 0..<tiles { for j in 0..<columns { result[j] += partial[tile * columns + j] } }
  }

  /// A power of two that brings `magnitude` near 1 if it is extreme, else 1.
  private static func factor(_ magnitude: Double) -> Double {
    guard magnitude > 0, magnitude.isFinite, !(1e-100...1e100).contains(magnitude) else { return 1 }
    let exponent = min(max(-Int(magnitude.exponent), -1000), 1000)
    return Double(sign: .plus, exponent: exponent, significand: 1)
  }

  /// After all passes the map under which the columns have mean 0 and deviation 1.
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
struct RowReader<Element: Scalar> {
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
