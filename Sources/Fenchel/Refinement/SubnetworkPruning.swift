import ConvexOptimization
import LinearAlgebra

/// Makes a network of parallel sub-networks smaller without ever raising its objective, as `NetworkPruning` does for neurons.
///
/// A sub-network z_k(X) = σ_k (Σ_j s_kj (X u_kj)₊)₊ grows with its weights in proportion, as its penalty λ t_k does: t_k =
/// ‖u_k‖ with columns of norm one, Σ_j ‖u_kj‖ with first layers in the Frobenius ball. On the cone of one pattern of both
/// layers z is linear. So sub-networks of one pattern, sign and output add up; those whose removal lowers the objective go; and
/// while the contributions z_k/t_k of an output are linearly dependent, weight moves along the dependence until one vanishes.
/// At most n are left for each output.
public struct SubnetworkPruning: Sendable {
  private let x: Matrix<Double>
  private let loss: any Loss<Double>
  private let λ: Double
  private let norm: SubnetworkNorm

  public init(x: Matrix<Double>, loss: any Loss<Double>, λ: Double, norm: SubnetworkNorm = .unit) {
    (self.x, self.loss, self.λ, self.norm) = (x, loss, λ, norm)
  }

  /// A network with an objective not above that of `networks`, by all three steps. Cost 2ndm for each sub-network, n m² for the
  /// dependences of m of one output, and one evaluation of the loss for each.
  public func pruned(_ networks: SubnetworkSet) throws -> SubnetworkSet {
    try independent(removingUseless(merged(networks)))
  }

  /// t_k for each.
  public func sizes(_ networks: SubnetworkSet) -> [Double] {
    guard norm == .frobenius else { return networks.norms }
    let (m, d) = (networks.width, x.columns)
    return (0..<networks.count).map { k in
      (0..<m).reduce(0) { sum, j in
        sum + StrictArithmetic.norm((0..<d).map { networks.vectors[k, j * d + $0] })
      }
    }
  }

  /// ℓ(F) + λ Σ t_k.
  public func objective(_ networks: SubnetworkSet) -> Double {
    loss.value(at: predictions(networks)) + λ * sizes(networks).reduce(0, +)
  }

  /// F_o = Σ_{k: output o} z_k(X).
  public func predictions(_ networks: SubnetworkSet) -> Matrix<Double> {
    let z = contributions(networks)
    var f = Matrix<Double>(loss.samples, loss.outputs)
    for i in 0..<f.rows { for k in 0..<networks.count { f[i, networks.outputs[k]] += z[i, k] } }
    return f
  }

  /// The sub-networks of one pattern, sign and output added up: the same predictions, no larger penalty. Those that are
  /// active nowhere are left out.
  public func merged(_ networks: SubnetworkSet) throws(PatternError) -> SubnetworkSet {
    let (patterns, places) = try SubnetworkPatterns.placing(networks, on: x)
    let (groups, vectors) = networks.added(by: places)
    return SubnetworkSet(
      vectors: vectors, inner: patterns.signs.selectingRows(groups.map(\.pattern)), signs: groups.map(\.sign),
      outputs: groups.map(\.output))
  }

  /// Drops sub-networks, smallest first, whose removal does not raise the objective.
  public func removingUseless(_ networks: SubnetworkSet) -> SubnetworkSet {
    resized(networks, to: pruning.removingUseless(sizes(networks), parts(networks)))
  }

  /// Moves weight along linear dependences of the contributions of each output until they are independent. Where rounding
  /// would raise the objective by more than 10⁻¹² of it, the sub-networks are returned as they are.
  public func independent(_ networks: SubnetworkSet) throws(FactorisationError) -> SubnetworkSet {
    let result = resized(networks, to: try pruning.independent(sizes(networks), parts(networks)))
    let before = objective(networks)
    return objective(result) <= before + 1e-12 * abs(before) ? result : networks
  }

  private var pruning: ContributionPruning { ContributionPruning(loss: loss, λ: λ) }

  /// What sub-networks of size one contribute.
  private func parts(_ networks: SubnetworkSet) -> ContributionPruning.Parts {
    var unit = networks
    unit.vectors.scaleRows(by: sizes(networks).map { $0 > 0 ? 1 / $0 : 0 })
    return .init(columns: contributions(unit), outputs: networks.outputs)
  }

  /// The sub-networks that have a size, with those sizes.
  private func resized(_ networks: SubnetworkSet, to sizes: [Double]) -> SubnetworkSet {
    let old = self.sizes(networks)
    var result = networks
    result.vectors.scaleRows(
      by: zip(sizes, old).map { size, old in size == old || old == 0 ? 1 : size / old })
    return result.selecting(sizes.indices.filter { sizes[$0] > 0 })
  }

  /// σ_k (Σ_j s_kj (X u_kj)₊)₊, one column each: n × K.
  private func contributions(_ networks: SubnetworkSet) -> Matrix<Double> {
    var pass = SubnetworkPass(x: x, inner: networks.inner)
    networks.vectors.withPointer { pass.forward($0) }
    var rows = pass.values
    rows.scaleRows(by: networks.signs)
    return rows.transposed
  }
}
