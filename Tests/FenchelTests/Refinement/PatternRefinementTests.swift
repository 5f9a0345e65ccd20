import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

struct PatternRefinementTests {
  /// Targets without structure: local training alone stays far above the optimum.
  private func refinement(outputs: Int, seed: UInt64 = 31, limits: Limits = Limits()) throws
    -> PatternRefinement
  {
    var random = SplitMix64(seed: seed)
    let x: Matrix<Double> = random.matrix(120, 6)
    let y: Matrix<Double> = random.matrix(120, outputs)
    return PatternRefinement(
      x: x, loss: try SquaredLoss(targets: y), kind: .squared, parameters: LossParameters(), λ: 0.3,
      limits: limits)
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
    refinement.options.maximumGrowthWork = 3e11
    refinement.options.maximumStepWork = 1
    let alone = try refinement.run()
    #expect(alone.solution.certificate.primal < 0.98 * b && alone.solution.status != .solved, "no program")
  }

  @Test("Without local training in idle rounds the search ends near where it would end with it")
  func idleRounds() throws {
    // Where a single run ends hangs on the last bits, by some 1e-3: the sum over problems is what holds on every core.
    var (usual, long) = (0.0, 0.0)
    for seed: UInt64 in 31..<34 {
      var refinement = try refinement(outputs: 1, seed: seed)
      let short = try refinement.run()
      refinement.options.maximumIdleRounds = 60
      let endless = try refinement.run()
      #expect(short.solution.status == .solved && endless.solution.status == .solved)
      usual += short.solution.certificate.primal
      long += endless.solution.certificate.primal
    }
    #expect(usual <= long * (1 + 1e-3), "\(usual), \(long)")
  }

  @Test(
    "The search ends where no violation is left, although its last rounds gain little, if it may",
    arguments: [0.5, 2])
  func noViolation(λ: Double) throws {
    var random = SplitMix64(seed: 41)
    let x: Matrix<Double> = random.matrix(150, 8)
    let weights: Matrix<Double> = random.matrix(8, 4)
    let noise: Matrix<Double> = random.matrix(150, 1)
    let hidden = matrixProduct(x, .no, weights, .no)
    let y = Matrix(
      column: (0..<150).map { i in
        (0..<4).reduce(0.2 * noise[i, 0]) { $0 + ($1.isMultiple(of: 2) ? 1 : -1) * max(0, hidden[i, $1]) }
      })
    var refinement = PatternRefinement(
      x: x, loss: try SquaredLoss(targets: y), kind: .squared, parameters: LossParameters(), λ: λ,
      limits: Limits())
    refinement.options.closingWork = .infinity
    let outcome = try refinement.run()
    #expect(outcome.solution.status == .solved)
    #expect(try #require(outcome.heuristicViolation) <= refinement.tolerance)

    refinement.options.maximumTrainedRounds = 1
    let untrained = try refinement.run()
    #expect(try #require(untrained.heuristicViolation) <= refinement.tolerance)
    refinement.options.closingWork = 0
    let short = try refinement.run()
    #expect(try #require(short.heuristicViolation) > refinement.tolerance)
    #expect(short.solution.status == .solved && short.phases.rounds < untrained.phases.rounds)
  }

  @Test("A step too large for the next program ends the search with the last one, solved")
  func roundsThatAreTooLarge() throws {
    var refinement = try refinement(outputs: 1)
    let free = try refinement.run()
    var ended = 0
    for work in [3e5, 1e6, 2e6, 3e6, 4e6, 5e6, 7e6] {
      refinement.options.maximumStepWork = work
      let outcome = try refinement.run()
      guard outcome.solution.status == .solved else { continue }
      ended += outcome.phases.rounds < free.phases.rounds ? 1 : 0
      #expect(outcome.solution.certificate.relativeGap <= 1e-4)
    }
    #expect(ended > 0)
  }

  @Test("Memory that suffices for the network of local training suffices, whatever that would grow to")
  func memoryForTheFirstProgram() throws {
    var refinement = try refinement(outputs: 1)
    refinement.options.maximumRounds = 1
    var refusals = 0
    for bytes in stride(from: 400_000, through: 1_600_000, by: 60_000) {
      refinement.options.maximumBytes = bytes
      refinement.options.maximumGrowthSteps = 0
      guard (try? refinement.run()) != nil else {
        refusals += 1
        continue
      }
      refinement.options.maximumGrowthSteps = 20
      #expect(throws: Never.self) { try refinement.run() }
    }
    #expect(refusals > 0 && refusals < 21, "\(refusals)")
  }

  @Test("A stop while the network grows leaves one that is no worse than local training")
  func stoppedWhileGrowing() throws {
    let cancellation = Cancellation()
    var refinement = try refinement(outputs: 1, limits: Limits(cancellation: cancellation))
    refinement.progress = { if $0.phase == "growing" { cancellation.request() } }
    let outcome = try refinement.run()
    #expect(outcome.solution.status == .cancelled && cancellation.isRequested)
    #expect(outcome.solution.certificate.primal < outcome.localObjective)
  }
}
