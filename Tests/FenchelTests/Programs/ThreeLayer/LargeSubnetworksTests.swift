import ConvexOptimization
import Fenchel
import LinearAlgebra
import Testing

/// Three-layer programs so large that certificates take fast products and bound their rounding.
@Suite struct LargeSubnetworksTests {
  @Test func boundsAgreeWithPlainArithmetic() throws {
    let (n, d, m) = (1000, 10, 2)
    let x: Matrix<Double> = Philox(seed: 3).normalMatrix(n, d)
    let y: Matrix<Double> = Philox(seed: 4).normalMatrix(n, 1)
    let program = try ThreeLayerProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: y), kind: .squared, λ: 20,
      patterns: .sampled(x, width: m, count: 2600, seed: 5))
    #expect(Double(2 * program.patterns.count) * Double(n * d * m) > 1e8)
    let θ = program.loss.residual(at: Matrix(n, 1))
    // A limit of work below a step leaves plain norms, with no multipliers to show.
    let plain = program.dualBound(θ: θ, work: 0)
    let exact = program.dualBound(θ: θ, shownBy: [:])
    #expect(abs(plain - exact) <= 1e-9 * abs(exact), "\(plain), \(exact)")
    #expect(plain > 0)
    // On the cones the bound is higher, and still below the zero network's objective.
    let bound = program.dualBound(θ: θ)
    #expect(bound > plain * 1.01, "\(bound), \(plain)")
    #expect(bound <= program.loss.value(at: Matrix(n, 1)))
  }
}
