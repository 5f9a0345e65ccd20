import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Random neurons that feed the outputs in no order.
func randomNeurons(_ m: Int, _ d: Int, outputs c: Int, _ random: inout SplitMix64) -> NeuronSet {
  NeuronSet(
    vectors: random.matrix(m, d), signs: (0..<m).map { _ in Bool.random(using: &random) ? 1 : -1 },
    outputs: (0..<m).map { _ in Int.random(in: 0..<c, using: &random) })
}

/// σ_m (x_kᵀu_m)₊ summed as the formula has it.
func plainPredictions(_ x: Matrix<Double>, _ neurons: NeuronSet, outputs c: Int) -> Matrix<Double> {
  var f = Matrix<Double>(x.rows, c)
  for k in 0..<x.rows {
    for m in 0..<neurons.count {
      var z = 0.0
      for j in 0..<x.columns { z += x[k, j] * neurons.vectors[m, j] }
      f[k, neurons.outputs[m]] += neurons.signs[m] * max(z, 0)
    }
  }
  return f
}

/// Labels or numbers that a planted network makes, with noise.
func plantedTargets(_ x: Matrix<Double>, outputs c: Int, _ random: inout SplitMix64) -> Matrix<Double> {
  let teacher = randomNeurons(4 * c, x.columns, outputs: c, &random)
  var y = plainPredictions(x, teacher, outputs: c)
  for i in 0..<y.count { y.storage[i] += 0.1 * random.normal() }
  return y
}

@Suite(.serialized)
struct LocalTrainingTests {
  @Test(arguments: [(7, 3, 5), (40, 10, 17), (33, 9, 50), (300, 20, 90)], [1, 3])
  func gradientOfEveryLoss(_ sizes: (Int, Int, Int), _ seed: Int) throws {
    let (n, d, m) = sizes
    for example in LossCase<Double>.all where ![.hinge, .absolute, .quantile].contains(example.kind) {
      var random = SplitMix64(seed: UInt64(100 * n + seed))
      let x: Matrix<Double> = random.matrix(n, d)
      let loss = try example.loss(example.targets(n, &random), nil)
      let neurons = randomNeurons(m, d, outputs: loss.outputs, &random)
      let panels = NeuronPanels(features: d, outputs: neurons.outputs)
      var network = WeightGradient(x: x, loss: loss, λ: 0.3, panels: panels)
      let weights = panels.weights(of: neurons).map { 0.3 * $0 }
      let scaled = panels.neurons(of: weights)
      var gradient = [Double](repeating: .nan, count: weights.count)
      let value = network.value(at: weights, into: &gradient)

      let f = plainPredictions(x, scaled, outputs: loss.outputs)
      let expected = loss.value(at: f) + 0.3 * scaled.norms.reduce(0, +)
      #expect(abs(value - expected) <= 1e-10 * abs(expected), "\(example.kind) \(sizes) seed \(seed)")
      checkSlope(&network, weights, gradient, &random, "\(example.kind) \(sizes) seed \(seed)")
    }
  }

