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
    let places = patterns.places(of: networks, on: x)
    guard places.allSatisfy({ $0 != nil }) else { return nil }
    let (groups, coefficients) = networks.added(by: places)
    return ThreeLayerPoint(groups: groups, coefficients: coefficients, θ: θ)
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
    return patterns.isExact || subnetworks.allSatisfy(holds)
  }

  /// Least side of a row's input, for rows and weights of length one, that counts as inside: what the rounding of a network's
  /// weights leaves.
  private static var leastSine: Double { -1e-9 }

  /// Whether neurons, in some order, lie in the cone of a pattern; missing ones are zero.
  private func holds(_ neurons: [ThreeLayerForm.Neuron]) -> Bool {
    let (n, d) = (samples, features)
    let total = StrictDual.norm(neurons.flatMap(\.vector))
    let inputs = x.withPointer { x in
      neurons.map { neuron in
        neuron.vector.withPointer { w in (0..<n).map { StrictArithmetic.dot(d, x + $0 * d, w) / total } }
      }
    }
    let norms = x.rowNorms
    return (0..<patterns.count).contains { b in
      places(of: neurons, in: b).contains { places in
        (0..<n).allSatisfy { k in
          var (input, passing) = (0.0, 0)
          for j in 0..<width {
            let side = places[j].map { inputs[$0][k] } ?? 0
            let isActive = patterns.first[b * width + j, k]
            guard (isActive ? side : -side) >= Self.leastSine * norms[k] else { return false }
            if isActive { (input, passing) = (input + patterns.signs[b, j] * side, passing + 1) }
          }
          let least = Self.leastSine * norms[k] * Double(passing).squareRoot()
          return passing < 2 || (patterns.second[b, k] ? input : -input) >= least
        }
      }
    }
  }

  /// Every way to take neurons for those of pattern b that have their signs: by place, the index of one.
  private func places(of neurons: [ThreeLayerForm.Neuron], in b: Int) -> [[Int: Int]] {
    func place(_ next: Int, _ taken: [Int: Int]) -> [[Int: Int]] {
      guard next < neurons.count else { return [taken] }
      return (0..<width).filter { taken[$0] == nil && patterns.signs[b, $0] == neurons[next].sign }.flatMap {
        j in
        place(next + 1, taken.merging([j: next]) { first, _ in first })
      }
    }
    return place(0, [:])
  }
}

extension ThreeLayerProgram {
  /// Multipliers as tensors: how many each group has, which rows, and their values.
  func tensors(ofMultipliers multipliers: [TwoLayerGroup: SparseVector]) -> [String: Tensor] {
    let all = (0..<groups).map { multipliers[group($0)] ?? SparseVector() }
    let rows = all.flatMap { $0.indices.map(Int64.init) }
    return [
      "multiplier-counts": Tensor(shape: [groups], .int64(all.map { Int64($0.indices.count) })),
      "multiplier-rows": Tensor(shape: [rows.count], .int64(rows)),
      "multipliers": Tensor(shape: [rows.count], .float64(all.flatMap(\.values))),
    ]
  }

  /// The multipliers that such tensors hold; nil where there are none, or they do not fit the program.
  func multipliers(from tensors: [String: Tensor]) -> [TwoLayerGroup: SparseVector]? {
    guard case .int64(let counts) = tensors["multiplier-counts"]?.values,
      case .int64(let rows) = tensors["multiplier-rows"]?.values,
      case .float64(let values) = tensors["multipliers"]?.values, counts.count == groups,
      rows.count == values.count, counts.allSatisfy({ (0...Int64(rows.count)).contains($0) }),
      counts.reduce(0, +) == Int64(rows.count), rows.allSatisfy({ $0 >= 0 }),
      values.allSatisfy({ $0 >= 0 && $0.isFinite })
    else { return nil }
    var found: [TwoLayerGroup: SparseVector] = [:]
    var start = 0
    for (r, count) in counts.enumerated() where count > 0 {
      let range = start..<start + Int(count)
      found[group(r)] = SparseVector(indices: rows[range].map(Int.init), values: Array(values[range]))
      start = range.upperBound
    }
    return found
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
