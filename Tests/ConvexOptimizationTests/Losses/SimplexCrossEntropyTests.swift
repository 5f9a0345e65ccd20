import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

struct SimplexCrossEntropyTests {
  private func entropy<T: Scalar>(
    _ n: Int, _ c: Int, _ random: inout SplitMix64, soft: Bool, weighted: Bool, _: T.Type
  ) throws -> SimplexCrossEntropy<T> {
    var y = Matrix<T>(n, c)
    for k in 0..<n {
      if soft {
        let row: Matrix<T> = random.matrix(1, c)
        var sum: T = 0
        for j in 0..<c { sum += abs(row[0, j]) }
        for j in 0..<c { y[k, j] = abs(row[0, j]) / sum }
      } else {
        y[k, k % c] = 1
      }
    }
    let weights = weighted ? (0..<n).map { T($0 % 4) / 2 } : nil
    return try SimplexCrossEntropy(targets: y, weights: weights)
  }

  @Test("Value, prox and envelope, in both precisions", arguments: [1, 2, 5, 40])
  func laws(columns: Int) throws {
    for (seed, (soft, weighted)) in [(false, false), (true, false), (false, true), (true, true)].enumerated()
    {
      var random = SplitMix64(seed: UInt64(seed))
      let double = try entropy(7, columns, &random, soft: soft, weighted: weighted, Double.self)
      let float = try entropy(7, columns, &random, soft: soft, weighted: weighted, Float.self)
      checkProximable(double, rows: 7, columns: columns, seed: 1)
      checkProximable(float, rows: 7, columns: columns, seed: 2)
      for μ in [0.05, 1, 20] {
        checkSmooth(try MoreauEnvelope(double, μ), rows: 7, columns: columns, seed: 3)
      }
      checkSmooth(try MoreauEnvelope(float, 0.5), rows: 7, columns: columns, seed: 4)
    }
  }

  /// On the simplex, where nearly no random move ends, moves toward other points of it do not lower the objective; and
  /// all entries share the multiplier z − t y/z − x = ν.
  @Test(arguments: [1e-6, 1e-2, 1, 1e2, 1e8])
  func theProxIsOptimal(step γ: Double) throws {
    var random = SplitMix64(seed: 5)
    let f = try entropy(30, 6, &random, soft: true, weighted: false, Double.self)
    let x: Matrix<Double> = random.matrix(30, 6, scale: 3)
    var z = x
    f.prox(of: x, step: γ, into: &z)
    for k in 0..<30 {
      let sum = z.row(k).reduce(0, +)
      #expect(abs(sum - 1) <= 1e-12)
      let ν = (0..<6).map { z[k, $0] - γ * f.targets[k, $0] / z[k, $0] - x[k, $0] }
      let spread = (ν.max() ?? 0) - (ν.min() ?? 0)
      #expect(spread <= 1e-10 * max(1, γ), "row \(k): \(spread)")
    }
  }

  /// A weight of 0 leaves the projection; far inputs neither overflow nor vanish.
  @Test func limits() throws {
    let y = Matrix<Double>(rows: [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]])
    let x = Matrix<Double>(rows: [[3, 1, 2], [-1e8, 1e8, 0], [1e8, 0, -1e8], [0, 0, 0]])
    let unweighted = try SimplexCrossEntropy(targets: y, weights: [0, 0, 0, 0])
    var (z, projection) = (x, x)
    #expect(unweighted.prox(of: x, step: 1, into: &z) == 0)
    SimplexDivergence<Double>().activate(x, into: &projection)
    #expect(distance(z, projection) <= 1e-15)
    for γ in [1e-300, 1e-8, 1, 1e8] {
      let f = try SimplexCrossEntropy(targets: y)
      let value = f.prox(of: x, step: γ, into: &z)
      let isShare = z.storage.allSatisfy { $0 >= 0 && $0 <= 1 }
      #expect(value >= 0 && value.isFinite && isShare, "\(γ)")
    }
    let single = try SimplexCrossEntropy(targets: y.converted(to: Float.self))
    let near = x.converted(to: Float.self)
    var w = near
    #expect(single.prox(of: near, step: 1e-3, into: &w).isFinite)
  }

  @Test func wrongTargetsAreErrors() {
    for rows in [[[0.5, 0.6]], [[1.5, -0.5]], [[Double.nan, 1]], [[0, 0]]] {
      #expect(throws: LossError.self) { try SimplexCrossEntropy(targets: Matrix(rows: rows)) }
    }
    for weights in [[-1], [.nan], [1, 1]] as [[Double]] {
      #expect(throws: LossError.self) {
        try SimplexCrossEntropy(targets: Matrix(rows: [[1, 0]]), weights: weights)
      }
    }
  }
}
