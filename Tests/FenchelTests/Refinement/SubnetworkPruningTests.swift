import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

struct SubnetworkPruningTests {
  private func networks(
    _ count: Int, width m: Int, _ d: Int, outputs c: Int, _ random: inout SplitMix64
  ) -> SubnetworkSet {
    let signs: Matrix<Double> = random.matrix(count, m + 1)
    return SubnetworkSet(
      vectors: random.matrix(count, m * d),
      inner: Matrix(
        count, m, storage: (0..<count).flatMap { k in (0..<m).map { signs[k, $0] > 0 ? 1 : -1 } }),
      signs: (0..<count).map { signs[$0, m] > 0 ? 1 : -1 }, outputs: (0..<count).map { $0 % c })
  }

  private func distance(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Double {
    zip(a.storage, b.storage).map { abs($0 - $1) }.max() ?? 0
  }

  @Test("at most a sub-network a sample and output; same predictions, no larger objective", arguments: 1...3)
  func independent(width: Int) throws {
    for (seed, norm) in zip(1...20 as ClosedRange<UInt64>, [SubnetworkNorm.unit, .frobenius].repeated(10)) {
      var random = SplitMix64(seed: seed)
      let (n, c) = (3 + Int(seed % 6), 1 + Int(seed % 2))
      let x: Matrix<Double> = random.matrix(n, 3)
      let loss = try SquaredLoss<Double>(targets: random.matrix(n, c))
      let pruning = SubnetworkPruning(x: x, loss: loss, λ: 0.2, norm: norm)
      let all = networks(60, width: width, 3, outputs: c, &random)
      let merged = try pruning.merged(all)
      #expect(merged.count < all.count, "seed \(seed)")
      let fewer = try pruning.independent(merged)
      for output in 0..<c {
        #expect(fewer.outputs.count { $0 == output } <= n, "seed \(seed)")
      }
      for other in [merged, fewer] {
        #expect(distance(pruning.predictions(other), pruning.predictions(all)) <= 1e-9, "seed \(seed)")
        #expect(pruning.objective(other) <= pruning.objective(all) * (1 + 1e-12), "seed \(seed)")
      }
      #expect(fewer.count < merged.count || merged.count <= n * c, "seed \(seed)")
    }
  }

  @Test(arguments: LossKind.allCases)
  func objectiveNeverRises(_ kind: LossKind) throws {
    for example in LossCase<Double>.all where example.kind == kind {
      var random = SplitMix64(seed: 9)
      let x: Matrix<Double> = random.matrix(12, 3)
      let loss = try example.loss(example.targets(12, &random), nil)
      for λ in [0.01, 1, 10] {
        let pruning = SubnetworkPruning(x: x, loss: loss, λ: λ)
        let all = networks(40, width: 2, 3, outputs: loss.outputs, &random)
        let pruned = try pruning.pruned(all)
        #expect(pruning.objective(pruned) <= pruning.objective(all) * (1 + 1e-12) + 1e-12, "\(kind) λ \(λ)")
        #expect(pruned.count < all.count)
        // The objective is that of the network itself.
        let network = try Network(pruned, outputs: loss.outputs, hasBias: false)
        #expect(distance(network.predict(x), pruning.predictions(pruned)) <= 1e-9)
      }
    }
  }

  @Test("sub-networks that do nothing go; what is needed stays")
  func useless() throws {
    let x = Matrix(rows: [[1.0], [2]])
    let loss = try SquaredLoss(targets: Matrix<Double>(column: [1, 2]))
    let pruning = SubnetworkPruning(x: x, loss: loss, λ: 0.01)
    // The first fits exactly; the next two cancel; one is never active.
    let all = SubnetworkSet(
      vectors: Matrix(rows: [[1, 0], [0.3, 0], [0.3, 0], [-1, -1]]),
      inner: Matrix(4, 2, fill: 1), signs: [1, 1, -1, 1], outputs: [0, 0, 0, 0])
    let pruned = try pruning.pruned(all)
    #expect(pruned.count == 1)
    #expect(pruning.objective(pruned) <= pruning.objective(all))
    let none = all.selecting([])
    #expect(try pruning.pruned(none).count == 0)
  }
}

extension Array {
  fileprivate func repeated(_ times: Int) -> [Element] { (0..<times).flatMap { _ in self } }
}
