import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// `train` and `verify` with polynomial activations, over the whole way from a table to a file.
struct PolynomialTrainingTests {
  private func data(_ name: String) throws -> Dataset<Double> {
    let table = try Table.read(name)
    return try Schema(inferredFrom: table).dataset(from: table)
  }

  private func settings(_ model: ModelKind) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.model = model
    settings.lambda = .ratio(0.02)
    return settings
  }

  @Test(
    "every model holds, in its file too", arguments: [ModelKind.polynomial, .quadratic],
    [Precision.float, .double])
  func honestModels(model: ModelKind, precision: Precision) throws {
    for (name, hasBias) in [("iris", false), ("diabetes", true)] {
      let data = try data(name)
      var settings = settings(model)
      (settings.precision, settings.bias) = (precision, hasBias)
      let result = try train(data, settings: settings)
      #expect(result.status == .solved && result.report.patterns == nil)
      #expect(result.report.certificate?.scope == .exact)
      #expect(
        abs(result.report.network.objective - (result.report.certificate?.primal ?? .nan)) <= 1e-9)
      let read = try ModelFile(decoding: result.model.encoded())
      #expect(read.network == result.model.network && read.report == result.model.report)
      let verification = try verify(read, data: data)
      #expect(verification.agrees, "\(verification)")
    }
  }

  @Test("a network of longer weights, another dual point or another activation is found out")
  func forgedModels() throws {
    let data = try data("diabetes")
    let model = try train(data, settings: settings(.polynomial)).model
    guard case .dense(let hidden) = model.network.layers[0], case .dense(let output) = model.network.layers[2]
    else { return #expect(Bool(false)) }
    var forged = model
    // Twice the weights inside, half of them outside: no network of the program, whatever its value.
    var (inside, outside) = (hidden.weights, output.weights)
    inside.scale(by: 2)
    outside.scale(by: 0.5)
    forged.network = try Network(layers: [
      .dense(Dense(weights: inside, bias: hidden.bias)), model.network.layers[1],
      .dense(Dense(weights: outside)),
    ])
    #expect(try !verify(forged, data: data).isFeasible)
    forged = model
    forged.network = try Network(layers: [
      model.network.layers[0], .polynomial(Polynomial(a: 0.09, b: 0.5, c: 0.46)), model.network.layers[2],
    ])
    #expect(try !verify(forged, data: data).agrees)
    forged = model
    var θ = try #require(model.certificate["theta"]?.matrix)
    θ[0, 0] += 1
    forged.certificate["theta"] = Tensor(θ)
    #expect(try !verify(forged, data: data).agrees)
    forged.certificate["theta"] = nil
    #expect(throws: VerificationError.self) { try verify(forged, data: data) }
  }

  @Test("a row of weight two is the row twice")
  func weights() throws {
    let once = try data("diabetes").selectingRows(Array(0..<60))
    let twice = try data("diabetes").selectingRows(Array(0..<60) + Array(0..<20))
    var weighted = once
    weighted.sampleWeights = (0..<60).map { $0 < 20 ? 2 : 1 }
    var settings = settings(.polynomial)
    (settings.tolerance, settings.precision, settings.lambda) = (1e-9, .double, .value(0.5))
    let (a, b) = (try train(weighted, settings: settings), try train(twice, settings: settings))
    let difference = a.report.network.objective - b.report.network.objective
    #expect(abs(difference) <= 1e-8 * a.report.network.objective)
  }

  @Test("A run that overflows has the zero network's certificate at least, which verify finds again")
  func overflow() throws {
    var data = try data("diabetes").selectingRows(Array(0..<30))
    data.features.scale(by: 1e90)
    var settings = settings(.quadratic)
    settings.standardise = false
    let result = try train(data, settings: settings)
    let certificate = try #require(result.report.certificate)
    #expect(result.status != .solved && certificate.primal == result.report.network.objective)
    #expect(try verify(result.model, data: data).agrees)
  }

  @Test("a path has one solution a ratio, each from the one before")
  func path() throws {
    let data = try data("diabetes")
    let settings = settings(.quadratic)
    let result = try Fenchel.path(data, settings: settings, ratios: [0.5, 0.2, 0.1])
    #expect(result.status == .solved && result.report.points.count == 3)
    let values = result.report.points.map(\.certificate.primal)
    #expect(values == values.sorted(by: >))
    var last = settings
    last.lambda = .ratio(0.1)
    let alone = try train(data, settings: last).report.network.objective
    #expect(abs(alone - values[2]) <= 2e-4 * values[2])
  }

  @Test func settingsThatDoNotFit() throws {
    let data = try data("iris")
    var settings = settings(.polynomial)
    settings.loss = .hinge
    #expect(throws: TrainingError.lossOfModel(.hinge, .polynomial)) { try train(data, settings: settings) }
    settings.loss = nil
    settings.solver = .newton
    #expect(throws: TrainingError.solverOfModel(.newton, .polynomial)) { try train(data, settings: settings) }
    settings.solver = .auto
    settings.maxMemory = 1000
    #expect { try train(data, settings: settings) } throws: { error in
      "\(error)".contains("6 matrices of order 6 needs") && "\(error)".contains("--max-memory")
    }
  }
}
