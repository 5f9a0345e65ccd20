import ConvexOptimization
import Fenchel
import LinearAlgebra
import Testing

@Suite struct ActivationTests {
  private static let all: [Activation] =
    Activation.names.compactMap { try? Activation(name: $0) }
    + [try? .leakyReLU(alpha: 0.25), try? .softThreshold(0.5)].compactMap { $0 }

  @Test func everyNameIsAnActivation() {
    #expect(Self.all.count == Activation.names.count + 2)
  }

  @Test(arguments: all)
  func textReadsBack(activation: Activation) {
    #expect(Activation(activation.description) == activation)
  }

  /// A layer's outputs are those at which its divergence is 0.
  @Test(arguments: all)
  func outputsMeetTheDivergence(activation: Activation) throws {
    let u = Matrix<Double>(rows: [[-2, -0.3, 0.1, 0.7], [1.5, 0, -1, 0.2]])
    let v = activation.apply(to: u)
    #expect(abs(activation.divergence(Double.self).divergence(v, u)) < 1e-12)
    #expect(activation.divergence(Float.self).name == activation.name)
  }

  @Test(arguments: [
    "gelu", "relu:0.1", "leaky-relu:0", "leaky-relu:1", "leaky-relu:x", "soft-threshold:-1", "",
  ])
  func wrongTextIsNoActivation(text: String) {
    #expect(Activation(text) == nil)
  }
}
