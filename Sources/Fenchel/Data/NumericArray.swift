/// A rows × columns array of numbers in row-major order, in the element type of the file it came from.
///
/// Images stay bytes and single-precision files stay `Float`, so that a table of them takes the memory of the
/// unpacked file. Entry (i, j) lies at `offset + i · columns + j`.
public struct NumericArray: Sendable {
  public enum Storage: Sendable {
    case bytes([UInt8])
    case float([Float])
    case double([Double])
  }

  public let rows: Int
  public let columns: Int
  package let offset: Int
  package let storage: Storage

  public init(_ rows: Int, _ columns: Int, _ storage: Storage, offset: Int = 0) {
    let count: Int
    switch storage {
    case .bytes(let values): count = values.count
    case .float(let values): count = values.count
    case .double(let values): count = values.count
    }
    precondition(rows >= 0 && columns >= 0 && offset >= 0 && count - offset >= rows * columns)
    self.rows = rows
    self.columns = columns
    self.offset = offset
    self.storage = storage
  }

  /// Entry (i, j); a missing value is NaN.
  public subscript(_ i: Int, _ j: Int) -> Double {
    let index = offset + i * columns + j
    switch storage {
    case .bytes(let values): return Double(values[index])
    case .float(let values): return Double(values[index])
    case .double(let values): return values[index]
    }
  }

  /// A number that two arrays over the same storage share.
  var identity: Int {
    func address<T>(_ values: [T]) -> Int {
      values.withUnsafeBufferPointer { $0.baseAddress.map { Int(bitPattern: $0) } ?? 0 }
    }
    switch storage {
    case .bytes(let values): return address(values)
    case .float(let values): return address(values)
    case .double(let values): return address(values)
    }
  }

  /// A copy of the rows with the given indices, in that order.
  public func selectingRows(_ indices: [Int]) -> NumericArray {
    switch storage {
    case .bytes(let values):
      return NumericArray(indices.count, columns, .bytes(gathered(values, indices)))
    case .float(let values):
      return NumericArray(indices.count, columns, .float(gathered(values, indices)))
    case .double(let values):
      return NumericArray(indices.count, columns, .double(gathered(values, indices)))
    }
  }

  private func gathered<T>(_ values: [T], _ indices: [Int]) -> [T] {
    var result: [T] = []
    result.reserveCapacity(indices.count * columns)
    for i in indices { result += values[offset + i * columns..<offset + (i + 1) * columns] }
    return result
  }

  /// Writes the entries of column j, rows `range`, to `target[0]`, `target[stride]`, …
  func copyColumn(_ j: Int, _ range: Range<Int>, to target: UnsafeMutablePointer<Double>, stride: Int) {
    let first = offset + range.lowerBound * columns + j
    switch storage {
    case .bytes(let values):
      for k in 0..<range.count { target[k * stride] = Double(values[first + k * columns]) }
    case .float(let values):
      for k in 0..<range.count { target[k * stride] = Double(values[first + k * columns]) }
    case .double(let values):
      for k in 0..<range.count { target[k * stride] = values[first + k * columns] }
    }
  }

  /// Writes `width` columns from column j on, rows `range`, to consecutive places.
  func copyRows(_ j: Int, width: Int, _ range: Range<Int>, to target: UnsafeMutablePointer<Double>) {
    for row in range {
      let first = offset + row * columns + j
      let place = target + (row - range.lowerBound) * width
      switch storage {
      case .bytes(let values): for k in 0..<width { place[k] = Double(values[first + k]) }
      case .float(let values): for k in 0..<width { place[k] = Double(values[first + k]) }
      case .double(let values): for k in 0..<width { place[k] = values[first + k] }
      }
    }
  }
}
