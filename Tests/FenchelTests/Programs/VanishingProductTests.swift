import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Dual vectors so small that their products with X are 0 in Double show nothing to be feasible.
@Suite struct VanishingProductTests {
  @Test(arguments: [1e-300, 1e-307, 1e-200])
  func boundsStayBelow(size: Double) throws {
    var random = SplitMix64(seed: 4)
    var x: Matrix<Double> = random.matrix(3, 3)
    for i in 0..<9 { x.storage[i] = 1e-25 * (0.1 + abs(x.storage[i])) }
    let y = Matrix<Double>(3, 2, fill: 1)
    var θ = y
    θ.scale(by: size)
    let (λ, loss) = (1e-30, try SquaredLoss<Double>(targets: y))
    let patterns = try ActivationPatterns.enumerated(x)
    func program(isConstrained: Bool) throws -> TwoLayerProgram {
      try TwoLayerProgram(
        x: x, loss: loss, kind: .squared, λ: λ, patterns: patterns, isConstrained: isConstrained)
    }
    let (gated, relu) = (try program(isConstrained: false), try program(isConstrained: true))
    // All targets are positive and X is regular: a few neurons of length 1e25 fit them at a penalty of some 1e-5.
    let bounds = [
      gated.dualBound(θ: θ).value, relu.dualBound(θ: θ).value, NuclearProgram(gated).dualBound(θ: θ),
      ConicNuclearProgram(relu).dualBound(θ: θ),
    ]
    for bound in bounds { #expect(bound <= 1e-2, "\(bounds)") }
  }
}
