import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Whole blocks: Algorithm 2 as it is written, accelerated sweeps of Algorithm 1, and outputs solved in panels.
@Suite struct SolvedBlocksTests {
  private struct Problem<T: Scalar> {
    var x, y: Matrix<T>
    var start: FeedForward<T>
    var weights: [T] { [T](repeating: 1, count: x.rows) }
  }

  private func problem<T: Scalar>(
    rows: Int = 600, hidden: [Int] = [30], seed: UInt64 = 1, _: T.Type = T.self
  ) throws -> Problem<T> {
    let x: Matrix<T> = Philox(seed: seed, stream: 1).normalMatrix(rows, 8)
    var y = Matrix<T>(rows, 3)
    for k in 0..<rows { y[k, x[k, 0] * x[k, 1] > 0.3 ? 0 : x[k, 2] > 0 ? 1 : 2] = 1 }
    let start: FeedForward<T> = try Initialiser.xavier.feedForward(
      widths: [8] + hidden + [3], activations: [Activation](repeating: .relu, count: hidden.count), bias: 0.1,
      seed: seed)
    return Problem(x: x, y: y, start: start)
  }

  private func settings(_ change: (inout LiftedSettings) -> Void) -> LiftedSettings {
    var settings = LiftedSettings()
    change(&settings)
    return settings
  }

  /// ℓ + Σ λB + Σ γm‖W − W⁰‖² of a batch that is all samples, at the weights of a network and the best outputs for it.
  private func proximalValue(
    _ p: Problem<Double>, _ network: FeedForward<Double>, _ s: LiftedSettings
  ) throws -> Double {
    let layers = network.activations.count
    let program = try LiftedProgram(
      x: p.x, loss: LossKind.softmax.makeLoss(targets: p.y, weights: p.weights), kind: .softmax,
      activations: network.activations, λ: [Double](repeating: s.batched.λ, count: layers),
      ρ: [Double](repeating: 0, count: layers + 1))
    var descent = try BlockCoordinateDescent(program, from: network, tolerance: 1e-9, maximumSteps: 500)
    for _ in 0..<30 { for l in (0..<layers).reversed() { try descent.updateOutputs(l) } }
    var value = descent.objective.total
    for l in network.weights.indices {
      var step = network.weights[l]
      step.add(-1, p.start.weights[l])
      let γ = l == layers ? s.batched.lastProximity : s.batched.proximity
      value += γ * Double(p.x.rows) * step.inner(step)
    }
    return value
  }

  @Test(arguments: [[20], [20, 10]])
  func aBatchLowersItsProximalValue(hidden: [Int]) throws {
    let p = try problem(rows: 200, hidden: hidden, Double.self)
    var values: [Double] = []
    for alternations in [1, 2, 5] {
      let s = settings {
        ($0.epochs, $0.batchSize) = (1, 200)
        ($0.batched.solvesBlocks, $0.batched.alternations, $0.batched.proximityGrowth) = (
          true, alternations, 0
        )
      }
      let outcome = try LiftedTraining<Double>(.fenchel, settings: s).run(
        from: p.start, x: p.x, targets: p.y, weights: p.weights, loss: .softmax)
      values.append(try proximalValue(p, outcome.network, s))
      if alternations == 1 { values.insert(try proximalValue(p, p.start, s), at: 0) }
    }
    // More alternations of convex blocks come lower.
    #expect(zip(values, values.dropFirst()).allSatisfy { $0 > $1 }, "\(values)")
  }

  /// A batch of a thousand alternations ends with the time, and leaves nothing of itself.
  @Test func aBatchIsInterrupted() throws {
    let p = try problem(rows: 3000, hidden: [300, 300], Float.self)
    var training = LiftedTraining<Float>(
      .fenchel,
      settings: settings {
        ($0.epochs, $0.batchSize) = (1, 3000)
        ($0.batched.solvesBlocks, $0.batched.alternations) = (true, 1000)
      })
    training.limits.seconds = 0.3
    let outcome = try training.run(
      from: p.start, x: p.x, targets: p.y, weights: p.weights, loss: .softmax)
    #expect(outcome.status == .stoppedAtLimit(.time) && outcome.history.isEmpty)
    for (end, start) in zip(outcome.network.weights, p.start.weights) {
      #expect(distance(end, start) <= 1e-5)  // of turning the inputs, and back
    }
  }

  @Test func solvedBlocksTrain() throws {
    let p = try problem(Float.self)
    let s = settings {
      ($0.epochs, $0.batchSize) = (8, 50)
      ($0.batched.solvesBlocks, $0.batched.λ) = (true, 0.2)
      ($0.batched.proximity, $0.batched.lastProximity, $0.batched.proximityGrowth) = (0.02, 0.2, 0)
    }
    let outcome = try LiftedTraining<Float>(.fenchel, settings: s).run(
      from: p.start, x: p.x, targets: p.y, weights: p.weights, loss: .softmax)
    #expect(outcome.status == .completed)
    #expect(outcome.history[7].loss < 0.6 * outcome.history[0].loss, "\(outcome.history.map(\.loss))")
  }

