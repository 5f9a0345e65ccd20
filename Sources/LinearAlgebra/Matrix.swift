/// A dense matrix in row-major order: entry (i, j) lies at `storage[i * columns + j]`.
///
/// A value type: copies are cheap until one of them is written. Rows are samples everywhere in Fenchel, so a
/// C-contiguous array of another language has this layout.
public struct Matrix<Element: Scalar>: Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  public var storage: [Element]

  /// A rows × columns matrix filled with one value.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public init(_ rows: Int, _ columns: Int, fill value: Element = 0) {
    precondition(rows >= 0 && columns >= 0, "a matrix cannot have a negative extent")
    self.rows = rows
    self.columns = columns
    storage = [Element](repeating: value, count: rows * columns)
  }

  /// A matrix over the entries in row-major order; `storage.count` must be rows · columns.
  public init(_ rows: Int, _ columns: Int, storage: [Element]) {
    precondition(storage.count == rows * columns, "\(storage.count) entries for \(rows) × \(columns)")
    self.rows = rows
    self.columns = columns
    self.storage = storage
  }

  /// The matrix with the given rows, which must be of one length.
  public init(rows: [[Element]]) {
    let width = rows.first?.count ?? 0
    precondition(rows.allSatisfy { $0.count == width }, "rows of different lengths")
    self.init(rows.count, width, storage: rows.flatMap { $0 })
  }

  /// An n × 1 matrix.
  public init(column: [Element]) { self.init(column.count, 1, storage: column) }

  public static func identity(_ n: Int) -> Matrix {
    var result = Matrix(n, n)
    for i in 0..<n { result[i, i] = 1 }
    return result
  }

  @inlinable
  public subscript(_ i: Int, _ j: Int) -> Element {
    get { storage[i * columns + j] }
    set { storage[i * columns + j] = newValue }
  }

  public var count: Int { rows * columns }

  /// A copy of row i.
  public func row(_ i: Int) -> [Element] { Array(storage[i * columns..<(i + 1) * columns]) }

  /// A copy of column j.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  public func column(_ j: Int) -> [Element] { (0..<rows).map { self[$0, j] } }

  /// Writes the entries of column j.
  public mutating func setColumn(_ j: Int, _ values: [Element]) {
    precondition(values.count == rows, "\(values.count) entries for a column of \(rows)")
    for i in 0..<rows { storage[i * columns + j] = values[i] }
  }

  /// A copy of the rows with the given indices, in that order.
  public func selectingRows(_ indices: some Collection<Int>) -> Matrix {
    var result = [Element]()
    result.reserveCapacity(indices.count * columns)
    for i in indices { result.append(contentsOf: storage[i * columns..<(i + 1) * columns]) }
    return Matrix(indices.count, columns, storage: result)
  }

  /// A copy of the first rows.
  public func firstRows(_ count: Int) -> Matrix {
    count == rows ? self : Matrix(count, columns, storage: Array(storage[..<(count * columns)]))
  }

  /// Row i ← row indices[i] of another matrix, for as many rows as there are indices. Cost: their entries, in
  /// parallel.
  public mutating func setRows(from source: Matrix, _ indices: ArraySlice<Int>) {
    precondition(source.columns == columns && indices.count == rows, "rows of another shape")
    let (columns, size) = (columns, max(1, (1 << 14) / max(1, columns)))
    let (count, first) = (rows * columns, indices.startIndex)
    withMutablePointer { target in
      source.withPointer { source in
        Parallel.forEach(tiles: Parallel.tiles(of: size, covering: indices.count), work: count) { tile in
          for i in Parallel.range(ofTile: tile, size: size, count: indices.count) {
            (target + i * columns).update(from: source + indices[first + i] * columns, count: columns)
          }
        }
      }
    }
  }

  /// The transposed matrix, copied in square tiles that stay in cache.
  public var transposed: Matrix {
    var result = Matrix(columns, rows)
    withPointer { source in
      result.withMutablePointer { transpose(source, rows, columns, into: $0) }
    }
    return result
  }

  /// The place in `storage` of the first entry that is NaN or infinite, nil if there is none.
  public var firstNonFinite: Int? { firstNonFiniteEntry(storage) }

  /// The same values in another precision.
  public func converted<Other: Scalar>(to _: Other.Type) -> Matrix<Other> {
    if let same = self as? Matrix<Other> { return same }
    var result = Matrix<Other>(rows, columns)
    withPointer { source in
      result.withMutablePointer { convert(source, count, into: $0) }
    }
    return result
  }
}

@specialized(where T == Float)
@specialized(where T == Double)
private func transpose<T: Scalar>(
  _ source: UnsafePointer<T>, _ rows: Int, _ columns: Int, into target: UnsafeMutablePointer<T>
) {
  let tile = 32
  for top in stride(from: 0, to: rows, by: tile) {
    for left in stride(from: 0, to: columns, by: tile) {
      for i in top..<min(top + tile, rows) {
        for j in left..<min(left + tile, columns) { target[j * rows + i] = source[i * columns + j] }
      }
    }
  }
}

@specialized(where T == Float, U == Double)
@specialized(where T == Double, U == Float)
private func convert<T: Scalar, U: Scalar>(
  _ source: UnsafePointer<T>, _ count: Int, into target: UnsafeMutablePointer<U>
) {
  for i in 0..<count { target[i] = U(source[i]) }
}

@specialized(where T == Float)
@specialized(where T == Double)
private func firstNonFiniteEntry<T: Scalar>(_ entries: [T]) -> Int? { entries.firstIndex { !$0.isFinite } }
