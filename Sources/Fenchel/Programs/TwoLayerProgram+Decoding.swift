import LinearAlgebra

extension TwoLayerProgram {
  /// The network that a point stands for: same predictions, same objective (Pilanci & Ergen 2020, theorem 1).
  ///
  /// With cones u ≠ 0 becomes a neuron w₁ = u/√‖u‖, w₂ = σ√‖u‖ into its output; without, the vectors become a
  /// gated layer with the gates of their patterns. With `hasBias` the last column of X is the constant 1 and
  /// becomes the bias.
  public func decode(_ point: TwoLayerPoint, hasBias: Bool) throws -> Network {
    isConstrained
      ? try decode(NeuronSet(point), hasBias: hasBias) : try decodeGated(point, hasBias: hasBias)
  }

  /// The ReLU network of some neurons, each of which feeds one output.
  public func decode(_ neurons: NeuronSet, hasBias: Bool) throws -> Network {
    let inputs = features - (hasBias ? 1 : 0)
    let norms = neurons.norms
    let live = norms.indices.filter { norms[$0] > 0 }
    let width = max(live.count, 1)  // the zero network keeps one neuron of zeros
    var hidden = Matrix<Double>(inputs, width)
    var bias = [Double](repeating: 0, count: width)
    var output = Matrix<Double>(width, outputs)
    for (m, neuron) in live.enumerated() {
      let root = norms[neuron].squareRoot()
      for j in 0..<inputs { hidden[j, m] = neurons.vectors[neuron, j] / root }
      if hasBias { bias[m] = neurons.vectors[neuron, inputs] / root }
      output[m, neurons.outputs[neuron]] = neurons.signs[neuron] * root
    }
    return try Network(
      hidden: Dense(weights: hidden, bias: bias), output: Dense(weights: output))
  }

  private func decodeGated(_ point: TwoLayerPoint, hasBias: Bool) throws -> Network {
    let used = Set(point.groups.map(\.pattern)).sorted()
    let patterns = used.isEmpty ? [0] : used
    let places = Dictionary(uniqueKeysWithValues: patterns.enumerated().map { ($0.element, $0.offset) })
    var weights = Matrix<Double>(patterns.count * outputs, features)
    for (g, group) in point.groups.enumerated() {
      let row = (places[group.pattern] ?? 0) * outputs + group.output
      for j in 0..<features { weights[row, j] = point.coefficients[g, j] }
    }
    return try Network(layers: [
      .gated(
        Gated(gates: self.patterns.gates.selectingRows(patterns), weights: weights, hasBias: hasBias))
    ])
  }

  /// The point of a ReLU network whose neurons each feed one output and lie in patterns of the program: u = w₁|w₂|
  /// in the group of the pattern of u/‖u‖ and the sign of w₂. Neurons of one group add up. Nil where a pattern is
  /// missing.
  public func encode(_ neurons: NeuronSet, θ: Matrix<Double>) -> TwoLayerPoint? {
    var places: [[UInt64]: Int] = [:]
    let known = patterns.bits.transposed
    for i in 0..<known.rows { places[Array(known.row(i))] = i }
    let rows = BitMatrix(signsOf: x, timesTransposed: neurons.vectors.withUnitRows).transposed
    var groups: [TwoLayerGroup] = []
    var coefficients = Matrix<Double>(neurons.count, features)
    for m in 0..<neurons.count {
      guard let pattern = places[Array(rows.row(m))] else { return nil }
      let group = TwoLayerGroup(pattern: pattern, sign: neurons.signs[m], output: neurons.outputs[m])
      let place = groups.firstIndex(of: group) ?? groups.count
      if place == groups.count { groups.append(group) }
      for j in 0..<features { coefficients[place, j] += neurons.vectors[m, j] }
    }
    let live = Array(0..<groups.count)
    return TwoLayerPoint(groups: groups, coefficients: coefficients.selectingRows(live), θ: θ)
  }
}