  /// Compares the slope along a random direction of used weights with a difference of values.
  private func checkSlope(
    _ network: inout WeightGradient, _ weights: [Double], _ gradient: [Double], _ random: inout SplitMix64,
    _ what: String
  ) {
    let direction = weights.map { $0 == 0 ? 0 : 0.1 * random.normal() }
    let slope: Double = zip(gradient, direction).map { $0 * $1 }.reduce(0, +)
    let h = 1e-6
    var unused = gradient
    let above = network.value(at: zip(weights, direction).map { $0 + h * $1 }, into: &unused)
    let below = network.value(at: zip(weights, direction).map { $0 - h * $1 }, into: &unused)
    let scale = max(1, abs(slope), abs(above))
    #expect(
      abs((above - below) / (2 * h) - slope) <= 2e-3 * scale, "\(what): \((above - below) / (2 * h)) \(slope)"
    )
    #expect(zip(weights, gradient).allSatisfy { $0.0 != 0 || $0.1 == 0 }, "\(what): an unused lane moves")
  }

  @Test func weightsHoldTheNeurons() {
    var random = SplitMix64(seed: 5)
    for m in [0, 1, 16, 37] {
      let neurons = randomNeurons(m, 6, outputs: 3, &random)
      let panels = NeuronPanels(features: 6, outputs: neurons.outputs)
      let back = panels.neurons(of: panels.weights(of: neurons))
      #expect(back.signs == neurons.signs && back.outputs == neurons.outputs)
      for i in 0..<neurons.vectors.count {
        #expect(abs(back.vectors.storage[i] - neurons.vectors.storage[i]) <= 1e-14 * 10)
      }
    }
  }

  @Test(arguments: [1, 2])
  func aWideStartBeatsAPlainOne(_ outputs: Int) throws {
    var random = SplitMix64(seed: 11)
    let x: Matrix<Double> = random.matrix(150, 8)
    let loss = try SquaredLoss(targets: plantedTargets(x, outputs: outputs, &random))
    let training = LocalTraining(x: x, loss: loss, λ: 0.5)
    for seed in 0..<3 as Range<UInt64> {
      let plain = training.run(
        from: training.randomNeurons(perOutput: 12, seed: seed), evaluations: 400)
      let wide = training.train(perOutput: 12, evaluations: 400, seed: seed)
      #expect(wide.objective <= 1.02 * plain.objective, "seed \(seed)")
      #expect(wide.neurons.count <= 48 * outputs)
      let pruning = NetworkPruning(x: x, loss: loss, λ: 0.5)
      #expect(pruning.objective(wide.neurons) <= wide.objective * (1 + 1e-12), "seed \(seed)")
    }
  }

  @Test func budgetsAreKept() throws {
    var random = SplitMix64(seed: 12)
    let x: Matrix<Double> = random.matrix(60, 4)
    let loss = try SquaredLoss(targets: plantedTargets(x, outputs: 1, &random))
    let training = LocalTraining(x: x, loss: loss, λ: 0.1)
    let start = training.randomNeurons(perOutput: 10, seed: 1)
    #expect(training.run(from: start, evaluations: 30).evaluations <= 30)
    for evaluations in [1, 5, 30, 300] {
      let outcome = training.train(perOutput: 10, evaluations: evaluations, seed: 1)
      #expect(outcome.evaluations <= 10 * max(evaluations, 1) && outcome.objective.isFinite)
    }
    let cancellation = Cancellation()
    cancellation.request()
    var stopped = training
    stopped.cancellation = cancellation
    #expect(stopped.train(perOutput: 10, evaluations: 300, seed: 1).evaluations == 1)
  }

  @Test(
    "Local training keeps to a memory limit by beginning less wide, and is refused where that is not enough")
  func memoryIsPlanned() throws {
    var random = SplitMix64(seed: 14)
    let x: Matrix<Double> = random.matrix(400, 30)
    let loss = try SquaredLoss(targets: plantedTargets(x, outputs: 2, &random))
    let training = LocalTraining(x: x, loss: loss, λ: 1)
    let (narrow, wide) = (training.bytes(perOutput: 40), training.bytes(perOutput: 160))
    // The pairs of L-BFGS alone: 40 vectors of all weights.
    #expect(narrow > 40 * 8 * 80 * 31 && wide > 3 * narrow)
    #expect(training.bytes(outputs: (0..<96).map { $0 % 2 }) == training.bytes(perOutput: 48))
    func trained(_ maximumBytes: Int) -> NeuronSet {
      training.train(perOutput: 40, evaluations: 200, seed: 1, maximumBytes: maximumBytes).neurons
    }
    #expect(trained(wide) == trained(.max))
    #expect(trained(narrow) != trained(.max))

    var refinement = PatternRefinement(
      x: x, loss: loss, kind: .squared, parameters: LossParameters(), λ: 1, limits: Limits())
    refinement.options.neuronsPerOutput = 40
    refinement.options.maximumBytes = narrow - 1
    let error = #expect(throws: ProgramError.self) { try refinement.run() }
    #expect(error == .trainingMemory(needed: narrow, limit: narrow - 1))
    #expect(error?.description.contains("--max-memory") == true)
  }

  @Test func sameBitsForAnyThreads() throws {
    var random = SplitMix64(seed: 13)
    let x: Matrix<Double> = random.matrix(1300, 20)
    let loss = try SquaredLoss(targets: plantedTargets(x, outputs: 2, &random))
    let training = LocalTraining(x: x, loss: loss, λ: 1)
    expectSameForAnyThreads("local training") {
      training.train(perOutput: 20, evaluations: 60, seed: 3).neurons
    }
  }

  @Test func emptyNetworksAndEmptyData() throws {
    let loss = try SquaredLoss(targets: Matrix<Double>(column: [1, 2]))
    let training = LocalTraining(x: Matrix(rows: [[1, 0], [0, 1]]), loss: loss, λ: 1)
    let outcome = training.run(from: .none(features: 2), evaluations: 10)
    #expect(outcome.neurons.count == 0 && outcome.objective == 2.5)
    let none = try SquaredLoss(targets: Matrix<Double>(0, 1))
    #expect(
      LocalTraining(x: Matrix(0, 2), loss: none, λ: 1).train(perOutput: 3, evaluations: 9, seed: 0).objective
        >= 0)
  }
}
