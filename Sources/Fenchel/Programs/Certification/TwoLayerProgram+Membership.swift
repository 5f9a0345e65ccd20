import ConvexOptimization
import LinearAlgebra

/// What is a point of a two-layer program: only of such points the program's bound speaks.
extension TwoLayerProgram {
  /// Whether a network is a point of the program.
  ///
  /// - ReLU networks: no output has a bias, no neuron feeds two outputs (unless they are `sharing` neurons), and every
  ///   neuron w that feeds one lies in the cone of a pattern, (2D − I) X w ≥ 0 up to rounding.
  /// - Gated networks: every gate with weights has one of the patterns.
  ///
  /// Exact patterns hold every w and every gate. Cost 2 n d m + n P m / 64 for m neurons.
  func contains(_ network: Network, sharing: Bool = false) -> Bool {
    switch network.twoLayerForm {
    case .relu(let hidden, let output): isConstrained && containsNeurons(hidden, output, sharing: sharing)
    case .gated(let gated): !isConstrained && containsGates(gated)
    case .polynomial, nil: false
    }
  }

  private func containsNeurons(_ hidden: Dense, _ output: Dense, sharing: Bool) -> Bool {
    let hasBias = hidden.weights.rows + 1 == features
    guard hasBias || (hidden.weights.rows == features && hidden.bias.allSatisfy { $0 == 0 }) else {
      return false
    }
    let fed = (0..<output.weights.rows).map { m in output.weights.row(m).count { $0 != 0 } }
    guard sharing || fed.allSatisfy({ $0 <= 1 }), output.bias.allSatisfy({ $0 == 0 }) else { return false }
    let vectors = fed.indices.filter { fed[$0] > 0 }.map { m in
      hidden.weights.column(m) + (hasBias ? [hidden.bias[m]] : [])
    }
    return patterns.isExact || PatternCones(x, patterns: patterns.bits, outputs: outputs).cover(vectors)
  }

  private func containsGates(_ gated: Gated) -> Bool {
    guard gated.gates.columns == features else { return false }
    guard !patterns.isExact else { return true }
    let (outputs, norms) = (gated.weights.rows / gated.gates.rows, gated.weights.rowNorms)
    let used = (0..<gated.gates.rows).filter { i in
      (i * outputs..<(i + 1) * outputs).contains { norms[$0] > 0 }
    }
    return patterns.contain(gated.gates.selectingRows(used), on: x)
  }

  /// The point with each u_g that lies outside its cone moved to the nearest one inside: an iterate of an
  /// interior-point method on its way to feasibility becomes a point of the program. Without cones, and over exact
  /// patterns, every point is one. Cost 2 n d for each group, and a projection for each that is moved.
  func feasible(_ point: TwoLayerPoint) -> TwoLayerPoint {
    guard isConstrained, !patterns.isExact else { return point }
    let cones = PatternCones(x, patterns: patterns.bits, outputs: outputs)
    var result = point
    for (g, group) in point.groups.enumerated() {
      let u = cones.feasible(point.coefficients.row(g), pattern: group.pattern)
      for j in 0..<features { result.coefficients[g, j] = u[j] }
    }
    return result
  }
}

extension ActivationPatterns {
  /// Whether each of some gates, one a row, has one of these patterns on X.
  func contain(_ gates: Matrix<Double>, on x: Matrix<Double>) -> Bool {
    let own = BitMatrix(signsOf: x, timesTransposed: gates).transposed
    let columns = bits.transposed
    let known = Set((0..<columns.rows).map(columns.row))
    return (0..<own.rows).allSatisfy { known.contains(own.row($0)) }
  }
}

extension PatternCones<Double> {
  /// Least x_kᵀw / (‖x_k‖‖w‖) on the side of a cone that counts as inside, and what is left alone by `feasible`:
  /// vectors that pass the second pass the first after some arithmetic too.
  private static let (leastSine, leastFeasibleSine) = (-1e-9, -1e-12)

  /// Whether each vector lies in the cone of some pattern.
  func cover(_ vectors: [[Double]]) -> Bool {
    vectors.allSatisfy { w in
      let sines = sines(w)
      var (positive, certain) = (BitMatrix(1, sines.count), BitMatrix(1, sines.count))
      for (k, sine) in sines.enumerated() {
        positive[0, k] = sine > 0
        certain[0, k] = abs(sine) > -Self.leastSine
      }
      return (0..<gates.rows).contains { i in
        zip(gates.row(i), zip(positive.words, certain.words)).allSatisfy { ($0 ^ $1.0) & $1.1 == 0 }
      }
    }
  }

  /// w itself where it lies in the cone, else its projection; 0, which is in every cone, where rounding leaves the
  /// projection outside.
  func feasible(_ w: [Double], pattern: Int) -> [Double] {
    if contains(w, pattern: pattern) { return w }
    var state = ActiveSet(of: rows)
    let projection = w.withPointer { self.projection(of: $0, pattern: pattern, sign: 1, in: &state) }.residual
    return contains(projection, pattern: pattern) ? projection : [Double](repeating: 0, count: w.count)
  }

  private func contains(_ w: [Double], pattern: Int) -> Bool {
    contains(sines(w), pattern: pattern, within: Self.leastFeasibleSine)
  }

  /// Whether a vector lies in the cone of a pattern, up to the rounding of a network's weights.
  func holds(_ w: [Double], pattern: Int) -> Bool {
    contains(sines(w), pattern: pattern, within: Self.leastSine)
  }

  private func contains(_ sines: [Double], pattern: Int, within least: Double) -> Bool {
    sines.enumerated().allSatisfy { k, sine in
      !counts(k, pattern: pattern) || (gates[pattern, k] ? sine : -sine) >= least
    }
  }

  /// x_kᵀw / (‖x_k‖‖w‖) for every sample; 0 where x_k or w is 0.
  private func sines(_ w: [Double]) -> [Double] {
    let norm = StrictDual.norm(w)
    guard norm > 0 else { return [Double](repeating: 0, count: rows.norms.count) }
    let products = matrixProduct(rows.rows, .no, Matrix(column: w.map { $0 / norm }), .no).storage
    return zip(products, rows.norms).map { $1 > 0 ? $0 / $1 : 0 }
  }
}
