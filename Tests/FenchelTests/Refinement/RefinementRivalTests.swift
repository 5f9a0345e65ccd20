import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Refinement beside local training by L-BFGS of the same objective, which has all the time that the refinement took:
/// one training after another, from random weights and from wide starts that are merged, as the refinement itself begins.
@Suite(.serialized)
struct RefinementRivalTests {
  @Test(arguments: [1, 3], 1...4 as ClosedRange<UInt64>)
  func neverWorseThanLocalTraining(outputs c: Int, seed: UInt64) throws {
    var random = SplitMix64(seed: 1000 * UInt64(c) + seed)
    let x: Matrix<Double> = random.matrix(80, 5)
    // Half of the problems have structure to find, half have none.
    let y: Matrix<Double> =
      seed.isMultiple(of: 2) ? plantedTargets(x, outputs: c, &random) : random.matrix(80, c)
    let loss = try SquaredLoss(targets: y)
    let λ = 0.4
    var refinement = PatternRefinement(
      x: x, loss: loss, kind: .squared, parameters: LossParameters(), λ: λ, limits: Limits(tolerance: 1e-6))
    (refinement.options.seed, refinement.options.neuronsPerOutput) = (seed, 20)
    let clock = ContinuousClock()
    let began = clock.now
    let outcome = try refinement.run()
    let budget = began.duration(to: clock.now)
    let refined = outcome.solution.certificate.primal
    #expect(refined <= outcome.localObjective)

    let local = LocalTraining(x: x, loss: loss, λ: λ)
    var (best, trainings) = (Double.infinity, UInt64(0))
    let started = clock.now
    repeat {
      let left = max(0.05, budget.seconds - started.duration(to: clock.now).seconds)
      let own = seed &+ trainings / 2
      let run =
        trainings.isMultiple(of: 2)
        ? local.train(perOutput: 20, evaluations: 2000, seconds: left, seed: own)
        : local.run(
          from: local.randomNeurons(perOutput: 20, seed: own), evaluations: 100_000, seconds: left)
      best = min(best, run.objective)
      trainings += 1
    } while started.duration(to: clock.now) < budget
    #expect(
      refined <= best * (1 + 2e-6), "\(c) outputs, seed \(seed): \(refined), best of \(trainings): \(best)")
  }
}
