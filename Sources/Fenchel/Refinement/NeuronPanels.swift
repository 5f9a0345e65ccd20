import LinearAlgebra

/// The place of every neuron's weights in one vector: panels of 16 neurons that feed one output, d rows of 16
/// first-layer weights each, and behind all panels the output weights a. Lanes without a neuron stay zero.
package struct NeuronPanels: Sendable {
  package let features: Int
  /// Output of every panel, ascending.
  package private(set) var outputs: [Int32] = []
  /// Output and lane of every neuron, in the caller's order.
  private let outputsOfNeurons: [Int]
  private var lanes: [Int]

  /// Lays out neurons that feed the given outputs.
  package init(features: Int, outputs neurons: [Int]) {
    self.features = features
    outputsOfNeurons = neurons
    lanes = [Int](repeating: 0, count: neurons.count)
    var byOutput: [Int: [Int]] = [:]
    for (i, output) in neurons.enumerated() { byOutput[output, default: []].append(i) }
    for (output, members) in byOutput.sorted(by: { $0.key < $1.key }) {
      let first = outputs.count * RectifiedProducts.lanes
      for (offset, i) in members.enumerated() { lanes[i] = first + offset }
      outputs += Array(repeating: Int32(output), count: RectifiedProducts.panels(for: members.count))
    }
  }

  package var panels: Int { outputs.count }
  /// Lanes in all panels, used or not.
  package var width: Int { panels * RectifiedProducts.lanes }
  /// Length of the vector of all weights.
  package var length: Int { width * (features + 1) }

  /// Place of entry j of neuron i's first-layer weights.
  private func place(_ i: Int, _ j: Int) -> Int {
    let (panel, lane) = lanes[i].quotientAndRemainder(dividingBy: RectifiedProducts.lanes)
    return (panel * features + j) * RectifiedProducts.lanes + lane
  }

  /// The balanced weights w = u/√‖u‖, a = σ√‖u‖ of the neurons, which must be those of the layout.
  package func weights(of neurons: NeuronSet) -> [Double] {
    var weights = [Double](repeating: 0, count: length)
    for (i, norm) in neurons.norms.enumerated() {
      let root = norm.squareRoot()
      for j in 0..<features where root > 0 { weights[place(i, j)] = neurons.vectors[i, j] / root }
      weights[width * features + lanes[i]] = neurons.signs[i] * root
    }
    return weights
  }

  /// The neurons u = w|a|, σ = sign a.
  package func neurons(of weights: [Double]) -> NeuronSet {
    let m = lanes.count
    var vectors = Matrix<Double>(m, features)
    var signs = [Double](repeating: 1, count: m)
    for i in 0..<m {
      let a = weights[width * features + lanes[i]]
      signs[i] = a < 0 ? -1 : 1
      for j in 0..<features { vectors[i, j] = weights[place(i, j)] * abs(a) }
    }
    return NeuronSet(vectors: vectors, signs: signs, outputs: outputsOfNeurons)
  }
}
