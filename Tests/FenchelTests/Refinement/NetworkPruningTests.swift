import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

struct NetworkPruningTests {
  private func largestDifference(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Double {
    zip(a.storage, b.storage).map { abs($0 - $1) }.max() ?? 0
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func mergingKeepsPredictions(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let x: Matrix<Double> = random.matrix(4, 2)
    let loss = try SquaredLoss<Double>(targets: random.matrix(4, 2))
    let pruning = NetworkPruning(x: x, loss: loss, λ: 0.2)
    let neurons = randomNeurons(60, 2, outputs: 2, &random)
    let merged = pruning.merged(neurons)
    #expect(merged.count < neurons.count, "seed \(seed)")
    #expect(largestDifference(pruning.predictions(merged), pruning.predictions(neurons)) <= 1e-12)
    let (before, after) = (neurons.norms.reduce(0, +), merged.norms.reduce(0, +))
    #expect(after <= before * (1 + 1e-14))
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func independentContributionsSuffice(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let (n, c) = (3 + Int(seed % 6), 1 + Int(seed % 3))
    let x: Matrix<Double> = random.matrix(n, 4)
    let loss = try SquaredLoss<Double>(targets: random.matrix(n, c))
    let pruning = NetworkPruning(x: x, loss: loss, λ: 0.2)
    let neurons = randomNeurons(50, 4, outputs: c, &random)
    let fewer = try pruning.independent(neurons)
    for output in 0..<c {
      #expect(fewer.outputs.filter { $0 == output }.count <= n, "seed \(seed)")
    }
    #expect(
      largestDifference(pruning.predictions(fewer), pruning.predictions(neurons)) <= 1e-9, "seed \(seed)")
    #expect(pruning.objective(fewer) <= pruning.objective(neurons) * (1 + 1e-12), "seed \(seed)")
  }

  @Test func independentNeuronsStay() throws {
    let x = Matrix<Double>.identity(3)
    let pruning = NetworkPruning(x: x, loss: try SquaredLoss<Double>(targets: Matrix(3, 1)), λ: 1)
    let neurons = NeuronSet(vectors: x, signs: [1, -1, 1], outputs: [0, 0, 0])
    #expect(try pruning.independent(neurons) == neurons)
  }

  @Test func uselessNeuronsGo() throws {
    let x = Matrix(rows: [[1.0], [2]])
    let loss = try SquaredLoss(targets: Matrix<Double>(column: [1, 2]))
    let pruning = NetworkPruning(x: x, loss: loss, λ: 0.1)
    // The first neuron fits exactly; the others cancel, and one is never active.
    let neurons = NeuronSet(
      vectors: Matrix(rows: [[1], [0.3], [0.3], [-1]]), signs: [1, 1, -1, 1], outputs: [0, 0, 0, 0])
    let pruned = try pruning.pruned(neurons)
    #expect(pruned.count == 1)
    #expect(pruning.objective(pruned) <= pruning.objective(neurons))
  }

  @Test(arguments: LossKind.allCases)
  func objectiveNeverRises(_ kind: LossKind) throws {
    for example in LossCase<Double>.all where example.kind == kind {
      var random = SplitMix64(seed: 9)
      let x: Matrix<Double> = random.matrix(12, 3)
      let loss = try example.loss(example.targets(12, &random), nil)
      for λ in [0.01, 1, 10] {
        let pruning = NetworkPruning(x: x, loss: loss, λ: λ)
        let neurons = randomNeurons(40, 3, outputs: loss.outputs, &random)
        let pruned = try pruning.pruned(neurons)
        #expect(
          pruning.objective(pruned) <= pruning.objective(neurons) * (1 + 1e-12) + 1e-12, "\(kind) λ \(λ)")
        #expect(pruned.count <= neurons.count)
      }
    }
  }

  @Test func emptyNetwork() throws {
    let pruning = NetworkPruning(
      x: Matrix(rows: [[1.0, 2]]), loss: try SquaredLoss<Double>(targets: Matrix(1, 1)), λ: 1)
    #expect(try pruning.pruned(.none(features: 2)).count == 0)
    #expect(try pruning.pruned(NeuronSet(vectors: Matrix(2, 2), signs: [1, 1], outputs: [0, 0])).count == 0)
  }
}
