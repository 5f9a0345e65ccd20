import LinearAlgebra

/// A tiny seeded generator for tests (Steele, Lea & Flood 2014), independent of the library's own.
public struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Roughly normal: a sum of twelve uniform numbers.
  public mutating func normal() -> Double {
    (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &self) }
  }

  /// A matrix of roughly normal entries times `scale`.
  public mutating func matrix<T: Scalar>(
    _ rows: Int, _ columns: Int, scale: Double = 1, of _: T.Type = T.self
  ) -> Matrix<T> {
    Matrix(rows, columns, storage: (0..<rows * columns).map { _ in T(scale * normal()) })
  }
}
