import ConvexOptimization
import LinearAlgebra

extension PolynomialProgram: Certifiable {
  /// The certificate at a point: the objective of the neurons above, the best multiple of θ that satisfies the dual
  /// constraint below, both in plain Double arithmetic. It holds for networks of any width. Cost 9 n d m + n d² c + d³ c.
  public func certificate(at point: PolynomialPoint) -> Certificate {
    Certificate(primal: strictObjective(of: point.neurons), dual: dualBound(θ: point.θ), scope: .exact)
  }

  /// ℓ(F) + λ Σ_m |α_m|.
  public func strictObjective(of neurons: NeuronSet) -> Double {
    var penalty = CompensatedSum()
    for m in 0..<neurons.count { penalty += StrictArithmetic.norm(neurons.vectors.row(m)) }
    return strictLoss.value(at: strictPredictions(neurons)) + λ * penalty.value
  }

  private func strictPredictions(_ neurons: NeuronSet) -> Matrix<Double> {
    let (n, d, c, norms) = (samples, features, outputs, neurons.norms)
    return withPointers(x, neurons.vectors) { x, u in
      compensatedRows(n, outputs: c) { rows, sums in
        for m in norms.indices where norms[m] > 0 {
          for (offset, k) in rows.enumerated() {
            let t = StrictArithmetic.dot(d, x + k * d, u + m * d) / norms[m]
            sums[offset * c + neurons.outputs[m]] += neurons.signs[m] * norms[m] * activation(t)
          }
        }
      }
    }
  }

  /// The lower bound on the objective of every network that θ gives.
  public func dualBound(θ: Matrix<Double>) -> Double {
    let θ = strictLoss.feasibleDirection(θ)
    let norm = StrictSphericalDual(x: x, activation: activation, θ: θ)
      .norm(coordinates: rowSpace?.coordinates)
    let limit = θ.largestScale(norm: norm, λ: λ, features: x.columns * x.columns)
    return strictLoss.bestScale(θ, upTo: limit).value
  }

  /// Whether a network is a point of the program: its activation, first-layer weights of norm one, no constant at the end.
  public func contains(_ network: Network) -> Bool {
    guard case .polynomial(let hidden, let activation, let output) = network.twoLayerForm else {
      return false
    }
    let hasBias = hidden.weights.rows + 1 == features
    guard hasBias || (hidden.weights.rows == features && hidden.bias.allSatisfy { $0 == 0 }) else {
      return false
    }
    guard activation == self.activation, output.bias.allSatisfy({ $0 == 0 }) else { return false }
    return (0..<hidden.weights.columns).allSatisfy { m in
      let w = hidden.weights.column(m) + [hidden.bias[m]]
      return abs(StrictArithmetic.norm(w) - 1) <= 1e-12
    }
  }
}
