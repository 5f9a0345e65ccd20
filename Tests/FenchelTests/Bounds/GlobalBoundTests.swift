import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Bounds over networks of any width: below every network, near the optimum where it is known, and only as far believed
/// as they are proven.
@Suite(.serialized)
struct GlobalBoundTests {
  private func table(_ x: Matrix<Double>, _ y: [Double], classes: Bool = false) throws -> Dataset<Double> {
    let names = (0..<x.columns).map { "x\($0)" } + ["y"]
    let columns = (0..<x.columns).map { Column.numbers(x.column($0)) } + [.numbers(y)]
    var options = SchemaOptions()
    options.task = classes ? .classification : .regression
    let table = Table(source: "rows", names: names, columns: columns)
    return try Schema(inferredFrom: table, options: options).dataset(from: table)
  }

  /// Σ_m ±(x·w_m)₊ of three neurons, and noise.
  private func planted(_ n: Int, _ d: Int, noise: Double, seed: UInt64) -> (Matrix<Double>, [Double]) {
    var random = SplitMix64(seed: seed)
    let x: Matrix<Double> = random.matrix(n, d)
    let w: Matrix<Double> = random.matrix(3, d)
    let y = (0..<n).map { i in
      (0..<3).reduce(noise * random.normal()) { sum, m in
        let z = zip(x.row(i), w.row(m)).reduce(0) { $0 + $1.0 * $1.1 }
        return sum + (m == 1 ? -1 : 1) * max(0, z)
      }
    }
    return (x, y)
  }

  private func settings(_ effort: BoundEffort = .quick, ratio: Double = 0.02) -> TrainingSettings {
    var settings = TrainingSettings()
    (settings.bias, settings.standardise) = (false, false)
    settings.lambda = .ratio(ratio)
    settings.bound = effort
    return settings
  }

