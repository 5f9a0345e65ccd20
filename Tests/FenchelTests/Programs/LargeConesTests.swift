import ConvexOptimization
import Fenchel
import LinearAlgebra
import Testing

/// Programs with cones so large that certificates take fast products and bound their rounding.
@Suite struct LargeConesTests {
  private func program() throws -> TwoLayerProgram {
    let x: Matrix<Double> = Philox(seed: 3).normalMatrix(2000, 20)
    let y: Matrix<Double> = Philox(seed: 4).normalMatrix(2000, 1)
    let patterns = try ActivationPatterns.sampled(x, count: 2600, seed: 5)
    return try TwoLayerProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: y, weights: [Double](repeating: 1, count: 2000)),
      kind: .squared, parameters: LossParameters(), λ: 60, patterns: patterns, isConstrained: true)
  }

  private func minusSlopeAtZero(_ program: TwoLayerProgram) -> Matrix<Double> {
    var θ = Matrix<Double>(program.samples, 1)
    program.loss.gradient(at: Matrix(program.samples, 1), into: &θ)
    θ.scale(by: -1)
    return θ
  }

  @Test func largestNormIsThatOfExactProjections() throws {
    let program = try program()
    #expect(Double(program.patterns.count * program.x.count) > 1e8)
    let θ = minusSlopeAtZero(program)
    let fast = GroupPricing(program).largestNorm(θ: θ)
    let all = GroupPricing(program).prices(θ: θ, above: fast / 2).map(\.norm).max() ?? 0
    #expect(abs(fast - all) <= 1e-9 * all)
    let strict = program.dualBound(θ: θ).norm
    #expect(abs(strict - all) <= 1e-8 * all, "\(strict), \(all)")
  }

  @Test func boundsHoldPastTheDeadline() throws {
    let program = try program()
    let θ = minusSlopeAtZero(program)
    let exact = GroupPricing(program).largestNorm(θ: θ)
    let early = GroupPricing(program, deadline: Deadline(in: 0)).largestNorm(θ: θ)
    #expect(early >= exact * (1 - 1e-9))
  }

  @Test func multipliersOfASolverServeTheCertificate() throws {
    let program = try program()
    let θ = minusSlopeAtZero(program)
    let prices = GroupPricing(program).prices(θ: θ, above: program.λ)
    let known = Dictionary(uniqueKeysWithValues: prices.map { ($0.group, $0.multipliers) })
    let (bound, again) = (program.dualBound(θ: θ), program.dualBound(θ: θ, known: known))
    #expect(abs(again.norm - bound.norm) <= 1e-9 * bound.norm)
    // Multipliers of other groups prove nothing false.
    let mixed = Dictionary(
      uniqueKeysWithValues: zip(prices.map(\.group), prices.reversed().map(\.multipliers)))
    #expect(program.dualBound(θ: θ, known: mixed).value <= again.value + 1e-9 * abs(again.value))
  }

  @Test func boundsHoldWhereWorkIsScarce() throws {
    let program = try program()
    let θ = minusSlopeAtZero(program)
    let (little, all) = (program.dualBound(θ: θ, work: 1_000_000_000), program.dualBound(θ: θ, work: nil))
    #expect(little.norm > all.norm * 1.01, "the limit is felt")
    #expect(little.value <= all.value)
    #expect(program.dualBound(θ: θ).norm == all.norm, "a certificate of this size is not limited")
  }
}
