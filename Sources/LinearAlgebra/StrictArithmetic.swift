import CKernels

/// Sums for certificates: Double, plain loops, every rounding error carried along, no BLAS.
///
/// Results are about as accurate as if computed in twice the precision and rounded once: the error is below
/// ε|s| + n²ε² Σ|terms|. The order of the additions depends on the length only.
///
/// Source: T. Ogita, S. M. Rump, S. Oishi, *Accurate sum and dot product*, SIAM J. Sci. Comput. 26 (2005); the
/// running sum is A. Neumaier's of 1974.
public enum StrictArithmetic {
  /// Σ x_i. Cost 7n.
  public static func sum(_ x: [Double]) -> Double { x.withPointer { fenchel_compensated_sum($0, x.count) } }

  /// Σ x_i y_i. Cost 9n.
  public static func dot(_ x: [Double], _ y: [Double]) -> Double {
    precondition(x.count == y.count, "a dot product of \(x.count) and \(y.count) entries")
    return x.withPointer { x in y.withPointer { fenchel_compensated_dot(x, $0, y.count) } }
  }

  /// Σ x_i y_i over `count` entries with unit stride.
  public static func dot(_ count: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>) -> Double {
    fenchel_compensated_dot(x, y, count)
  }

  /// ‖x‖₂, without overflow or underflow of the squares.
  public static func norm(_ x: [Double]) -> Double {
    let largest = x.reduce(0) { $1.isNaN ? $1 : max($0, abs($1)) }
    guard largest > 0, largest.isFinite else { return largest }
    let (low, high) = (largest < 0x1p-1000, largest > 0x1p1000)
    if low || high {  // 2^∓exponent may itself leave the range: two steps
      let half = low ? 0x1p600 : 0x1p-600
      return norm(x.map { $0 * half }) / half
    }
    let scale = inversePower(largest)
    let scaled = x.map { $0 * scale }
    return dot(scaled, scaled).squareRoot() / scale
  }

  /// The power of two that brings a positive size near 1, which rounds no product; within 2^±1000, so that it is a normal
  /// number itself.
  public static func inversePower(_ size: Double) -> Double {
    Double(sign: .plus, exponent: -max(-1000, min(1000, size.exponent)), significand: 1)
  }

  /// ⟨A, B⟩ = Σ a_ij b_ij.
  public static func inner(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Double {
    precondition(a.rows == b.rows && a.columns == b.columns, "an inner product of different shapes")
    return dot(a.storage, b.storage)
  }

  /// A Bᵀ for A: m × k and B: n × k, every entry a compensated dot product. Cost 9mnk, rows in parallel.
  public static func product(_ a: Matrix<Double>, transposed b: Matrix<Double>) -> Matrix<Double> {
    precondition(a.columns == b.columns, "a product of \(a.columns) and \(b.columns) terms")
    var result = Matrix<Double>(a.rows, b.rows)
    let (m, n, k) = (a.rows, b.rows, a.columns)
    let tile = max(1, (1 << 14) / max(1, n * k))
    withPointers(a, b, &result.storage) { a, b, c in
      Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: m)) { index in
        for i in Parallel.range(ofTile: index, size: tile, count: m) {
          for j in 0..<n { c[i * n + j] = fenchel_compensated_dot(a + i * k, b + j * k, k) }
        }
      }
    }
    return result
  }
}

/// A running sum in Double whose rounding errors are added up beside it (Neumaier 1974).
@frozen
public struct CompensatedSum: Sendable {
  @usableFromInline var sum = 0.0
  @usableFromInline var error = 0.0

  @inlinable
  public init() {}

  @inlinable
  public mutating func add(_ x: Double) {
    let total = sum + x
    error += abs(sum) >= abs(x) ? (sum - total) + x : (x - total) + sum
    sum = total
  }

  /// Adds x·y, its rounding error included.
  @inlinable
  public mutating func add(_ x: Double, times y: Double) {
    let product = x * y
    error += (-product).addingProduct(x, y)
    add(product)
  }

  /// The sum so far.
  @inlinable public var value: Double { sum.isFinite ? sum + error : sum }

  @inlinable
  public static func += (sum: inout CompensatedSum, x: Double) { sum.add(x) }
}
