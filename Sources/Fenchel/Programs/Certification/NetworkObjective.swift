import ConvexOptimization
import LinearAlgebra

#if canImport(Glibc)
  import Glibc
#endif

/// The training objective of a two-layer network, recomputed from its own weights in plain Double arithmetic:
///
///     ReLU   ℓ(f(X)) + (λ/2) Σ_m (‖w1_m‖² + b_m² + ‖w2_m‖²),
///     gated  ℓ(f(X)) + λ Σ_{i,j} ‖w_{i,j}‖,
///       with neurons that all outputs share   ℓ(f(X)) + λ Σ_i ‖W_i‖_*,
///     polynomial, ‖(w1_m, b_m)‖ = 1   ℓ(f(X)) + λ Σ_m ‖w2_m‖₁.
struct NetworkObjective {
  let loss: StrictLoss
  let λ: Double
  /// Whether the neurons of a gated network feed all outputs.
  var sharesNeurons = false
  /// Sums over the rows of X that a sample has; polynomial networks have one.
  var pooling = RowSums.identity

  /// The objective on inputs X: n × d (without a bias column). Nil for networks of another form.
  func value(of network: Network, on x: Matrix<Double>) -> Double? {
    guard let f = predictions(of: network, on: x), let penalty = penalty(of: network) else { return nil }
    return loss.value(at: f) + penalty
  }

  /// f(X).
  func predictions(of network: Network, on x: Matrix<Double>) -> Matrix<Double>? {
    switch network.twoLayerForm {
    case .relu(let hidden, let output): predictions(hidden, output, x) { max($0, 0) }
    case .gated(let gated): predictions(gated, x)
    case .polynomial(let hidden, let activation, let output):
      predictions(hidden, output, x) { activation($0) }
    case nil: nil
    }
  }

  /// What is added to the loss, λ included.
  func penalty(of network: Network) -> Double? {
    switch network.twoLayerForm {
    case .relu(let hidden, let output): λ / 2 * decay(hidden, output)
    case .gated(let gated): λ * penalty(gated)
    case .polynomial(_, _, let output): λ * StrictArithmetic.sum(output.weights.storage.map(abs))
    case nil: nil
    }
  }

  private func penalty(_ gated: Gated) -> Double {
    guard sharesNeurons else { return StrictPrimal(x: gated.gates).penalty(gated.weights) }
    let outputs = gated.weights.rows / gated.gates.rows
    var sum = CompensatedSum()
    for i in 0..<gated.gates.rows {
      sum += StrictNuclearNorm.upperBound(
        of: gated.weights.selectingRows(i * outputs..<(i + 1) * outputs))
    }
    return sum.value
  }

  private func decay(_ hidden: Dense, _ output: Dense) -> Double {
    var sum = CompensatedSum()
    for w in hidden.weights.storage + hidden.bias + output.weights.storage + output.bias { sum += w * w }
    return sum.value
  }

  private func predictions(
    _ hidden: Dense, _ output: Dense, _ x: Matrix<Double>, activation: (Double) -> Double
  ) -> Matrix<Double> {
    let (n, d, c) = (x.rows / pooling.size, x.columns, output.weights.columns)
    return withPointers(x, hidden.weights.transposed) { x, columns in
      compensatedRows(n, outputs: c) { samples, sums in
        for m in 0..<hidden.weights.columns {
          for k in pooling.rows(of: samples) {
            let z = StrictArithmetic.dot(d, x + k * d, columns + m * d) + hidden.bias[m]
            let h = activation(z)
            guard h != 0 else { continue }
            let offset = k / pooling.size - samples.lowerBound
            for j in 0..<c { sums[offset * c + j] += h * output.weights[m, j] }
          }
        }
        for offset in 0..<samples.count { for j in 0..<c { sums[offset * c + j] += output.bias[j] } }
      }
    }
  }

  private func predictions(_ gated: Gated, _ x: Matrix<Double>) -> Matrix<Double> {
    let (outputs, d, width) = (gated.weights.rows / gated.gates.rows, x.columns, gated.gates.columns)
    let samples = x.rows / pooling.size
    let norms = gated.weights.rowNorms
    let live = (0..<gated.gates.rows).map { i in
      (i * outputs..<(i + 1) * outputs).filter { norms[$0] > 0 }
    }
    // Neurons of threshold networks are constants: nothing but a bias.
    let constants = (0..<gated.weights.rows).map { row in
      gated.hasBias && gated.weights.row(row).dropLast().allSatisfy { $0 == 0 } ? gated.weights[row, d] : nil
    }
    return withPointers(gated.gates, gated.weights) { gates, weights in
      x.withPointer { x in
        compensatedRows(samples, outputs: outputs) { tile, sums in
          for (i, members) in live.enumerated() where !members.isEmpty {
            for k in pooling.rows(of: tile) {
              func product(_ vector: UnsafePointer<Double>) -> Double {
                StrictArithmetic.dot(d, vector, x + k * d) + (gated.hasBias ? vector[d] : 0)
              }
              guard product(gates + i * width) > 0 else { continue }
              let offset = k / pooling.size - tile.lowerBound
              for row in members {
                sums[offset * outputs + row - i * outputs] +=
                  constants[row] ?? product(weights + row * width)
              }
            }
          }
        }
      }
    }
  }
}
