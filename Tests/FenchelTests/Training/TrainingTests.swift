import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// What `train` promises whatever the data: the same answer every time, no worse than local training, and a
/// certificate that `verify` finds again.
struct TrainingTests {
  private func builtIn(_ name: String) throws -> Dataset<Double> {
    let table = try #require(DataCatalogue.entry(name)).read()
    return try Schema(inferredFrom: table).dataset(from: table)
  }

  /// Rows (a, b, y), the first `repeated` of them twice, or with weight 2 in a column of its own.
  private func rows(repeated: Int, asWeights: Bool) throws -> Dataset<Double> {
    let random: Matrix<Double> = Philox(seed: 5).normalMatrix(20, 3)
    let times = (0..<20).map { $0 < repeated ? 2 : 1 }
    func column(_ j: Int) -> [Double] {
      (0..<20).flatMap { k in [Double](repeating: random[k, j], count: asWeights ? 1 : times[k]) }
    }
    var table = Table(
      source: "rows", names: ["a", "b", "y"], columns: (0..<3).map { .numbers(column($0)) })
    var options = SchemaOptions()
    options.task = .regression
    if asWeights {
      table.names.append("w")
      table.columns.append(.numbers(times.map { Double($0) }))
      options.weights = "w"
      options.targets = ["y"]
    }
    return try Schema(inferredFrom: table, options: options).dataset(from: table)
  }

  @Test("Refinement is never worse than the local training it starts from", arguments: ["iris", "diabetes"])
  func neverWorseThanLocalTraining(name: String) throws {
    for seed: UInt64 in 0..<3 {
      var settings = TrainingSettings()
      settings.lambda = .ratio(0.1)
      settings.seed = seed
      let fit = try Fitting(TrainingProblem(builtIn(name), settings: settings), settings: settings).fit()
      let local = try #require(fit.localObjective)
      #expect(fit.solution.certificate.primal <= local, "\(name), seed \(seed)")
    }
  }

