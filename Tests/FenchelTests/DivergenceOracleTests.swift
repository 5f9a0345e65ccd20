import ConvexOptimization
import FoundationEssentials
import LinearAlgebra
import Testing

/// Φ, Φ* and B of six activations against values by numeric integration (`Oracle/lifted_divergences.json`).
struct DivergenceOracleTests {
  private struct Activation: Decodable {
    /// v, u, Φ(v), Φ*(u), B(v, u).
    var rows: [[Double]]
  }

  private struct File: Decodable {
    var acts: [String: Activation]
  }

  @Test func values() throws {
    let file = try JSONDecoder().decode(File.self, from: OracleTests.Oracle.data("lifted_divergences"))
    let divergences: [String: any EntrywiseDivergence<Double>] = [
      "relu": IntervalDivergence.relu, "leaky_relu_0.1": try LeakyReLUDivergence(alpha: 0.1),
      "sigmoid": SigmoidDivergence(), "tanh": TanhDivergence(), "softplus": SoftplusDivergence(),
      "hard_tanh": IntervalDivergence.hardTanh,
    ]
    #expect(Set(file.acts.keys) == Set(divergences.keys))
    for (name, divergence) in divergences {
      let rows = try #require(file.acts[name]?.rows)
      // Φ and Φ* are determined up to a constant, which cancels in B.
      let (potential, conjugate) = (
        rows[0][2] - divergence.potential(rows[0][0]), rows[0][3] - divergence.conjugate(rows[0][1])
      )
      for row in rows {
        let size = max(1, abs(row[2]), abs(row[3]), abs(row[4]))
        #expect(
          abs(divergence.potential(row[0]) + potential - row[2]) <= 1e-12 * size, "\(name): Φ(\(row[0]))")
        #expect(
          abs(divergence.conjugate(row[1]) + conjugate - row[3]) <= 1e-12 * size, "\(name): Φ*(\(row[1]))")
        #expect(
          abs(divergence.divergence(row[0], row[1]) - row[4]) <= 1e-12 * size,
          "\(name): B(\(row[0]), \(row[1]))")
      }
    }
  }
}
