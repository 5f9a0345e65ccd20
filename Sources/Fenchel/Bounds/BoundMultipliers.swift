import ConvexOptimization
import LinearAlgebra

/// A dual point θ and multipliers that bound max_{‖w‖ ≤ 1} σΣ_i θ_ij (x_iᵀw)₊ for both signs σ and every output j, over all
/// directions at once or over the pieces of a partition of them.
///
/// With z = x_iᵀw, c = σθ_ij and (z)₊ = (z + |z|)/2, where l ≤ z ≤ u on a piece,
///
///     |z| ≤ β ((u + l)z − 2lu)/(u − l) + (1 − β)(s/2 + z²/(2s))   for 0 ≤ β ≤ 1, s > 0           (where c > 0),
///     |z| ≥ α z + γ (2z² − (u + l)z)/(u − l)                       for |α| + γ ≤ 1, γ ≥ 0         (where c < 0),
///
/// so that the sum is at most a quadratic function of w, whose maximum on the sphere `SphereMaximum` bounds. Without cuts
/// −l = u = ‖x_i‖.
public struct BoundMultipliers: Sendable {
  /// θ: n × c.
  public var θ: Matrix<Double>
  public var pieces: [Piece]

  /// What bounds the maximum of an output and sign over a cone of directions.
  public struct Piece: Sendable {
    public var output: Int
    /// σ.
    public var sign: Double
    public var cone: DirectionCone
    /// β_i where σθ_ij > 0, α_i where it is negative.
    public var lines: [Double]
    /// s_i where σθ_ij > 0, γ_i where it is negative.
    public var parabolas: [Double]

    public init(
      output: Int, sign: Double, cone: DirectionCone = DirectionCone(), lines: [Double], parabolas: [Double]
    ) {
      (self.output, self.sign, self.cone) = (output, sign, cone)
      (self.lines, self.parabolas) = (lines, parabolas)
    }
  }

  public init(θ: Matrix<Double>, pieces: [Piece]) { (self.θ, self.pieces) = (θ, pieces) }

  /// The bound on all networks that the multipliers prove for a program's data, loss and λ. Cost n d² + d³ a piece.
  package func value(for program: TwoLayerProgram) -> Double {
    measured(for: program).value(program.strictLoss, λ: program.λ)
  }

  /// θ with the bounds on its maxima that the multipliers prove for a program's data and loss.
  func measured(for program: TwoLayerProgram) -> MeasuredDual {
    let x = program.x
    var own = self
    let feasible = program.strictLoss.feasibleDirection(θ)
    own.θ = program.pooling.adjoint(feasible)
    var lengths = [Double](repeating: 0, count: pieces.count)
    lengths.withMutablePointer { lengths in
      Parallel.forEach(tiles: pieces.count, work: pieces.count * x.count * x.columns) { tile in
        lengths[tile] = own.bound(x, piece: own.pieces[tile])
      }
    }
    let most = (0..<θ.columns).map { j in
      [1.0, -1.0].reduce(0.0) { most, sign in
        let own = pieces.indices.filter { pieces[$0].output == j && pieces[$0].sign == sign }
        guard DirectionCone.cover(own.map { pieces[$0].cone }) else { return .infinity }
        return own.reduce(most) { max($0, lengths[$1]) }
      }
    }
    return MeasuredDual(θ: feasible, lengths: most)
  }

  /// An upper bound on the maximum over a piece, with a row of θ for each of X, for any numbers in the multipliers: what
  /// breaks their conditions is replaced. Cost n d² + d³, and of the ranges where there are cuts.
  package func bound(_ x: Matrix<Double>, piece: Piece) -> Double {
    let (n, d) = (x.rows, x.columns)
    let u = Double.ulpOfOne / 2
    let ranges = piece.cone.ranges(of: x)
    var constant = CompensatedSum()
    var (linear, quadratic) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n))
    var (linearSize, quadraticSize) = (0.0, 0.0)
    for i in 0..<n {
      let (c, low, high) = (piece.sign * θ[i, piece.output], ranges[i].lowerBound, ranges[i].upperBound)
      let (line, parabola, width) = (piece.lines[i], piece.parabolas[i], high - low)
      guard c != 0, width > 0 else { continue }
      let (r, tilt) = (max(high, -low), (high + low) / width)
      if c > 0 {
        let s = parabola > 1e-12 * r && parabola < 1e12 * r ? parabola : r
        let β = line >= 0 && line <= 1 ? line : 0
        constant += c * (β * (-2 * low * (high / width)) + (1 - β) * (s / 2)) / 2
        linear[i] = c * (1 + β * tilt) / 2
        quadratic[i] = c * (1 - β) / (4 * s)
      } else {
        let α = line.isFinite ? max(-1, min(1, line)) : 0
        let γ = parabola.isFinite ? max(0, min(parabola, (1 - abs(α)) * (1 - 2 * u))) : 0
        linear[i] = c * (1 + α - γ * tilt) / 2
        quadratic[i] = c * γ / width
      }
      let norm = StrictArithmetic.norm(x.row(i))
      linearSize += 2 * abs(c) * norm
      quadraticSize += abs(quadratic[i]) * norm * norm
    }
    // Sums of n products, each of a few rounded factors: relative to the sums of their absolute values.
    let rounding = 1.01 * Double(n + d + 16) * u * (linearSize + quadraticSize)
    let b = Self.weightedSum(x, linear)
    let q = Self.weightedGram(x, quadratic)
    let most = SphereMaximum(linear: b, quadratic: q).upperBound
    let total = (constant.value + most + rounding) * (1 + 8 * u) + .leastNormalMagnitude
    return total.isFinite ? max(0, total) : .infinity
  }

  private static func weightedSum(_ x: Matrix<Double>, _ weights: [Double]) -> [Double] {
    let d = x.columns
    var result = [Double](repeating: 0, count: d)
    x.withPointer { x in
      result.withMutablePointer { result in
        for (i, weight) in weights.enumerated() where weight != 0 {
          let row = x + i * d
          for a in 0..<d { result[a] += weight * row[a] }
        }
      }
    }
    return result
  }

  private static func weightedGram(_ x: Matrix<Double>, _ weights: [Double]) -> Matrix<Double> {
    let d = x.columns
    var result = Matrix<Double>(d, d)
    x.withPointer { x in
      result.withMutablePointer { result in
        for (i, weight) in weights.enumerated() where weight != 0 {
          let row = x + i * d
          for a in 0..<d {
            let (factor, target) = (weight * row[a], result + a * d)
            for b in 0...a { target[b] += factor * row[b] }
          }
        }
      }
    }
    result.mirrorLowerTriangle()
    return result
  }
}
