import ConvexOptimization
import LinearAlgebra

/// A dual point θ and multipliers that bound max_{‖w‖ ≤ 1} σΣ_i θ_ij (x_iᵀw)₊ for both signs σ and every output j.
///
/// With z = x_iᵀw, r = ‖x_i‖ and c = σθ_ij, (z)₊ = (z + |z|)/2 and on the unit ball
///
///     |z| ≤ s/2 + z²/(2s) for any s > 0   (where c > 0),
///     |z| ≥ α z + γ z²/r for |α| + γ ≤ 1, γ ≥ 0   (where c < 0),
///
/// so that the sum is at most a quadratic function of w, whose maximum on the sphere `SphereMaximum` bounds.
public struct BoundMultipliers: Sendable {
  /// θ: n × c.
  public var θ: Matrix<Double>
  /// s, for the sign that has σθ_ij > 0.
  public var widths: Matrix<Double>
  /// α, for the other sign.
  public var slopes: Matrix<Double>
  /// γ.
  public var curvatures: Matrix<Double>

  public init(θ: Matrix<Double>, widths: Matrix<Double>, slopes: Matrix<Double>, curvatures: Matrix<Double>) {
    (self.θ, self.widths, self.slopes, self.curvatures) = (θ, widths, slopes, curvatures)
  }

  init(samples n: Int, outputs c: Int) {
    let zero = Matrix<Double>(n, c)
    self.init(θ: zero, widths: zero, slopes: zero, curvatures: zero)
  }

  /// The bound on all networks that the multipliers prove. Cost 2c(n d² + d³).
  func value(_ x: Matrix<Double>, _ loss: StrictLoss, λ: Double) -> Double {
    var own = self
    own.θ = loss.feasibleDirection(θ)
    let c = θ.columns
    var lengths = [Double](repeating: 0, count: 2 * c)
    lengths.withMutablePointer { lengths in
      Parallel.forEach(tiles: 2 * c, work: 2 * c * x.count * x.columns) { tile in
        lengths[tile] = own.bound(x, output: tile / 2, sign: tile % 2 == 0 ? 1 : -1)
      }
    }
    return loss.dualValue(own.θ, lengths: (0..<c).map { max(lengths[2 * $0], lengths[2 * $0 + 1]) }, λ: λ)
  }

  /// An upper bound on the maximum for output j and sign σ, for any numbers in the multipliers: what breaks their
  /// conditions is replaced. Cost n d² + d³.
  package func bound(_ x: Matrix<Double>, output j: Int, sign σ: Double) -> Double {
    let (n, d) = (x.rows, x.columns)
    let u = Double.ulpOfOne / 2
    var constant = CompensatedSum()
    var (linear, quadratic) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n))
    var (linearSize, quadraticSize) = (0.0, 0.0)
    for i in 0..<n {
      let c = σ * θ[i, j]
      let r = StrictArithmetic.norm(x.row(i)) * (1 + 4 * u)
      guard c != 0, r > 0 else { continue }
      if c > 0 {
        let s = widths[i, j] > 1e-12 * r && widths[i, j] < 1e12 * r ? widths[i, j] : r
        constant += c * s / 4
        linear[i] = c / 2
        quadratic[i] = c / (4 * s)
      } else {
        let α = slopes[i, j].isFinite ? max(-1, min(1, slopes[i, j])) : 0
        let γ = curvatures[i, j].isFinite ? max(0, min(curvatures[i, j], (1 - abs(α)) * (1 - 2 * u))) : 0
        linear[i] = c * (1 + α) / 2
        quadratic[i] = c * γ / (2 * r)
      }
      linearSize += abs(linear[i]) * r
      quadraticSize += abs(quadratic[i]) * r * r
    }
    // Sums of n products, each of at most three rounded factors: relative to the sums of their absolute values.
    let rounding = 1.01 * Double(n + d + 8) * u * (linearSize + quadraticSize)
    let b = Self.weightedSum(x, linear)
    let q = Self.weightedGram(x, quadratic)
    let most = SphereMaximum(linear: b, quadratic: q).upperBound
    return max(0, (constant.value + most + rounding) * (1 + 8 * u) + .leastNormalMagnitude)
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
