import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

struct GroupPruningTests {
  /// More groups than samples, which fit their targets: of each output as many stay as there are samples at most, and the
  /// objective does not grow.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func independentGroupsSuffice(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let (n, d, c) = (3 + Int(seed % 6), 3, 1 + Int(seed % 3))
    let x: Matrix<Double> = random.matrix(n, d)
    let patterns = try ActivationPatterns.sampled(x, count: 30, seed: seed)
    let coefficients: Matrix<Double> = random.matrix(patterns.count * c, d)
    var targets = Matrix<Double>(n, c)
    for k in 0..<n {
      for g in 0..<coefficients.rows where patterns.bits[k, g / c] {
        for j in 0..<d { targets[k, g % c] += x[k, j] * coefficients[g, j] }
      }
    }
    let program = try TwoLayerProgram(
      x: x, loss: SquaredLoss<Double>(targets: targets), kind: .squared, λ: 1e-3, patterns: patterns,
      isConstrained: false)
    let point = TwoLayerPoint(
      groups: program.allGroups, coefficients: coefficients, θ: Matrix(n, c))
    let pruned = try GroupPruning(program).pruned(point)
    for output in 0..<c {
      let count = pruned.groups.count { $0.output == output }
      #expect(count > 0 && count <= n, "seed \(seed): \(count) of \(n)")
    }
    let (before, after) = (program.strictObjective(at: point), program.strictObjective(at: pruned))
    #expect(after <= before * (1 + 1e-11), "seed \(seed): \(before) → \(after)")
  }

  /// Networks that `train` gives out have no more neurons than samples, and are proven all the same.
  @Test(arguments: [ModelKind.gatedReLU, .threshold, .batchNorm], [1e-3, 0.1])
  func trainedNetworksAreSmall(model: ModelKind, ratio: Double) throws {
    var random = SplitMix64(seed: 3)
    let (n, z): (Int, Matrix<Double>) = (12, random.matrix(12, 3))
    let table = Table(
      source: "rows", names: ["a", "b", "y"], columns: (0..<3).map { .numbers(z.column($0)) })
    var options = SchemaOptions()
    options.task = .regression
    let data: Dataset<Double> = try Schema(inferredFrom: table, options: options).dataset(from: table)
    var settings = TrainingSettings()
    settings.model = model
    if model == .batchNorm { settings.normalisation = .after }
    (settings.lambda, settings.patterns, settings.precision) = (.ratio(ratio), .exact, .double)
    settings.tolerance = 1e-6
    let result = try train(data, settings: settings)
    #expect(result.status == .solved && result.report.patterns?.exact == true)
    #expect((1...n).contains(result.report.network.neurons), "\(result.report.network.neurons)")
    let verified = try verify(result.model, data: data)
    #expect(verified.agrees, "\(verified)")
  }
}
