import ConvexOptimization
import LinearAlgebra

/// Local maxima of ‖Gᵀu‖ over u ∈ K, ‖u‖ ≤ 1, for G: d × c and the cone K of a pattern, by turns
///
///     u ← Π_K(G v)/‖Π_K(G v)‖,   v ← Gᵀu/‖Gᵀu‖,
///
/// of which each is the best for the other: the value never falls. Lower bounds on h, and new neurons.
/// Cost of a turn: 2dc and a projection, from the one before.
struct ConeAscent {
  let cones: PatternCones<Double>
  /// Turns at most, and the relative gain below which they end.
  var turns = 40
  var leastGain = 1e-7

  /// What a start led to.
  struct Maximum {
    /// u: a unit vector in the cone, as far as rounding goes.
    var direction: [Double]
    /// ‖Gᵀu‖.
    var value: Double
    /// Gᵀu/‖Gᵀu‖.
    var output: [Double]
  }

  /// The maximum that a direction v of the outputs leads to; nil where G v lies in the polar cone.
  ///
  /// - Parameters:
  ///   - images: Gᵀ: c × d.
  func climb(
    _ images: Matrix<Double>, pattern: Int, from v: [Double], in state: inout ActiveSet<Double>
  ) -> Maximum? {
    var (v, projection): ([Double], ConeProjection<Double>?) = (v, nil)
    var best: Maximum?
    for _ in 0..<turns {
      guard !cones.deadline.hasPassed else { return best }
      let z = Self.combination(images, v)
      let found = z.withPointer {
        cones.projection(of: $0, pattern: pattern, sign: 1, from: projection, in: &state)
      }
      projection = found
      // A projection that is 0 but for rounding has no direction.
      guard found.norm > 1e-7 * StrictArithmetic.norm(z), found.norm.isFinite else { return best }
      let u = found.residual.map { $0 / found.norm }
      let w = (0..<images.rows).map { j in zip(images.row(j), u).reduce(0) { $0 + $1.0 * $1.1 } }
      let value = StrictArithmetic.norm(w)
      guard value > 0 else { return best }
      v = w.map { $0 / value }
      let gain = value - (best?.value ?? 0)
      if gain > 0 { best = Maximum(direction: u, value: value, output: v) }
      if gain <= leastGain * value { break }
    }
    return best
  }

  /// G v.
  static func combination(_ images: Matrix<Double>, _ v: [Double]) -> [Double] {
    var z = [Double](repeating: 0, count: images.columns)
    for (j, factor) in v.enumerated() where factor != 0 {
      for a in 0..<z.count { z[a] += factor * images[j, a] }
    }
    return z
  }

  /// Directions to start from: the left singular vectors of Gᵀ whose singular values exceed a level, with both signs.
  static func starts(_ images: Matrix<Double>, above level: Double, most: Int) -> [[Double]] {
    guard let svd = try? SVD(images) else { return [] }
    return svd.values.indices.prefix(most).filter { $0 == 0 || svd.values[$0] > level }.flatMap { r in
      let v = svd.u.column(r)
      return [v, v.map { -$0 }]
    }
  }
}
