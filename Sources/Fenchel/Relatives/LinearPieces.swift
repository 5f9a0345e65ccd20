import LinearAlgebra

/// An activation that is linear on intervals, and with it the pre-activations between an output that they should have
/// and a value that they should be near, entry by entry:
///
///     argmin_z (γ/2)(a − h(z))² + (β/2)(z − m)²
///
/// On every interval it is a parabola, so the least of their clamped minima is the answer (Taylor et al. 2016, section 3;
/// Lau et al. 2018). Where several z are as good, the one of the lowest interval.
package struct LinearPieces<Element: Scalar>: Sendable {
  /// h(z) = slope · z + offset on [lower, upper].
  struct Piece: Sendable {
    var lower, upper, slope, offset: Element
  }
  let pieces: [Piece]

  /// Nil for an activation that is curved, couples entries, or jumps.
  package init?(_ activation: Activation) {
    let α = Element(activation.parameter)
    let whole = (-Element.infinity, Element.infinity)
    switch activation.form {
    case .relu: pieces = Self.bent(at: [0], slopes: [0, 1], offsets: [0, 0])
    case .leakyReLU: pieces = Self.bent(at: [0], slopes: [α, 1], offsets: [0, 0])
    case .hardTanh: pieces = Self.bent(at: [-1, 1], slopes: [0, 1, 0], offsets: [-1, 0, 1])
    case .hardSigmoid: pieces = Self.bent(at: [0, 1], slopes: [0, 1, 0], offsets: [0, 0, 1])
    case .softThreshold: pieces = Self.bent(at: [-α, α], slopes: [1, 0, 1], offsets: [α, 0, -α])
    case .identity: pieces = [Piece(lower: whole.0, upper: whole.1, slope: 1, offset: 0)]
    case .sigmoid, .tanh, .softplus, .sign, .sine, .simplex, .softmax: return nil
    }
  }

  private static func bent(at kinks: [Element], slopes: [Element], offsets: [Element]) -> [Piece] {
    let ends = [-Element.infinity] + kinks + [.infinity]
    return slopes.indices.map {
      Piece(lower: ends[$0], upper: ends[$0 + 1], slope: slopes[$0], offset: offsets[$0])
    }
  }

  /// Z ← argmin (γ/2)‖A − h(Z)‖² + (β/2)‖Z − M‖² for γ, β > 0. Cost: the entries, once an interval, in parallel.
  package func fit(
    outputs a: Matrix<Element>, weight γ: Element, near m: Matrix<Element>, weight β: Element,
    into z: inout Matrix<Element>
  ) {
    precondition(a.count == m.count && a.count == z.count, "matrices differ in shape")
    let (count, size) = (a.count, 1 << 14)
    withPointers(a, m, &z.storage) { a, m, z in
      Parallel.forEach(tiles: Parallel.tiles(of: size, covering: count), work: 8 * count) { tile in
        let entries = Parallel.range(ofTile: tile, size: size, count: count)
        fitEntries(pieces, entries, a, γ, m, β, z)
      }
    }
  }
}

/// One tile of `LinearPieces.fit`, in blocks that stay in cache: interval after interval, each entry keeps its best.
@specialized(where Element == Double)
@specialized(where Element == Float)
private func fitEntries<Element: Scalar>(
  _ pieces: [LinearPieces<Element>.Piece], _ entries: Range<Int>, _ a: UnsafePointer<Element>, _ γ: Element,
  _ m: UnsafePointer<Element>, _ β: Element, _ z: UnsafeMutablePointer<Element>
) {
  let block = 1024
  withTemporary(Element.self, block) { least in
    for start in stride(from: entries.lowerBound, to: entries.upperBound, by: block) {
      let count = min(block, entries.upperBound - start)
      let (a, m, z) = (a + start, m + start, z + start)
      for k in 0..<count { least[k] = .infinity }
      for piece in pieces {
        let (s, c, low, high) = (piece.slope, piece.offset, piece.lower, piece.upper)
        let reciprocal = 1 / (γ * s * s + β)
        for k in 0..<count {
          let free = (γ * s * (a[k] - c) + β * m[k]) * reciprocal
          let t = free < low ? low : free > high ? high : free
          let (miss, way) = (a[k] - (s * t + c), t - m[k])
          let value = γ * miss * miss + β * way * way
          let isBetter = value < least[k]
          z[k] = isBetter ? t : z[k]
          least[k] = isBetter ? value : least[k]
        }
      }
    }
  }
}
