import ConvexOptimization
import LinearAlgebra

extension ThreeLayerProgram {
  /// The sub-networks of a point.
  public func subnetworks(of point: ThreeLayerPoint) -> SubnetworkSet {
    SubnetworkSet(
      vectors: point.coefficients, inner: patterns.signs.selectingRows(point.groups.map(\.pattern)),
      signs: point.groups.map(\.sign), outputs: point.groups.map(\.output))
  }

  /// The point of sub-networks whose patterns are among the program's; those of one group add up, which does not raise
  /// the penalty. Nil where a pattern is missing.
  public func encode(_ networks: SubnetworkSet, θ: Matrix<Double>) -> ThreeLayerPoint? {
    var sums: [TwoLayerGroup: [Double]] = [:]
    for (k, place) in patterns.places(of: networks, on: x).enumerated() {
      guard let place else { return nil }
      let group = TwoLayerGroup(
        pattern: place.index, sign: networks.signs[k], output: networks.outputs[k])
      sums[group] = sums[group].map { zip($0, place.vectors).map(+) } ?? place.vectors
    }
    let groups = sums.keys.sorted()
    return ThreeLayerPoint(
      groups: groups,
      coefficients: Matrix(groups.count, width * features, storage: groups.flatMap { sums[$0] ?? [] }), θ: θ)
  }

  /// The network that a point stands for: same predictions, same objective.
  public func decode(_ point: ThreeLayerPoint, hasBias: Bool, norm: SubnetworkNorm = .unit) throws -> Network
  {
    try Network(subnetworks(of: point), outputs: outputs, hasBias: hasBias, norm: norm)
  }

  /// Whether a network is a point of the program: its form, first layers of norm one at most, each
  /// sub-network of at most m neurons, which lie in the cone of a pattern up to rounding. Cost 2ndm times the number of
  /// sub-networks, patterns and orders of m neurons.
  func contains(_ network: Network, norm: SubnetworkNorm = .unit) -> Bool {
    guard let form = ThreeLayerForm(network) else { return false }
    guard norm == .unit ? form.hasUnitColumns : form.hasUnitBlocks else { return false }
    let inputs = form.hidden.weights.rows
    guard inputs + 1 == features || (inputs == features && form.hidden.bias.allSatisfy { $0 == 0 }) else {
      return false
    }
    let subnetworks = form.subnetworks(hasBias: inputs + 1 == features)
    guard subnetworks.allSatisfy({ $0.count <= width }) else { return false }
    if patterns.isExact { return true }
    let cones = cones()
    return subnetworks.allSatisfy { neurons in
      (0..<patterns.count).contains { b in
        arrangements(of: neurons, in: b).contains { cones.holds($0, pattern: b) }
      }
    }
  }

  /// Every order of neurons in a sub-network of pattern b that has their signs; missing neurons are zero.
  private func arrangements(of neurons: [ThreeLayerForm.Neuron], in b: Int) -> [[Double]] {
    func place(_ rest: ArraySlice<ThreeLayerForm.Neuron>, _ taken: [Int: [Double]]) -> [[Int: [Double]]] {
      guard let neuron = rest.first else { return [taken] }
      return (0..<width).filter { taken[$0] == nil && patterns.signs[b, $0] == neuron.sign }.flatMap { j in
        place(rest.dropFirst(), taken.merging([j: neuron.vector]) { first, _ in first })
      }
    }
    let zero = [Double](repeating: 0, count: features)
    return place(neurons[...], [:]).map { taken in (0..<width).flatMap { taken[$0] ?? zero } }
  }
}

extension Network {
  /// The network of parallel sub-networks: a dense layer of their neurons, one that adds each one's up, and the output.
  public init(
    _ subnetworks: SubnetworkSet, outputs c: Int, hasBias: Bool, norm kept: SubnetworkNorm = .unit
  ) throws {
    let (m, norms) = (subnetworks.width, subnetworks.norms)
    let d = subnetworks.vectors.columns / max(m, 1)
    let inputs = d - (hasBias ? 1 : 0)
    let live = norms.indices.filter { norms[$0] > 0 }
    let neurons = live.flatMap { k in
      (0..<m).compactMap { j -> (k: Int, j: Int, norm: Double)? in
        let norm = StrictArithmetic.norm((0..<d).map { subnetworks.vectors[k, j * d + $0] })
        return norm > 0 ? (k, j, norm) : nil
      }
    }
    // The zero network keeps one neuron of zeros in each layer.
    var hidden = Matrix<Double>(inputs, max(neurons.count, 1))
    var bias = [Double](repeating: 0, count: hidden.columns)
    var middle = Matrix<Double>(hidden.columns, max(live.count, 1))
    var output = Matrix<Double>(middle.columns, c)
    let places = Dictionary(uniqueKeysWithValues: live.enumerated().map { ($1, $0) })
    // The penalty t of each, and what becomes of ‖u_j‖: W_j = u_j/‖u_j‖ with w1_j = s_j‖u_j‖/√t, or W_j = u_j/√(t‖u_j‖)
    // with w1_j = s_j√‖u_j‖, and w2 = σ√t.
    var sizes = norms
    if kept == .frobenius {
      for k in live { sizes[k] = 0 }
      for neuron in neurons { sizes[neuron.k] += neuron.norm }
    }
    for (column, (k, j, norm)) in neurons.enumerated() {
      let length = kept == .unit ? norm : (sizes[k] * norm).squareRoot()
      for i in 0..<inputs { hidden[i, column] = subnetworks.vectors[k, j * d + i] / length }
      if hasBias { bias[column] = subnetworks.vectors[k, j * d + inputs] / length }
      middle[column, places[k] ?? 0] = subnetworks.inner[k, j] * length / sizes[k].squareRoot()
    }
    for (row, k) in live.enumerated() {
      output[row, subnetworks.outputs[k]] = subnetworks.signs[k] * sizes[k].squareRoot()
    }
    try self.init(layers: [
      .dense(Dense(weights: hidden, bias: bias)), .relu, .dense(Dense(weights: middle)), .relu,
      .dense(Dense(weights: output)),
    ])
  }
}
