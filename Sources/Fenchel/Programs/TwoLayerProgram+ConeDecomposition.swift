import ConvexOptimization
import LinearAlgebra

/// A point of a gated program as a point of the program with cones over the same patterns.
public struct DecomposedPoint: Sendable {
  /// The program with cones.
  public var program: TwoLayerProgram
  /// The point of it, with the dual point of the gated one, which is feasible for it too.
  public var point: TwoLayerPoint
  /// A lower bound on Σ ‖u‖ + ‖v‖ over all decompositions of the same weights.
  public var normBound: Double
}

extension TwoLayerProgram {
  /// The ReLU network's point with the predictions of a gated one: w = u − v with u, v ∈ K for each group
  /// (pattern D, sign σ, output j), of least total norm ‖u‖ + ‖v‖ (`ConeDecomposition`; Mishkin, Sahiner &
  /// Pilanci 2022), so that
  ///
  ///     σ D X w = σ (X u)_+ − σ (X v)_+,   K = {u : (2D − I) X u ≥ 0}.
  ///
  /// u becomes the group of sign σ, v that of sign −σ; parts that are 0 become none. Predictions agree to
  /// rounding of the parts, whose norms may exceed ‖w‖ by far where cones are narrow: the network is a start
  /// for, not the optimum of, the program with cones, unless λ → 0. A point of a program with cones stays as
  /// it is.
  ///
  /// Errors: `ProgramError.noConeDecomposition` for the first group that has no decomposition. Cones whose
  /// gate has x_kᵀg ≠ 0 for all k have an interior, and with it one for every w.
  ///
  /// Cost about 10nd² for each group, groups in parallel; 8n(d + 1) bytes for each thread.
  public func coneDecomposition(of point: TwoLayerPoint) throws(ProgramError) -> DecomposedPoint {
    guard !isConstrained else {
      let norms = point.coefficients.rowNorms
      return DecomposedPoint(program: self, point: point, normBound: norms.reduce(0, +))
    }
    let relu = try TwoLayerProgram(
      x: x, loss: loss, kind: kind, parameters: parameters, λ: λ, patterns: patterns, isConstrained: true,
      pooling: pooling)
    var (groups, rows, bound) = ([TwoLayerGroup](), [[Double]](), 0.0)
    for (group, found) in zip(point.groups, decompositions(of: point)) {
      guard let found else { throw .noConeDecomposition(group) }
      bound += found.bound
      for (sign, part) in [(group.sign, found.u), (-group.sign, found.v)]
      where part.contains(where: { $0 != 0 }) {
        groups.append(TwoLayerGroup(pattern: group.pattern, sign: sign, output: group.output))
        rows.append(part)
      }
    }
    let coefficients = Matrix(rows.count, features, storage: rows.flatMap { $0 })
    // In the cones to rounding already; what arithmetic should have left outside is projected.
    let parts = relu.feasible(TwoLayerPoint(groups: groups, coefficients: coefficients, θ: point.θ))
    return DecomposedPoint(program: relu, point: parts, normBound: bound)
  }

  /// The decompositions of the groups of a point, nil for those that have none.
  private func decompositions(of point: TwoLayerPoint) -> [ConeDecomposition?] {
    let cones = PatternCones(x, patterns: patterns.bits, outputs: outputs)
    var found = [ConeDecomposition?](repeating: nil, count: point.groups.count)
    found.withMutablePointer { found in
      Parallel.forEach(tiles: point.groups.count) { g in
        found[g] = cones.decomposition(of: point.coefficients.row(g), pattern: point.groups[g].pattern)
      }
    }
    return found
  }
}