  @Test("Refinement ends certified, at the best of its networks", arguments: [1e-4, 1e-9])
  func refinementEndsCertified(tolerance: Double) throws {
    for seed: UInt64 in 0..<20 {
      let z: Matrix<Double> = Philox(seed: seed, stream: 7).normalMatrix(25, 3)
      let copies = (0..<25).flatMap { k in [Int](repeating: k, count: 1 + k % 3) }
      let table = Table(
        source: "rows", columns: (0..<3).map { j in .numbers(copies.map { z[$0, j] }) })
      var settings = TrainingSettings()
      settings.seed = seed
      settings.tolerance = tolerance
      let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)
      let fit = try Fitting(TrainingProblem(data, settings: settings), settings: settings).fit()
      #expect(fit.solution.status == .solved, "seed \(seed): \(fit.solution.certificate)")
      #expect(fit.solution.certificate.relativeGap <= tolerance, "seed \(seed)")
    }
  }

  @Test(
    "Newton's method keeps its pace where networks become certain of samples", arguments: [1e-2, 1e-3, 1e-4])
  func saturatedLosses(ratio: Double) throws {
    for name in ["iris", "breast-cancer"] {
      var settings = TrainingSettings()
      settings.patterns = .sampled(100)
      settings.lambda = .ratio(ratio)
      let fit = try Fitting(TrainingProblem(builtIn(name), settings: settings), settings: settings).fit()
      let iterations = fit.solution.iterations
      #expect(fit.solution.status == .solved && iterations <= 200, "\(name): \(iterations)")
    }
  }

  @Test("A run without time says so, and claims no search")
  func noTime() throws {
    var settings = TrainingSettings()
    settings.timeLimit = 1e-9
    let fit = try Fitting(TrainingProblem(builtIn("iris"), settings: settings), settings: settings).fit()
    #expect(fit.solution.status == .stoppedAtLimit(.time))
    #expect(fit.heuristicViolation == nil)
  }

  /// What must not depend on anything but data and settings.
  private struct Outcome: Equatable {
    var network: Network
    var tensors: [String: Tensor]
    var primal, dual: Double?

    init(_ model: ModelFile) {
      (network, tensors) = (model.network, model.certificate)
      (primal, dual) = (model.report.certificate?.primal, model.report.certificate?.dual)
    }
  }

  @Test("The same bits for 1, 2 and 3 threads, and once more")
  func sameBits() throws {
    let data = try builtIn("iris")
    for model in ModelKind.allCases {
      var settings = TrainingSettings()
      settings.model = model
      settings.lambda = .ratio(0.05)
      func trained() throws -> Outcome { Outcome(try train(data, settings: settings).model) }
      try expectSameForAnyThreads("\(model)") { try trained() }
      #expect(try trained() == trained(), "\(model)")
    }
  }

  @Test("A weight of 2 is a row given twice")
  func weightsAreRepetitions() throws {
    for model in ModelKind.convexPrograms {
      var settings = TrainingSettings()
      settings.model = model
      settings.patterns = model == .threeLayer ? .sampled(30) : .gates(Philox(seed: 6).normalMatrix(30, 3))
      if model.hasKernel {
        settings.convolution = PatchSettings()
        settings.convolution?.kernelWidth = 2
      }
      settings.lambda = .value(0.05)
      settings.tolerance = 1e-9
      let weighted = try train(rows(repeated: 7, asWeights: true), settings: settings).report
      let repeated = try train(rows(repeated: 7, asWeights: false), settings: settings).report
      let (a, b) = ((weighted.certificate?.primal ?? .nan), (repeated.certificate?.primal ?? .nan))
      #expect(abs(a - b) <= 1e-9 * max(1, abs(a)), "\(model): \(a), \(b)")
      #expect(weighted.status == "solved" && repeated.status == "solved")
    }
  }

  @Test("A row of weight 0 is no row")
  func weightlessRows() throws {
    var data = try rows(repeated: 7, asWeights: true)
    for k in stride(from: 1, to: data.rows, by: 3) { data.sampleWeights[k] = 0 }
    let counted = data.selectingRows(data.sampleWeights.indices.filter { data.sampleWeights[$0] > 0 })
    for model in ModelKind.convexPrograms {
      var settings = TrainingSettings()
      settings.model = model
      if model != .polynomial && model != .quadratic { settings.patterns = .sampled(10) }
      if model.hasKernel {
        settings.convolution = PatchSettings()
        settings.convolution?.kernelWidth = 2
      }
      settings.lambda = .value(0.05)
      let (all, fewer) = try (train(data, settings: settings), train(counted, settings: settings))
      #expect(Outcome(all.model) == Outcome(fewer.model), "\(model)")
      #expect(try verify(all.model, data: data).agrees, "\(model)")
    }
  }

  @Test("verify finds the certificate again, and a tampered network out")
  func verification() throws {
    let data = try builtIn("iris")
    for model in ModelKind.convexPrograms {
      var settings = TrainingSettings()
      settings.model = model
      let file = try train(data, settings: settings).model
      let honest = try verify(file, data: data)
      #expect(honest.agrees)
      #expect(abs(honest.recomputed.primal - honest.stored.primal) <= 1e-9)
      #expect(abs(honest.recomputed.dual - honest.stored.dual) <= 1e-9)
      for claim in [0.9, 0.999] {
        var boastful = file
        boastful.report.certificate?.primal *= claim
        #expect(try !verify(boastful, data: data).agrees, "primal, \(claim)")
        boastful = file
        boastful.report.certificate?.dual /= claim
        #expect(try !verify(boastful, data: data).agrees, "dual, \(claim)")
      }
      for part in [".weight", "theta"] {
        let read = try ModelFile(decoding: spoilt(file, tensor: part))
        #expect(try !verify(read, data: data).agrees, "\(model): \(part)")
      }
    }
  }

  @Test("A network has at most one neuron a sample, whatever the number of patterns")
  func prunedNetworks() throws {
    var settings = TrainingSettings()
    settings.patterns = .exact
    settings.lambda = .ratio(0.01)
    let report = try train(rows(repeated: 0, asWeights: false), settings: settings).report
    #expect(report.network.neurons <= 20)
    let slack = 1e-9 * max(1, (report.certificate?.primal ?? .nan))
    #expect(report.network.objective <= (report.certificate?.primal ?? .nan) + slack)
    #expect(report.network.objective >= (report.certificate?.dual ?? .nan) - slack)
  }

  @Test("verify finds the certificate again wherever the solver stopped")
  func verificationAtAnyTolerance() throws {
    let data = try rows(repeated: 0, asWeights: false)
    for seed: UInt64 in 0..<40 {
      for loss in [LossKind.squared, .huber, .absolute, .quantile] {
        var settings = TrainingSettings()
        settings.loss = loss
        settings.seed = seed
        settings.patterns = .sampled(4)
        settings.lambda = .ratio(0.1)
        settings.model = seed % 2 == 0 ? .relu : .gatedReLU
        settings.tolerance = [0.5, 0.05, 1e-4][Int(seed % 3)]
        let result = try verify(train(data, settings: settings).model, data: data)
        #expect(result.agrees, "\(loss), seed \(seed): \(result)")
      }
    }
  }

  /// The file of a model with one number of a tensor changed, and a checksum that fits.
  private func spoilt(_ model: ModelFile, tensor part: String) throws -> [UInt8] {
    var file = try Safetensors(decoding: model.encoded(), needsChecksum: true)
    let name = try #require(file.tensors.keys.sorted().first { $0.hasSuffix(part) })
    let tensor = try #require(file.tensors[name])
    guard case .float64(var values) = tensor.values else {
      Issue.record("\(name) is not float64")
      return []
    }
    values[0] += 0.5
    file.tensors[name] = Tensor(shape: tensor.shape, .float64(values))
    return file.encoded()
  }

  @Test("A solver that does not solve the program is refused")
  func solversThatDoNotFit() throws {
    let data = try builtIn("iris")
    for solver in [SolverChoice.fista, .newton] {
      var settings = TrainingSettings()
      settings.solver = solver
      settings.loss = .hinge
      #expect(throws: TrainingError.self) { try train(data, settings: settings) }
      settings.model = .gatedReLU
      #expect(throws: TrainingError.self) { try train(data, settings: settings) }
    }
  }

  @Test(
    "Every solver and precision finds the optimum", arguments: SolverChoice.allCases,
    ModelKind.convexPrograms.filter(\.hasPatterns))
  func solversAgree(solver: SolverChoice, model: ModelKind) throws {
    let data = try builtIn("breast-cancer")
    for precision in Precision.allCases {
      var settings = TrainingSettings()
      settings.model = model
      settings.patterns = .sampled(50)
      settings.lambda = .ratio(0.05)
      settings.solver = model == .threeLayer && solver == .interiorPoint ? .auto : solver
      settings.precision = precision
      let report = try train(data, settings: settings).report
      #expect(
        report.status == "solved" && (report.certificate?.relativeGap ?? .nan) <= 1e-4,
        "\(solver), \(precision)")
    }
  }
}
