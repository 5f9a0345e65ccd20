import ConvexOptimization
import LinearAlgebra

/// A network f(x) = Σ_k ((xᵀW_k)₊ w1_k)₊ w2_k of parallel sub-networks, as its layers have it: each neuron of the first
/// layer feeds one of the second, each of these one output, and only the first has biases.
struct ThreeLayerForm {
  let hidden: Dense
  let middle: Dense
  let output: Dense

  /// Nil for networks of another form.
  init?(_ network: Network) {
    guard network.layers.count == 5, case .dense(let hidden) = network.layers[0],
      case .relu = network.layers[1], case .dense(let middle) = network.layers[2],
      case .relu = network.layers[3], case .dense(let output) = network.layers[4]
    else { return nil }
    guard
      [middle, output].allSatisfy({ layer in
        layer.bias.allSatisfy { $0 == 0 }
          && (0..<layer.weights.rows).allSatisfy { layer.weights.row($0).count { $0 != 0 } <= 1 }
      })
    else { return nil }
    (self.hidden, self.middle, self.output) = (hidden, middle, output)
  }

  /// Whether the weights of every neuron of the first layer, bias included, are of length one at most.
  var hasUnitColumns: Bool {
    (0..<hidden.weights.columns).allSatisfy { j in
      StrictArithmetic.norm(hidden.weights.column(j) + [hidden.bias[j]]) <= 1 + 1e-12
    }
  }

  /// Whether the first layer of every sub-network, biases included, is of Frobenius norm one at most.
  var hasUnitBlocks: Bool {
    (0..<middle.weights.columns).allSatisfy { k in
      let columns = (0..<middle.weights.rows).filter { middle.weights[$0, k] != 0 }
      return StrictArithmetic.norm(
        columns.flatMap { hidden.weights.column($0) + [hidden.bias[$0]] }) <= 1 + 1e-12
    }
  }

  /// One neuron of a sub-network: |w1_j| times its weights, and the sign of w1_j.
  struct Neuron {
    var vector: [Double]
    var sign: Double
  }

  /// The neurons of each sub-network that reaches an output, those that do nothing left out.
  func subnetworks(hasBias: Bool) -> [[Neuron]] {
    (0..<middle.weights.columns).filter { k in output.weights.row(k).contains { $0 != 0 } }.map { k in
      (0..<middle.weights.rows).filter { middle.weights[$0, k] != 0 }.map { j in
        let (w1, bias) = (middle.weights[j, k], hasBias ? [hidden.bias[j]] : [])
        return Neuron(
          vector: (hidden.weights.column(j) + bias).map { abs(w1) * $0 }, sign: w1 > 0 ? 1 : -1)
      }.filter { $0.vector.contains { $0 != 0 } }
    }
  }

  /// ℓ(f(X)) + (λ/2) Σ_k (‖w1_k‖² + ‖w2_k‖²) in plain Double arithmetic, on inputs X: n × d without a bias column.
  func objective(_ loss: StrictLoss, λ: Double, on x: Matrix<Double>) -> Double {
    var decay = CompensatedSum()
    for w in middle.weights.storage + output.weights.storage { decay += w * w }
    return loss.value(at: predictions(on: x)) + λ / 2 * decay.value
  }

  private func predictions(on x: Matrix<Double>) -> Matrix<Double> {
    let (rows, d, c) = (x.rows, x.columns, output.weights.columns)
    let (columns, members) = (hidden.weights.transposed, middle.weights.columns)
    let fed = (0..<middle.weights.rows).map { j in
      (0..<members).first { middle.weights[j, $0] != 0 }
    }
    return withPointers(x, columns) { x, w in
      compensatedRows(rows, outputs: c) { tile, sums in
        for (offset, k) in tile.enumerated() {
          var inputs = [CompensatedSum](repeating: CompensatedSum(), count: members)
          for (j, member) in fed.enumerated() {
            guard let member else { continue }
            let z = StrictArithmetic.dot(d, x + k * d, w + j * d) + hidden.bias[j]
            if z > 0 { inputs[member] += z * middle.weights[j, member] }
          }
          for (member, input) in inputs.enumerated() where input.value > 0 {
            for o in 0..<c { sums[offset * c + o] += input.value * output.weights[member, o] }
          }
        }
      }
    }
  }
}
