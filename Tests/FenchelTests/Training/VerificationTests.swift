import ConvexOptimization
import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Synchronization
import Testing

/// `verify` holds with every model that `train` writes, and with none whose network the bound does not speak of.
struct VerificationTests {
  /// A few random rows with the given number of features and targets; by the seed some of them on a lattice, which
  /// puts neurons on the borders of cones, or twice.
  private func rows(seed: UInt64, _ n: Int, features d: Int, targets c: Int = 1) throws -> Dataset<Double> {
    var z: Matrix<Double> = Philox(seed: seed).normalMatrix(n, d + c)
    if seed % 3 == 0 { for k in 0..<n { for j in 0..<d { z[k, j].round() } } }
    if seed % 5 == 0 { for j in 0..<d + c { z[1, j] = z[0, j] } }
    let names = (0..<d).map { "x\($0)" } + (0..<c).map { "y\($0)" }
    let table = Table(source: "rows", names: names, columns: (0..<d + c).map { .numbers(z.column($0)) })
    var options = SchemaOptions()
    options.task = .regression
    options.targets = Array(names[d...])
    return try Schema(inferredFrom: table, options: options).dataset(from: table)
  }

  /// Settings of all kinds by the seed.
  private func settings(seed: UInt64) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.seed = seed
    settings.model = seed % 4 == 0 ? .gatedReLU : .relu
    settings.bias = seed % 2 == 0
    settings.standardise = seed % 7 < 4
    settings.patterns = [.refine, .sampled(6), .sampled(100)][Int(seed % 3)]
    settings.loss = [LossKind.squared, .huber, .absolute, .quantile][Int(seed / 3 % 4)]
    settings.lambda = .ratio([0.3, 0.1, 0.01, 1e-3][Int(seed / 2 % 4)])
    settings.tolerance = [0.3, 1e-2, 1e-4, 1e-7][Int(seed / 5 % 4)]
    return settings
  }

  @Test("Every honest model holds, also one of a training that was stopped")
  func honestModels() throws {
    for seed: UInt64 in 0..<300 {
      let random = Philox(seed: seed, stream: 99)
      let (n, d) = (3 + random.integer(below: 12, at: 0), 1 + random.integer(below: 4, at: 1))
      let data = try rows(seed: seed, n, features: d, targets: seed % 11 == 0 ? 2 : 1)
      let cancellation = Cancellation()
      let calls = Mutex<UInt64>(0)
      let model = try train(data, settings: settings(seed: seed), cancellation: cancellation) { _ in
        let count = calls.withLock { count in
          count += 1
          return count
        }
        if seed % 3 == 1, count > seed % 4 { cancellation.request() }
      }.model
      let result = try verify(model, data: data)
      #expect(result.agrees && result.isFeasible, "seed \(seed): \(result)")
    }
  }

  @Test(
    "Leaving out the patterns of a neuron makes the bound larger, and is found out",
    arguments: ModelKind.convexPrograms.filter { $0.hasPatterns && $0 != .threeLayer })
  func droppedPatterns(kind: ModelKind) throws {
    var (gains, patches) = (0, PatchSettings())
    patches.kernelWidth = 2
    for seed: UInt64 in 1..<30 {
      let data = try rows(seed: seed, 12, features: 3)
      var settings = TrainingSettings()
      settings.model = kind
      (settings.bias, settings.standardise) = (false, false)
      settings.patterns = .sampled(30)
      settings.lambda = .ratio(0.05)
      settings.tolerance = 0.3
      if kind.hasKernel { settings.convolution = patches }
      // Its neurons lie inside of their cones, so that no other cone holds them.
      settings.solver = .interiorPoint
      let model = try train(data, settings: settings).model
      let honest = try verify(model, data: data)
      for pattern in patterns(of: model.network, on: data.features) {
        var forged = try leavingOut(pattern, of: model)
        guard forged.certificate != model.certificate else { continue }
        let bound = try verify(forged, data: data).recomputed.dual
        forged.report.certificate?.dual = bound
        let result = try verify(forged, data: data)
        #expect(!result.agrees && !result.isFeasible, "\(kind), seed \(seed)")
        if bound > honest.recomputed.dual + 1e-6, bound <= honest.recomputed.primal { gains += 1 }
      }
    }
    #expect(gains > 10)  // bounds that would have been believed
  }

  /// The patterns of a network's neurons on the data.
  private func patterns(of network: Network, on x: Matrix<Double>) -> [[Bool]] {
    func pattern(_ direction: [Double], _ bias: Double) -> [Bool] {
      naiveProduct(x, .no, Matrix(column: direction), .no).storage.map { $0 + bias > 0 }
    }
    return switch network.layers[0] {
    case .dense(let hidden):
      (0..<hidden.weights.columns).map { pattern(hidden.weights.column($0), hidden.bias[$0]) }
    case .gated(let gated): (0..<gated.gates.rows).map { pattern(gated.gates.row($0), 0) }
    case .gatedConvolution(let layer):
      (0..<layer.gated.gates.rows).map { i in
        let patches = layer.convolution.patches(x, hasBias: layer.gated.hasBias)
        return naiveProduct(patches, .no, Matrix(column: layer.gated.gates.row(i)), .no).storage.map {
          $0 > 0
        }
      }
    case .convolution(let layer):
      (0..<layer.weights.columns).map { m in
        let patches = layer.convolution.patches(x, hasBias: false)
        return naiveProduct(patches, .no, Matrix(column: layer.weights.column(m)), .no).storage
          .map { $0 + layer.bias[m] > 0 }
      }
    case .activation, .averages, .pooling, .polynomial: []
    }
  }

  /// The model without a pattern among those that its certificate is for.
  private func leavingOut(_ pattern: [Bool], of model: ModelFile) throws -> ModelFile {
    let bits = try #require(model.certificate["patterns"]?.bitMatrix(columns: pattern.count))
    let gates = try #require(model.certificate["gates"]?.matrix)
    let kept = (0..<bits.rows).filter { i in pattern.indices.contains { bits[i, $0] != pattern[$0] } }
    var forged = model
    forged.certificate["patterns"] = Tensor(bits.selectingRows(kept))
    forged.certificate["gates"] = Tensor(gates.selectingRows(kept))
    return forged
  }

  @Test("A network of another form than the program's is found out")
  func otherNetworks() throws {
    let data = try rows(seed: 4, 12, features: 3, targets: 2)
    var settings = TrainingSettings()
    settings.lambda = .ratio(0.1)
    let model = try train(data, settings: settings).model
    guard case .dense(let hidden) = model.network.layers[0], case .dense(let output) = model.network.layers[2]
    else {
      Issue.record("the network is not of two layers")
      return
    }
    var shared = output.weights
    for j in 0..<2 { shared[0, j] = 1e-3 }
    settings.model = .gatedReLU
    let others = [
      try Network(hidden: hidden, output: Dense(weights: shared)),
      try Network(hidden: hidden, output: Dense(weights: output.weights, bias: [1e-3, 0])),
      try train(data, settings: settings).model.network,
    ]
    for (index, network) in others.enumerated() {
      var forged = model
      forged.network = network
      #expect(try !verify(forged, data: data).isFeasible, "network \(index)")
    }
    #expect(try verify(model, data: data).isFeasible)
  }

  @Test("A report whose gap, status, objective or scores are false is found out")
  func falseReports() throws {
    let data = try rows(seed: 4, 12, features: 3)
    var settings = TrainingSettings()
    settings.lambda = .ratio(0.1)
    let model = try train(data, settings: settings).model
    #expect(try verify(model, data: data).agrees)
    let forgeries: [(String, (inout TrainingReport) -> Void)] = [
      ("gap", { $0.certificate?.gap = 0 }),
      ("relative gap", { $0.certificate?.relativeGap = 0 }),
      ("objective", { $0.network.objective *= 0.9 }),
      ("loss", { $0.train.loss *= 0.9 }),
      ("error", { $0.train.rmse = 0 }),
      ("status", { $0.settings.tolerance = 1e-15 }),
      ("all patterns", { $0.patterns?.exact.toggle() }),
      ("number of patterns", { $0.patterns?.count += 1 }),
    ]
    for (name, forge) in forgeries {
      var forged = model
      forge(&forged.report)
      let result = try verify(forged, data: data)
      #expect(!result.agrees && result.falseStatements.count == 1, "\(name): \(result)")
    }
  }
}
