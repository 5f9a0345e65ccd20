import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

struct PatternRefinementTests {
  /// Targets without structure: local training alone stays far above the optimum.
  private func refinement(outputs: Int) throws -> PatternRefinement {
    var random = SplitMix64(seed: 31)
    let x: Matrix<Double> = random.matrix(120, 6)
    let y: Matrix<Double> = random.matrix(120, outputs)
    return PatternRefinement(
      x: x, loss: try SquaredLoss(targets: y), kind: .squared, parameters: LossParameters(), λ: 0.3,
      limits: Limits())
  }

  @Test("A network grows by the neurons that it lacks before the first program", arguments: [1, 2])
  func growth(outputs: Int) throws {
    var refinement = try refinement(outputs: outputs)
    refinement.options.maximumRounds = 1
    let grown = try refinement.run()
    refinement.options.maximumGrowthSteps = 0
    let local = try refinement.run()
    #expect(grown.localObjective == local.localObjective)
    let (a, b) = (grown.solution.certificate.primal, local.solution.certificate.primal)
    #expect(a < 0.98 * b && b <= local.localObjective)
    #expect(grown.phases.localSeconds > 0 && grown.phases.searchSeconds > 0)

    refinement.options.maximumGrowthSteps = 20
    refinement.options.maximumGrowthWork = 0
    #expect(try refinement.run().solution.certificate.primal == b, "no work, no growth")
  }

  @Test("Rounds end where two in a row gain less than the tolerance, near what many more would reach")
  func idleRounds() throws {
    var refinement = try refinement(outputs: 1)
    let usual = try refinement.run()
    refinement.options.maximumRounds = 60
    refinement.options.maximumIdleRounds = 60
    let long = try refinement.run()
    #expect(usual.solution.status == .solved && long.solution.status == .solved)
    let (a, b) = (usual.solution.certificate.primal, long.solution.certificate.primal)
    #expect(usual.phases.rounds < long.phases.rounds && a <= b * (1 + 5e-3), "\(a), \(b)")
  }
}
