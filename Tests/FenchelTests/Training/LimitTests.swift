import ConvexOptimization
import Fenchel
import LinearAlgebra
import Testing

/// Limits of time, memory and threads, in everything that a training consists of.
@Suite struct LimitTests {
  private func data(_ n: Int, _ d: Int) throws -> Dataset<Double> {
    let random: Matrix<Double> = Philox(seed: 11).normalMatrix(n, d + 1)
    let table = Table(
      source: "random", names: (0..<d).map { "x\($0)" } + ["y"],
      columns: (0...d).map { .numbers(random.column($0)) })
    var options = SchemaOptions()
    options.task = .regression
    return try Schema(inferredFrom: table, options: options).dataset(from: table)
  }

  /// A deadline that has passed, and one of a caller who wants to stop.
  private var passed: [Deadline] {
    let cancellation = Cancellation()
    cancellation.request()
    return [Deadline(in: 0), Deadline(in: nil, cancellation: cancellation), Deadline(in: .nan)]
  }

  @Test(
    "The enumeration of patterns ends with a deadline, and does not call its patterns all", arguments: 1...3)
  func enumeration(rank: Int) throws {
    let x: Matrix<Double> = Philox(seed: 2).normalMatrix(300, rank)
    for deadline in passed {
      let patterns = try ActivationPatterns.enumerated(x, deadline: deadline)
      #expect(patterns.count >= 1 && !patterns.isExact)
    }
    #expect(try ActivationPatterns.enumerated(x, deadline: Deadline(in: 600)).isExact)
  }

  @Test("So does that of sub-networks")
  func subnetworks() throws {
    let x: Matrix<Double> = Philox(seed: 2).normalMatrix(4, 2)
    for deadline in passed {
      let patterns = try SubnetworkPatterns.enumerated(x, width: 2, deadline: deadline)
      #expect(patterns.count >= 1 && !patterns.isExact)
    }
    #expect(try SubnetworkPatterns.enumerated(x, width: 2, deadline: Deadline(in: 600)).isExact)
  }

  @Test("Sampling ends with a deadline, with the first of the gates")
  func sampling() throws {
    let x: Matrix<Double> = Philox(seed: 2).normalMatrix(40, 10)
    let all = try ActivationPatterns.sampled(x, count: 20_000, seed: 1)
    for deadline in passed {
      let some = try ActivationPatterns.sampled(x, count: 20_000, seed: 1, deadline: deadline)
      #expect(some.count < all.count && some.count > 0)
      #expect(some == all.selecting(Array(0..<some.count)))
    }
  }

  @Test("So does that of sub-networks, and parts are drawn as if at once")
  func samplingOfSubnetworks() throws {
    let x: Matrix<Double> = Philox(seed: 2).normalMatrix(12, 6)
    let all = try SubnetworkPatterns.sampled(x, width: 2, count: 5000, seed: 1)
    for deadline in passed {
      let some = try SubnetworkPatterns.sampled(x, width: 2, count: 5000, seed: 1, deadline: deadline)
      #expect(some.count < all.count && some.count > 0)
      for b in 0..<some.count {
        #expect(some.gates.row(b) == all.gates.row(b) && some.second.row(b) == all.second.row(b))
      }
    }
    let signs = Matrix(all.count, 2, storage: all.signs.storage)
    #expect(try SubnetworkPatterns.given(all.gates, signs: signs, for: x) == all, "they are distinct")
  }

