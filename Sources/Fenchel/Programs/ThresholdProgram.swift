import ConvexOptimization
import LinearAlgebra

/// The convex program of a two-layer network with the threshold activation, 1[t > 0] (Ergen, Gulluk, Lacotte & Pilanci
/// 2023, *Globally optimal training of neural networks with threshold activation functions*):
///
///     min_z ℓ(Σ_i d_i z_i) + λ Σ_{i,j} |z_ij|,    d_i = 1[X g_i > 0],  F_j = Σ_i d_i z_ij,
///
/// a LASSO over activation patterns. It is the gated program over a single feature, the constant 1, whose groups have one
/// coefficient, and is solved and certified as that. Over exact patterns the certificate is for all networks whose gates
/// meet no sample, x_kᵀg ≠ 0. Every point is a network f_j(x) = Σ_i 1[xᵀg_i > 0] z_ij of the same
/// objective; with z = s w₂ the penalty is (λ/2) Σ (s² + w₂²) at its best balance.
public struct ThresholdProgram: Sendable {
  /// X: n × d, with the constant column of the bias where there is one.
  public let x: Matrix<Double>
  /// The gated program over the constant 1, with the patterns of X.
  public let lasso: TwoLayerProgram

  /// Throws where λ is not positive and finite, or X, patterns and loss are of different heights.
  public init(
    x: Matrix<Double>, loss: any Loss<Double>, kind: LossKind, parameters: LossParameters = LossParameters(),
    λ: Double, patterns: ActivationPatterns
  ) throws(ProgramError) {
    self.x = x
    lasso = try TwoLayerProgram(
      x: Matrix(x.rows, 1, fill: 1), loss: loss, kind: kind, parameters: parameters, λ: λ, patterns: patterns,
      isConstrained: false)
  }

  /// The network that a point stands for: a gated layer whose gates switch constants. With `hasBias` the last column of
  /// X is the constant 1.
  public func decode(_ point: TwoLayerPoint, hasBias: Bool) throws -> Network {
    let used = Set(point.groups.map(\.pattern)).sorted()
    let kept = used.isEmpty ? [0] : used
    let places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($0.element, $0.offset) })
    let gates = lasso.patterns.gates.selectingRows(kept)
    let width = gates.columns + (hasBias ? 0 : 1)
    var (wide, weights) = (
      Matrix<Double>(kept.count, width), Matrix<Double>(kept.count * lasso.outputs, width)
    )
    for i in 0..<kept.count { for j in 0..<gates.columns { wide[i, j] = gates[i, j] } }
    for (g, group) in point.groups.enumerated() {
      let row = (places[group.pattern] ?? 0) * lasso.outputs + group.output
      weights[row, width - 1] += point.coefficients[g, 0]
    }
    return try Network(layers: [.gated(Gated(gates: wide, weights: weights, hasBias: true))])
  }

  /// Whether a network is a point of the program: gated constants, whose gates have its patterns on X.
  public func contains(_ network: Network) -> Bool {
    guard case .gated(let gated) = network.twoLayerForm, gated.hasBias else { return false }
    let (d, last) = (x.columns, gated.gates.columns - 1)
    let hasBias = last + 1 == d
    guard hasBias || (last == d && gated.gates.column(last).allSatisfy { $0 == 0 }) else { return false }
    let isConstant = (0..<gated.weights.rows).allSatisfy { row in
      (0..<last).allSatisfy { gated.weights[row, $0] == 0 }
    }
    guard isConstant else { return false }
    let gates = Matrix(rows: (0..<gated.gates.rows).map { Array(gated.gates.row($0).prefix(d)) })
    let outputs = gated.weights.rows / gated.gates.rows
    let used = (0..<gates.rows).filter { i in
      (i * outputs..<(i + 1) * outputs).contains { gated.weights[$0, last] != 0 }
    }
    // Also where the patterns are exact: a gate that meets a sample may have one that no cell has.
    return lasso.patterns.contain(gates.selectingRows(used), on: x)
  }
}