  @Test(
    "With up to three features the network is proven to be the best of any width",
    arguments: 1...12 as ClosedRange<UInt64>)
  func proofs(_ seed: UInt64) throws {
    let d = 1 + Int(seed % 3)
    let (x, y) = planted(14 + Int(seed), d, noise: seed % 2 == 0 ? 0.1 : 1, seed: seed)
    let data = try table(x, y)
    let result = try train(data, settings: settings())
    let global = try #require(result.report.certificate?.global)
    let primal = try #require(result.report.certificate?.primal)
    #expect(global.kind == .exact && global.relativeGap <= 1e-4, "seed \(seed): \(global)")
    #expect(try verify(result.model, data: data).agrees, "seed \(seed)")
    // All patterns of the data give the optimum over every network.
    var exact = settings(.none)
    exact.lambda = .value(try #require(result.report.lambda))
    exact.patterns = .exact
    exact.tolerance = 1e-6
    let optimum = try #require(try train(data, settings: exact).report.certificate)
    #expect(global.bound <= optimum.primal + 1e-9 && primal >= optimum.dual - 1e-9)
    #expect(optimum.primal - global.bound <= 2.1e-4 * max(1, optimum.primal))
  }

  @Test(
    "Every loss: the bound lies below the optimum over all patterns, and is no trifle",
    arguments: [
      LossKind.squared, .huber, .absolute, .quantile, .logistic, .hinge, .squaredHinge, .softmax, .poisson,
    ])
  func losses(_ kind: LossKind) throws {
    for seed: UInt64 in 1...2 {
      var (x, y) = planted(14, 3, noise: 0.3, seed: seed)
      let isClass = [.logistic, .hinge, .squaredHinge, .softmax].contains(kind)
      if isClass { y = y.map { $0 > 0 ? 1 : 0 } }
      if kind == .poisson { y = y.map { abs($0).rounded() } }
      if seed == 2 { for a in 0..<3 { x[1, a] = x[0, a] } }
      let data = try table(x, y, classes: isClass)
      for effort in seed == 1 ? [BoundEffort.quick, .tight] : [.quick] {
        var settings = settings(effort, ratio: 0.1)
        settings.loss = kind
        // Few patterns, so that the bound comes from the relaxation or from cones, not from the program.
        settings.patterns = .sampled(20)
        let model = try train(data, settings: settings).model
        let proof = try #require(model.report.certificate)
        let global = try #require(proof.global, "\(kind), seed \(seed)")
        settings.patterns = .exact
        settings.lambda = .value(try #require(model.report.lambda))
        let optimum = try #require(try train(data, settings: settings).report.certificate).primal
        #expect(global.bound <= optimum + 1e-9 * max(1, abs(optimum)), "\(kind), seed \(seed), \(effort)")
        #expect(global.bound <= proof.primal)
        let zero = [LossKind.logistic, .softmax, .hinge, .squaredHinge].contains(kind) ? 0 : global.bound - 1
        #expect(global.bound > zero, "\(kind): \(global.bound) of \(optimum)")
        #expect(try verify(model, data: data).agrees, "\(kind), seed \(seed), \(effort)")
      }
    }
  }

  @Test(
    "Ten features: nine tenths of the best objective, in the same bits for any threads, checked by verify")
  func tenFeatures() throws {
    let (x, y) = planted(200, 10, noise: 0.1, seed: 5)
    let data = try table(x, y)
    var global = [Double]()
    expectSameForAnyThreads("bound") {
      let model = try? train(data, settings: settings()).model
      let found = model?.report.certificate?.global
      global = [found?.bound ?? .nan, found?.relativeGap ?? .nan]
      if let model { #expect((try? verify(model, data: data).agrees) == true) }
      return global
    }
    #expect(global[1] < 0.12, "\(global)")
  }

  @Test("More features than samples, no feature at all, λ above λ_max, one sample")
  func odd() throws {
    var random = SplitMix64(seed: 2)
    let wide: Matrix<Double> = random.matrix(6, 20)
    let y = (0..<6).map { _ in random.normal() }
    let high = try train(try table(wide, y), settings: settings(ratio: 0.1))
    let bound = try #require(high.report.certificate?.global)
    #expect(bound.bound <= high.report.network.objective)
    let none = try train(try table(Matrix(6, 2), y), settings: settings())
    #expect(none.report.certificate?.global?.kind == .exact)
    let (x, targets) = planted(30, 3, noise: 0.1, seed: 1)
    let zero = try train(try table(x, targets), settings: settings(ratio: 2))
    let report = zero.report
    #expect(report.certificate?.global?.kind == .exact && (report.lambda ?? 0) > (report.lambdaMax ?? 0))
    let one = try train(
      try table(x.selectingRows([0]), [targets[0]]), settings: settings(ratio: 0.1))
    #expect(one.report.certificate?.global?.kind == .exact)
  }

  @Test(
    "What train says of any width verify finds again: no feature at all, small and large numbers, small λ",
    arguments: [LossKind.squared, .absolute, .quantile, .hinge], 1...6 as ClosedRange<UInt64>)
  func agreement(_ kind: LossKind, _ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let (n, d) = (5 + 5 * Int(seed), Int(seed % 4) + 1)
    var x: Matrix<Double> = random.matrix(n, d)
    switch seed {
    case 1: x.scale(by: 0)
    case 2: x.scale(by: 1e-4)
    case 3: for i in 0..<x.count { x.storage[i].round() }
    case 4: x.scale(by: 1e4)
    default: break
    }
    let y = (0..<n).map { _ in kind == .hinge ? Double(random.next() % 2) : random.normal() }
    let data = try table(x, kind == .hinge ? [0, 1] + y.dropFirst(2) : y, classes: kind == .hinge)
    for (ratio, patterns) in [(0.3, PatternChoice.refine), (1e-4, .sampled(20))] {
      var settings = settings(ratio: ratio)
      (settings.loss, settings.patterns) = (kind, patterns)
      let model = try train(data, settings: settings).model
      let result = try verify(model, data: data)
      #expect(result.agrees, "\(ratio): \(result.falseStatements)")
      // A model without cones has no such bound, whatever its file says.
      settings.model = .gatedReLU
      settings.patterns = .sampled(4)
      settings.lambda = .value(try #require(model.report.lambda))
      var gated = try train(data, settings: settings).model
      guard let global = model.report.certificate?.global, seed > 1 else { continue }
      gated.certificate.merge(model.certificate.filter { $0.key.hasPrefix("bound.") }) { own, _ in own }
      gated.report.certificate?.global = global
      #expect(try !verify(gated, data: data).agrees)
    }
  }

  @Test("No effort and no time: no bound, or a poor one; gated networks have none")
  func efforts() throws {
    let (x, y) = planted(30, 8, noise: 0.1, seed: 1)
    let data = try table(x, y)
    #expect(try train(data, settings: settings(.none)).report.certificate?.global == nil)
    var hurried = settings()
    hurried.boundTime = 0
    let report = try train(data, settings: hurried).report
    #expect(report.certificate?.global.map { $0.bound <= report.network.objective } ?? true)
    var gated = settings()
    gated.model = .gatedReLU
    #expect(try train(data, settings: gated).report.certificate?.global == nil)
  }

  @Test("A bound that its proof does not show is found out", arguments: [3, 10])
  func tampering(features d: Int) throws {
    let (x, y) = planted(60, d, noise: 0.5, seed: 9)
    let data = try table(x, y)
    let model = try train(data, settings: settings()).model
    let global = try #require(model.report.certificate?.global)
    #expect(try verify(model, data: data).agrees)
    var larger = model
    larger.report.certificate?.global?.bound += 1e-6 * abs(global.bound)
    #expect(try !verify(larger, data: data).agrees)
    var claimed = model
    claimed.report.certificate?.global?.kind = global.kind == .exact ? .certified : .exact
    if global.kind == .certified { #expect(try !verify(claimed, data: data).agrees) }
    let names = model.certificate.keys.filter { $0.hasPrefix("bound.") }
    #expect(names.count >= 2)
    for name in names {
      var random = SplitMix64(seed: 4)
      var forged = model
      let old = try #require(model.certificate[name]?.matrix)
      var noise = old
      for i in 0..<noise.count { noise.storage[i] *= 1 + 0.3 * random.normal() }
      forged.certificate[name] = Tensor(noise)
      let result = try verify(forged, data: data)
      // Other numbers prove another bound, which holds as well: never above what a network reaches.
      #expect((result.globalBound ?? 0) <= model.report.network.objective)
      forged.certificate[name] = nil
      #expect(try !verify(forged, data: data).agrees, "without \(name)")
      forged.certificate[name] = Tensor(Matrix(1, 1))
      #expect(try !verify(forged, data: data).agrees, "\(name) of another shape")
    }
  }

  @Test(
    "Oracles: bounds of few patterns lie below the known optimum, proofs within 1e-4 of it",
    arguments: [
      ("01a_relu2_d2_n8", LossKind.squared), ("01b_relu2_d2_n14", .squared), ("01c_relu2_d2_n20", .squared),
      ("01d_relu2_slide_n3", .squared), ("01e_relu2_logistic_d2_n12", .logistic),
    ])
  func oracles(_ name: String, _ kind: LossKind) throws {
    let oracle = try OracleTests.Oracle(name)
    let loss = try kind.makeLoss(targets: oracle.targets(kind))
    let scale = max(1, abs(oracle.optimal_value))
    func program(_ patterns: ActivationPatterns) throws -> TwoLayerProgram {
      try TwoLayerProgram(
        x: oracle.x, loss: loss, kind: kind, λ: oracle.lambda, patterns: patterns, isConstrained: true)
    }
    func solution(_ program: TwoLayerProgram) throws -> Solution<TwoLayerPoint> {
      try WorkingSetMethod(program, limits: Limits(tolerance: 1e-8)).solve().solution
    }
    let whole = try program(.enumerated(oracle.x))
    let optimum = try solution(whole)
    // One pattern: the optimum's dual point is known, and proves the bound by a sweep, cones or multipliers.
    let few = try program(.given(Matrix(1, oracle.x.columns), for: oracle.x))
    var bounding = GlobalBounding(few)
    for effort in [BoundEffort.quick, .tight] {
      bounding.effort = effort
      let poor = try #require(bounding.search(near: solution(few)).bound)
      #expect(poor.value <= oracle.optimal_value + 1e-9 * scale)
      let exact = try #require(bounding.search(near: optimum).bound)
      #expect(exact.value <= oracle.optimal_value + 1e-6 * scale)
      #expect(exact.value >= oracle.optimal_value - 1e-4 * scale, "\(exact.value)")
      let relaxed = try #require(bounding.relaxation(near: solution(few)))
      #expect(relaxed.value <= oracle.optimal_value + 1e-9 * scale && relaxed.value > 0, "\(relaxed.value)")
    }
  }

  @Test(
    "Networks whose neurons feed several outputs have a weaker bound, below what one such neuron reaches",
    arguments: [LossKind.squared, .softmax], [2, 9])
  func sharedNeurons(_ kind: LossKind, features d: Int) throws {
    var random = SplitMix64(seed: 12)
    let n = 40
    let x: Matrix<Double> = random.matrix(n, d)
    let w = (0..<d).map { _ in random.normal() }
    let hidden = (0..<n).map { i in max(0, zip(x.row(i), w).reduce(0) { $0 + $1.0 * $1.1 }) }
    let v = [1.0, -0.7, 0.8]
    let names = (0..<d).map { "x\($0)" } + ["a", "b", "c"]
    var columns = (0..<d).map { Column.numbers(x.column($0)) }
    var options = SchemaOptions()
    var settings = settings(ratio: 0.05)
    settings.loss = kind
    if kind == .squared {
      columns += v.map { factor in .numbers(hidden.map { factor * $0 }) }
      options.targets = ["a", "b", "c"]
    } else {
      columns += [.numbers(hidden.map { $0 > 1 ? 2 : $0 > 0 ? 1 : 0 })]
    }
    let table = Table(source: "rows", names: Array(names.prefix(columns.count)), columns: columns)
    if kind == .softmax { (options.targets, options.task) = (["a"], .classification) }
    let data = try Schema(inferredFrom: table, options: options).dataset(from: table)
    let model = try train(data, settings: settings).model
    let proof = try #require(model.report.certificate)
    let (global, λ) = (try #require(proof.global), try #require(model.report.lambda))
    let shared = try #require(global.shared)
    #expect(shared <= global.bound && shared > 0.2 * global.bound, "\(shared), \(global.bound)")
    let result = try verify(model, data: data)
    #expect(result.agrees && abs((result.sharedBound ?? 0) - shared) <= 1e-9 * max(1, shared))
    var forged = model
    forged.report.certificate?.global?.shared = shared * 1.001
    #expect(try !verify(forged, data: data).agrees)
    guard kind == .squared else { return }
    // s times the planted neuron: ½(1 − s)²‖hᵀv‖² + λ s‖v‖‖w‖ at its least.
    let weight = StrictArithmetic.norm(v) * StrictArithmetic.norm(w)
    let signal = StrictArithmetic.norm(hidden) * StrictArithmetic.norm(v)
    let rest = min(1, λ * weight / (signal * signal))
    let objective = rest * rest * signal * signal / 2 + λ * (1 - rest) * weight
    #expect(shared <= objective)
    #expect(objective < global.bound, "the bound of own neurons does not hold for it")
  }

  @Test(
    "Directions in pieces: a tighter bound in the same bits for any threads, proven by all pieces together")
  func pieces() throws {
    let (x, y) = planted(60, 7, noise: 0.1, seed: 3)
    let data = try table(x, y)
    let quick = try #require(try train(data, settings: settings()).report.certificate?.global)
    var model = try train(data, settings: settings(.tight)).model
    let global = try #require(model.report.certificate?.global)
    let primal = try #require(model.report.certificate?.primal)
    #expect((global.pieces ?? 0) > 2 && global.relativeGap < quick.relativeGap / 2, "\(quick), \(global)")
    #expect(global.bound <= primal)
    expectSameForAnyThreads("bound") {
      let bound = try? train(data, settings: settings(.tight)).report.certificate?.global?.bound
      return [bound ?? .nan]
    }
    #expect(try verify(model, data: data).agrees)
    for dropped in [0, (global.pieces ?? 1) - 1] {
      var forged = model
      for name in ["bound.pieces", "bound.lines", "bound.parabolas"] {
        let old = try #require(model.certificate[name]?.matrix)
        forged.certificate[name] = Tensor(old.selectingRows((0..<old.rows).filter { $0 != dropped }))
      }
      #expect(try !verify(forged, data: data).agrees, "without piece \(dropped), but for the report")
      forged.report.certificate?.global?.pieces = (global.pieces ?? 1) - 1
      #expect(try !verify(forged, data: data).agrees, "without piece \(dropped)")
    }
    for proof in [TrainingReport.GlobalSummary.Proof.cones, .patterns] {
      var forged = model
      forged.report.certificate?.global?.proof = proof
      #expect(try !verify(forged, data: data).agrees, "\(proof)")
    }
    for sample in [61.0, 1.5, .nan] {
      var forged = model
      var table = try #require(model.certificate["bound.pieces"]?.matrix)
      table[0, 2] = sample
      forged.certificate["bound.pieces"] = Tensor(table)
      #expect(try !verify(forged, data: data).agrees, "a cut by sample \(sample)")
    }
    var endless = model
    endless.certificate["bound.pieces"] = Tensor(
      Matrix(rows: [1.0, -1].map { [0, $0] + [Double](repeating: 1, count: 50_000) }))
    for name in ["bound.lines", "bound.parabolas"] { endless.certificate[name] = Tensor(Matrix(2, 60)) }
    #expect(try !verify(endless, data: data).agrees, "endless cuts")
    var table = try #require(model.certificate["bound.pieces"]?.matrix)
    table[table.rows - 1, 2] *= -1
    model.certificate["bound.pieces"] = Tensor(table)
    #expect(try !verify(model, data: data).agrees, "a cut on the wrong side")
  }

  @Test("The gradient of the relaxation, with and without cuts", arguments: [1, 2], [false, true])
  func gradient(outputs c: Int, isCut: Bool) throws {
    var random = SplitMix64(seed: UInt64(c))
    let (x, y): (Matrix<Double>, Matrix<Double>) = (random.matrix(20, 4), random.matrix(20, c))
    let loss: any Loss<Double> = try LossKind.squared.makeLoss(
      targets: y, weights: [Double](repeating: 1, count: 20), parameters: LossParameters())
    let cones = isCut ? DirectionCone().halves(by: 3).flatMap { $0.halves(by: 5) } : [DirectionCone()]
    var relaxation = RectifierRelaxation(x: x, loss: loss, minimisers: y, λ: 0.3, cones: cones)
    for ε in [0.03, 0.3] {
      relaxation.round(by: ε, loss: loss)
      let point = relaxation.start(seed: 1, size: 3)
      var (gradient, other) = (point, point)
      _ = relaxation.value(at: point, into: &gradient)
      for i in stride(from: 0, to: point.count, by: 7) {
        var (high, low) = (point, point)
        high[i] += 1e-5
        low[i] -= 1e-5
        let slope =
          (relaxation.value(at: high, into: &other) - relaxation.value(at: low, into: &other)) / 2e-5
        #expect(abs(slope - gradient[i]) <= 1e-5 * (1 + abs(slope)), "entry \(i): \(slope), \(gradient[i])")
      }
    }
  }
}
