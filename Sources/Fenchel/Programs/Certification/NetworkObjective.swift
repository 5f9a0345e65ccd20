import ConvexOptimization
import LinearAlgebra

#if canImport(Glibc)
  import Glibc
#endif

/// The training objective of a two-layer network, recomputed from its own weights in plain Double arithmetic:
///
///     ReLU   ℓ(f(X)) + (λ/2) Σ_m (‖w1_m‖² + b_m² + ‖w2_m‖²),
///     gated  ℓ(f(X)) + λ Σ_{i,j} ‖w_{i,j}‖.
struct NetworkObjective {
  let loss: StrictLoss
  let λ: Double

  /// The objective on inputs X: n × d (without a bias column). Nil for networks of another form.
  func value(of network: Network, on x: Matrix<Double>) -> Double? {
    switch network.twoLayerForm {
    case .relu(let hidden, let output):
      loss.value(at: predictions(hidden, output, x)) + λ / 2 * decay(hidden, output)
    case .gated(let gated):
      loss.value(at: predictions(gated, x)) + λ * StrictPrimal(x: x).penalty(gated.weights)
    case nil: nil
    }
  }

  private func decay(_ hidden: Dense, _ output: Dense) -> Double {
    var sum = CompensatedSum()
    for w in hidden.weights.storage + hidden.bias + output.weights.storage + output.bias { sum += w * w }
    return sum.value
  }

  private func predictions(_ hidden: Dense, _ output: Dense, _ x: Matrix<Double>) -> Matrix<Double> {
    rowByRow(x.rows, outputs: output.weights.columns) { k, sums in
      for m in 0..<hidden.weights.columns {
        var z = CompensatedSum()
        z += hidden.bias[m]
        for j in 0..<x.columns { z += x[k, j] * hidden.weights[j, m] }
        guard z.value > 0 else { continue }
        for j in 0..<sums.count { sums[j] += z.value * output.weights[m, j] }
      }
      for j in 0..<sums.count { sums[j] += output.bias[j] }
    }
  }

  private func predictions(_ gated: Gated, _ x: Matrix<Double>) -> Matrix<Double> {
    let (outputs, d, width) = (gated.weights.rows / gated.gates.rows, x.columns, gated.gates.columns)
    let rows = x.rows
    let norms = gated.weights.rowNorms
    let live = (0..<gated.gates.rows).map { i in
      (i * outputs..<(i + 1) * outputs).filter { norms[$0] > 0 }
    }
    return gated.gates.withPointer { gates in
      gated.weights.withPointer { weights in
        x.withPointer { x in
          rowByRow(rows, outputs: outputs) { k, sums in
            func product(_ vector: UnsafePointer<Double>) -> Double {
              StrictArithmetic.dot(d, vector, x + k * d) + (gated.hasBias ? vector[d] : 0)
            }
            for (i, members) in live.enumerated() where !members.isEmpty && product(gates + i * width) > 0 {
              for row in members { sums[row - i * outputs] += product(weights + row * width) }
            }
          }
        }
      }
    }
  }

  private func rowByRow(
    _ rows: Int, outputs: Int, _ body: (Int, inout [CompensatedSum]) -> Void
  ) -> Matrix<Double> {
    var f = Matrix<Double>(rows, outputs)
    let tile = 128
    f.withMutablePointer { f in
      Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: rows)) { index in
        for k in Parallel.range(ofTile: index, size: tile, count: rows) {
          var sums = [CompensatedSum](repeating: CompensatedSum(), count: outputs)
          body(k, &sums)
          for j in 0..<outputs { f[k * outputs + j] = sums[j].value }
        }
      }
    }
    return f
  }
}
