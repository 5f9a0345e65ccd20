/// S: the sums over blocks of `size` consecutive rows,
///
///     (S Z)_k = Σ_{r < size} Z_{k·size + r},   Z: n·size × c,  S Z: n × c,
///
/// which make one prediction of the outputs of all patches of a sample. The adjoint writes each row `size` times. With
/// `size` = 1 both are the identity. Sums run in the order of the rows.
public struct RowSums: Sendable, Equatable {
  /// Rows in a block, at least 1.
  public let size: Int

  public init(of size: Int) {
    precondition(size > 0, "a block has at least one row")
    self.size = size
  }

  /// Every row a block of its own.
  public static let identity = RowSums(of: 1)

  public var isIdentity: Bool { size == 1 }

  /// The rows of sample k.
  public func rows(of k: Int) -> Range<Int> { k * size..<(k + 1) * size }

  /// The rows of some samples.
  public func rows(of samples: Range<Int>) -> Range<Int> {
    samples.lowerBound * size..<samples.upperBound * size
  }

  /// S Z.
  @specialized(where T == Double)
  @specialized(where T == Float)
  public func callAsFunction<T: Scalar>(_ z: Matrix<T>) -> Matrix<T> {
    guard !isIdentity else { return z }
    precondition(z.rows.isMultiple(of: size), "\(z.rows) rows are no blocks of \(size)")
    let (n, c) = (z.rows / size, z.columns)
    var result = Matrix<T>(n, c)
    withPointers(z, z, &result.storage) { z, _, y in
      for k in 0..<n {
        for r in rows(of: k) { for j in 0..<c { y[k * c + j] += z[r * c + j] } }
      }
    }
    return result
  }

  /// Sᵀ Y: row k of Y, n × c, in all rows of sample k.
  @specialized(where T == Double)
  @specialized(where T == Float)
  public func adjoint<T: Scalar>(_ y: Matrix<T>) -> Matrix<T> {
    guard !isIdentity else { return y }
    let (n, c) = (y.rows, y.columns)
    var result = Matrix<T>(n * size, c)
    withPointers(y, y, &result.storage) { y, _, z in
      for k in 0..<n {
        for r in rows(of: k) { (z + r * c).update(from: y + k * c, count: c) }
      }
    }
    return result
  }

  /// y ← S z for one column z of count · size entries; y may be z.
  @specialized(where T == Double)
  @specialized(where T == Float)
  public func sum<T: Scalar>(_ z: UnsafePointer<T>, samples count: Int, into y: UnsafeMutablePointer<T>) {
    for k in 0..<count {
      var sum = z[k * size]
      for r in 1..<max(size, 1) { sum += z[k * size + r] }
      y[k] = sum
    }
  }
}
