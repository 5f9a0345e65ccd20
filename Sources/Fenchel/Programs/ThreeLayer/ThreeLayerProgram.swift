import ConvexOptimization
import LinearAlgebra

/// The convex program of a network of parallel sub-networks with two ReLU layers, over given activation patterns (Ergen &
/// Pilanci 2021, theorem 1, with columns of the first layer in the unit ball):
///
///     min ℓ(F) + λ Σ_g ‖u_g‖,   F_o = Σ_{g: output o} σ_g E_g Σ_j s_j D_j X u_gj,
///     (2D_j − I) X u_gj ≥ 0,  (2E_g − I) Σ_j s_j D_j X u_gj ≥ 0
///
/// over groups g = (pattern of a sub-network, sign σ, output), u_g = (u_g1, …, u_gm) ∈ ℝ^{md}. Every point decodes to a
/// network f_o(x) = Σ_k ((xᵀW_k)₊ w1_k)₊ w2_k, each of whose sub-networks feeds one output, of the same predictions and
/// the objective ℓ + (λ/2) Σ_k (‖w1_k‖² + w2_k²) with columns of W_k of norm one.
public struct ThreeLayerProgram: Sendable {
  /// X: n × d, with the constant column of the bias where there is one.
  public let x: Matrix<Double>
  public let loss: any Loss<Double>
  /// The loss by name, with its parameters.
  public let kind: LossKind
  public let parameters: LossParameters
  public let λ: Double
  public let patterns: SubnetworkPatterns

  /// Throws where λ is not positive and finite, or X, patterns and loss are of different heights.
  public init(
    x: Matrix<Double>, loss: any Loss<Double>, kind: LossKind, parameters: LossParameters = LossParameters(),
    λ: Double, patterns: SubnetworkPatterns
  ) throws(ProgramError) {
    guard λ > 0, λ.isFinite else { throw .regularisation(λ) }
    guard x.rows == loss.samples, patterns.samples == x.rows else {
      throw .shapes(x: x.rows, targets: loss.samples, patterns: patterns.samples)
    }
    (self.x, self.loss, self.kind, self.parameters) = (x, loss, kind, parameters)
    (self.λ, self.patterns) = (λ, patterns)
  }

  public var samples: Int { x.rows }
  public var features: Int { x.columns }
  public var outputs: Int { loss.outputs }
  /// m: neurons of a sub-network.
  public var width: Int { patterns.width }
  /// Groups: patterns × signs × outputs.
  public var groups: Int { 2 * patterns.count * outputs }

  /// The zero network, and θ = −∇ℓ there.
  var zero: ThreeLayerPoint {
    ThreeLayerPoint(
      groups: [], coefficients: Matrix(0, width * features), θ: loss.residual(at: Matrix(samples, outputs)))
  }

  /// Group r = (2b + s)·c + o: pattern b, sign (−1)ˢ, output o.
  func group(_ r: Int) -> TwoLayerGroup {
    let (row, output) = r.quotientAndRemainder(dividingBy: outputs)
    return TwoLayerGroup(pattern: row / 2, sign: row % 2 == 0 ? 1 : -1, output: output)
  }

  /// r of a group.
  func index(_ group: TwoLayerGroup) -> Int {
    (2 * group.pattern + (group.sign > 0 ? 0 : 1)) * outputs + group.output
  }

  /// u ↦ F without the signs σ: groups of both signs share their map, and their cones are opposite.
  var map: SubnetworkOperator { SubnetworkOperator(data: x, patterns: patterns, outputs: outputs) }

  func cones(deadline: Deadline = .none, work: Int? = nil) -> PatternCones<Double> {
    let rows = SubnetworkPatterns.ConeRows(patterns)
    return PatternCones(
      rows: rows.matrix(x), orientation: rows.orientation, used: rows.used, outputs: outputs,
      deadline: deadline, work: work)
  }

  /// The least λ at which the zero network is optimal over these patterns: the largest dual norm of −∇ℓ(0), from above, or
  /// 0 where that may be rounding.
  public func largestλ(deadline: Deadline = .none) -> Double {
    let θ = loss.residual(at: Matrix(samples, outputs))
    let norm = prices(θ, above: 0, deadline: deadline).reduce(0) { max($0, $1.norm) }
    return StrictDual.beyondRounding(norm, θ: θ, x)
  }
}

/// A point of a three-layer program: coefficients are one row (u_1, …, u_m) a group, whose pattern is that of a
/// sub-network, and multipliers are those of the rows of its cone.
public typealias ThreeLayerPoint = TwoLayerPoint