  @Test("Norms of patterns end with a deadline, and the program keeps the patterns that have one")
  func patternNorms() throws {
    let x: Matrix<Double> = Philox(seed: 2).normalMatrix(40, 5)
    let y = Matrix(column: x.column(0).map { $0 * $0 })
    let plain = try TwoLayerProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: y), kind: .squared, λ: 0.1,
      patterns: .sampled(x, count: 200, seed: 1), isConstrained: true)
    for deadline in passed {
      let program = try PostNormalisationProgram(plain, deadline: deadline)
      #expect((1..<plain.patterns.count).contains(program.plain.patterns.count))
      #expect(program.plain.patterns == plain.patterns.selecting(Array(0..<program.plain.patterns.count)))
      let zero = TwoLayerPoint(groups: [], coefficients: Matrix(0, 5), θ: y)
      #expect(program.certificate(at: zero).dual > 0)
    }
  }

  @Test(
    "A run that ends before its first step has a bound all the same",
    arguments: [ModelKind.relu, .gatedReLU, .threeLayer, .batchNorm, .threshold], [false, true])
  func firstBound(model: ModelKind, sharesNeurons: Bool) throws {
    guard !sharesNeurons || [.relu, .gatedReLU].contains(model) else { return }
    var settings = TrainingSettings()
    (settings.model, settings.patterns, settings.timeLimit) = (model, .sampled(50), 1e-6)
    if sharesNeurons { settings.outputs = .nuclear }
    let result = try train(data(60, 4), settings: settings)
    let certificate = try #require(result.report.certificate)
    #expect(result.status == .stoppedAtLimit(.time) && certificate.primal > certificate.dual)
    #expect(certificate.dual > 0, "\(model)")
  }

  @Test("A hurried certificate says the same of the objective, and bounds the optimum more loosely")
  func hurry() throws {
    let x: Matrix<Double> = Philox(seed: 3, stream: 1).normalMatrix(60, 6)
    let y: Matrix<Double> = Philox(seed: 3, stream: 2).normalMatrix(60, 1)
    let loss: any Loss<Double> = try LossKind.squared.makeLoss(targets: y)
    func check<Program: Certifiable>(_ program: Program, _ point: Program.Point) {
      let (whole, hurried) = (program.certificate(at: point), program.certificate(at: point, inSeconds: 0))
      #expect(
        hurried.primal == whole.primal && hurried.dual > 0 && hurried.dual < whole.dual, "\(Program.self)")
      #expect(hurried.scope == whole.scope && whole.dual <= whole.primal)
    }
    let relu = try TwoLayerProgram(
      x: x, loss: loss, kind: .squared, λ: 0.5, patterns: .sampled(x, count: 100, seed: 1),
      isConstrained: true)
    let zero = TwoLayerPoint(groups: [], coefficients: Matrix(0, 6), θ: y)
    check(relu, zero)
    check(ConicNuclearProgram(relu), .init(neurons: .none(features: 6, outputs: 1), θ: y))
    let patterns = try SubnetworkPatterns.sampled(x, width: 2, count: 100, seed: 1)
    check(
      try ThreeLayerProgram(x: x, loss: loss, kind: .squared, λ: 0.5, patterns: patterns),
      ThreeLayerPoint(groups: [], coefficients: Matrix(0, 12), θ: y))
  }

  @Test("A training of all patterns ends in time with a network and its gap")
  func exactTraining() throws {
    var settings = TrainingSettings()
    (settings.model, settings.patterns, settings.timeLimit) = (.gatedReLU, .exact, 0.2)
    let result = try train(data(900, 2), settings: settings)
    #expect(result.status == .stoppedAtLimit(.time) && result.report.patterns?.exact == false)
    #expect(result.report.seconds < 20, "the enumeration alone takes several seconds, the program far more")
  }

  @Test("The limit of a path and of a cross-validation is that of all their trainings together")
  func pathAndCrossValidation() throws {
    let data = try data(400, 12)
    var settings = TrainingSettings()
    (settings.model, settings.patterns, settings.solver) = (.gatedReLU, .sampled(200), .fista)
    (settings.tolerance, settings.precision, settings.timeLimit) = (1e-13, .double, 0.5)
    let ratios = (1...40).map { 0.9 / Double($0) }
    let path = try Fenchel.path(data, settings: settings, ratios: ratios)
    #expect(path.status == .stoppedAtLimit(.time))
    #expect((1..<40).contains(path.report.points.count) && path.report.planned == 40)
    #expect(path.report.seconds < 10, "forty times the limit are 20 s")
    #expect(path.report.settings.timeLimit == 0.5)
    let chosen = try crossValidate(data, settings: settings, models: [.gatedReLU], ratios: ratios, folds: 3)
    #expect(chosen.status == .stoppedAtLimit(.time))
    #expect((1..<40).contains(chosen.report.candidates.count) && chosen.report.planned == 40)
    #expect(chosen.report.seconds < 20, "all trainings to the limit are 60 s")
    #expect(chosen.model.report.settings.timeLimit == 0.5 && chosen.report.report.settings.timeLimit == 0.5)
  }

  @Test("Without a limit, or with a large one, they are as they were")
  func limitsThatDoNotBind() throws {
    let data = try data(60, 3)
    var settings = TrainingSettings()
    (settings.model, settings.patterns) = (.gatedReLU, .sampled(10))
    let free = try crossValidate(
      data, settings: settings, models: [.gatedReLU, .relu], ratios: [0.5, 0.1], folds: 3)
    settings.timeLimit = 600
    let limited = try crossValidate(
      data, settings: settings, models: [.gatedReLU, .relu], ratios: [0.5, 0.1], folds: 3)
    #expect(free.status == .solved && limited.status == .solved)
    #expect(free.report.candidates == limited.report.candidates && free.report.candidates.count == 4)
    #expect(free.report.best == limited.report.best && free.model.network == limited.model.network)
  }

  @Test("Memory that is no number allows nothing, and is no trap", arguments: [Double.nan, -1, 0])
  func memory(bytes: Double) throws {
    var settings = TrainingSettings()
    (settings.maxMemory, settings.model, settings.patterns) = (bytes, .gatedReLU, .sampled(10))
    #expect(settings.memoryLimit == 0)
    #expect(throws: (any Error).self) { try train(data(20, 3), settings: settings) }
    settings.maxMemory = .infinity
    #expect(settings.memoryLimit == 1_000_000_000_000_000_000)
  }

  @Test("Settings decide the number of threads in the library, too")
  func threads() throws {
    let data = try data(30, 3)
    var settings = TrainingSettings()
    (settings.model, settings.patterns, settings.threads) = (.gatedReLU, .sampled(5), 7)
    // The number is one of the process, and other tests set it for moments.
    let counts = try (0..<30).map { _ in try train(data, settings: settings).report.environment.threads }
    #expect(counts.contains(7), "\(counts)")
  }

  @Test("Reports have the arithmetic that was used")
  func precision() throws {
    let data = try data(40, 3)
    func used(_ change: (inout TrainingSettings) -> Void) throws -> Precision {
      var settings = TrainingSettings()
      settings.patterns = .sampled(5)
      change(&settings)
      return try train(data, settings: settings).model.report.settings.precision
    }
    #expect(try used { $0.model = .gatedReLU } == .float)
    #expect(try used { ($0.model, $0.precision) = (.gatedReLU, .double) } == .double)
    #expect(try used { ($0.model, $0.tolerance) = (.gatedReLU, 1e-8) } == .double)
    #expect(try used { ($0.model, $0.loss) = (.gatedReLU, .absolute) } == .double)
    #expect(try used { ($0.model, $0.solver) = (.gatedReLU, .interiorPoint) } == .double)
    #expect(try used { $0.model = .relu } == .double)
    #expect(try used { ($0.model, $0.patterns) = (.relu, .refine) } == .double)
    #expect(try used { $0.model = .threeLayer } == .double)
    #expect(try used { ($0.model, $0.patterns) = (.polynomial, .refine) } == .float)
    #expect(try used { ($0.model, $0.outputs) = (.gatedReLU, .nuclear) } == .float)
  }
}
