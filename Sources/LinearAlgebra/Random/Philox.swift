import RealModule

/// Philox4x32-10, a counter-based generator: entry i of a stream is a function of (seed, stream, i) alone.
///
/// Any entry can be drawn without drawing those before it, so filling a matrix gives the same bits for any
/// number of threads, and a longer sample begins with the shorter one. The key is the seed; the counter is the
/// block number in its low 64 bits and the stream in its high 64 bits. One block (ten rounds) gives two
/// entries. Not for cryptography.
///
/// Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, *Parallel random numbers: as easy as 1, 2, 3*,
/// SC'11.
public struct Philox: Sendable, Hashable {
  public let seed: UInt64
  public let stream: UInt64

  public init(seed: UInt64, stream: UInt64 = 0) {
    self.seed = seed
    self.stream = stream
  }

  /// The bijection itself: ten rounds on a counter under a key, words least significant first.
  public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (x, k) = (counter, key)
    for round in 0..<10 {
      if round > 0 { k &+= SIMD2(0x9E37_79B9, 0xBB67_AE85) }
      let p = UInt64(x[0]) &* 0xD251_1F53
      let q = UInt64(x[2]) &* 0xCD9E_8D57
      x = SIMD4(
        UInt32(truncatingIfNeeded: q >> 32) ^ x[1] ^ k[0], UInt32(truncatingIfNeeded: q),
        UInt32(truncatingIfNeeded: p >> 32) ^ x[3] ^ k[1], UInt32(truncatingIfNeeded: p))
    }
    return x
  }

  /// Block `index` of this stream, as two 64-bit words.
  @inline(__always)
  func words(_ index: UInt64) -> (UInt64, UInt64) {
    let x = Philox.block(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32),
        UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32)),
      key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    return (UInt64(x[0]) | UInt64(x[1]) << 32, UInt64(x[2]) | UInt64(x[3]) << 32)
  }

  /// 64 random bits, entry `index`.
  public func bits(at index: UInt64) -> UInt64 {
    let pair = words(index >> 1)
    return index & 1 == 0 ? pair.0 : pair.1
  }

  /// Entry `index`, uniform on the multiples of 2⁻⁵³ in [0, 1).
  public func uniform(at index: UInt64) -> Double { Philox.unit(bits(at: index)) }

  /// Entry `index`, uniform on 0..<bound. The bias is below bound · 2⁻⁶⁴.
  public func integer(below bound: Int, at index: UInt64) -> Int {
    precondition(bound > 0, "a random integer needs a positive bound")
    return Int(bits(at: index).multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// Entry `index`, standard normal.
  public func normal(at index: UInt64) -> Double {
    let pair = normals(index >> 1)
    return index & 1 == 0 ? pair.0 : pair.1
  }

  /// Two independent standard normals from block `index` (Box and Muller 1958).
  @inline(__always)
  func normals(_ index: UInt64) -> (Double, Double) {
    let (a, b) = words(index)
    let radius = (-2 * Double.log(1 - Philox.unit(a))).squareRoot()
    let angle = 2 * Double.pi * Philox.unit(b)
    return (radius * Double.cos(angle), radius * Double.sin(angle))
  }

  @inline(__always)
  static func unit(_ bits: UInt64) -> Double { Double(bits >> 11) * 0x1p-53 }

  /// A permutation of 0..<count, each equally likely (Fisher and Yates). Entries 1..<count of the stream.
  public func permutation(of count: Int) -> [Int] {
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(i, integer(below: i + 1, at: UInt64(i)))
    }
    return order
  }
}