  @Test(arguments: [LiftedForm.fenchel, .squaredDistance], [LossKind.squared, .softmax])
  func acceleratedSweepsNeverRiseAndComeLower(form: LiftedForm, loss: LossKind) throws {
    let p = try problem(hidden: [20], Double.self)
    func values(_ memory: Int) throws -> [Double] {
      let s = settings {
        ($0.epochs, $0.batchSize, $0.λ, $0.ρ) = (25, nil, 2, 1e-2)
        $0.acceleration = memory
      }
      return try LiftedTraining<Double>(form, settings: s).run(
        from: p.start, x: p.x, targets: p.y, weights: p.weights, loss: loss
      ).history.map(\.loss)
    }
    let (plain, fast) = (try values(0), try values(5))
    #expect(zip(fast, fast.dropFirst()).allSatisfy { $0 >= $1 }, "\(fast)")
    #expect(plain[0] == fast[0])
    #expect(fast[24] < plain[24], "\(fast[24]) \(plain[24])")
  }

  @Test func theLastLayersRidgeMayDiffer() throws {
    let p = try problem(Double.self)
    func objective(_ last: Double?) throws -> LiftedObjective {
      let s = settings { ($0.epochs, $0.batchSize, $0.ρ, $0.lastρ) = (5, nil, 1e-3, last) }
      let outcome = try LiftedTraining<Double>(.fenchel, settings: s).run(
        from: p.start, x: p.x, targets: p.y, weights: p.weights, loss: .squared)
      return try #require(outcome.objective)
    }
    let (same, explicit, large) = (try objective(nil), try objective(1e-3), try objective(10))
    #expect(same == explicit)
    #expect(large.ridges[1] / 10 < same.ridges[1] / 1e-3)
    #expect(throws: LiftedError.self) { try objective(-1) }
    #expect(throws: LiftedError.self) { try objective(.nan) }
  }

  @Test(arguments: [LossKind.squared, .softmax])
  func panelsAreSolvedLikeTheirSamples(loss kind: LossKind) throws {
    let p = try problem(rows: 1100, Double.self)
    let rows = Array(700..<760)
    func solved(_ x: Matrix<Double>, _ y: Matrix<Double>) throws -> Matrix<Double> {
      let program = try LiftedProgram(
        x: x, loss: kind.makeLoss(targets: y, weights: [Double](repeating: 1, count: x.rows)), kind: kind,
        activations: p.start.activations, λ: [0.5], ρ: [0, 0])
      var descent = try BlockCoordinateDescent(program, from: p.start, tolerance: 1e-10, maximumSteps: 100)
      try descent.updateOutputs(0)
      return descent.point.outputs[0]
    }
    let all = try solved(p.x, p.y).selectingRows(rows)
    var difference = try solved(p.x.selectingRows(rows), p.y.selectingRows(rows))
    difference.add(-1, all)
    #expect(difference.frobeniusNorm < 1e-7 * all.frobeniusNorm)
  }

  @Test func countsBelowOneAreRefused() throws {
    let p = try problem(rows: 20, Float.self)
    for change in [{ $0.blockSteps = 0 }, { $0.batched.alternations = 0 }] as [(inout LiftedSettings) -> Void]
    {
      #expect(throws: LiftedError.self) {
        try LiftedTraining<Float>(.fenchel, settings: settings(change)).run(
          from: p.start, x: p.x, targets: p.y, weights: p.weights, loss: .softmax)
      }
    }
  }

  /// Rates that overflow end with a status and the weights of the last epoch.
  @Test func blocksThatOverflowAreAFailure() throws {
    var p = try problem(rows: 60, Float.self)
    p.x.scale(by: 1e25)
    let s = settings { ($0.epochs, $0.batchSize, $0.batched.solvesBlocks) = (2, 20, true) }
    let outcome = try LiftedTraining<Float>(.fenchel, settings: s).run(
      from: p.start, x: p.x, targets: p.y, weights: p.weights, loss: .softmax)
    #expect(outcome.network.weights.allSatisfy { $0.firstNonFinite == nil })
    #expect(outcome.status == .completed || outcome.status == .numericalFailure)
  }

  @Test func fewerDirectionsHoldForWholeDataToo() throws {
    let p = try problem(Double.self)
    let s = settings { ($0.epochs, $0.batchSize, $0.inputShare) = (5, nil, 0.8) }
    let outcome = try LiftedTraining<Double>(.fenchel, settings: s).run(
      from: p.start, x: p.x, targets: p.y, weights: p.weights, loss: .softmax)
    // The network is one on the inputs as they are, and as good there as the model says.
    let value = try LossKind.softmax.makeLoss(targets: p.y, weights: p.weights).value(
      at: outcome.network.output(p.x))
    #expect(value < 0.9 * Double(p.x.rows))
    #expect(outcome.network.widths == p.start.widths)
  }
}
