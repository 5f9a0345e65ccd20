import ConvexOptimization
import Fenchel
import Testing

@Suite struct InitialModelTests {
  /// The digits, every other row: the even or the odd ones.
  private func digits(_ parity: Int) throws -> Dataset<Double> {
    let table = try Table.read("digits")
    let schema = try Schema(inferredFrom: table)
    return try schema.dataset(
      from: table.selectingRows(Array(stride(from: parity, to: table.rows, by: 2))))
  }

  private func settings(_ model: ModelKind, epochs: Int, hidden: [Int] = [12]) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.model = model
    var layers = LayerSettings()
    (layers.hidden, layers.epochs, layers.batchSize) = (hidden, epochs, 100)
    settings.layers = layers
    return settings
  }

  /// What no epoch changes is what was trained before, on other rows and by any other method: weights and scaling.
  @Test(arguments: [ModelKind.fenchel, .lifted, .mlp], [ModelKind.fenchel, .lifted, .mlp])
  func beginsWhereTheModelEnded(first: ModelKind, second: ModelKind) throws {
    let before = try train(digits(0), settings: settings(first, epochs: 2)).model
    let start = try InitialModel(before, source: "before")
    // What batched lifted training leaves out of the inputs depends on the rows.
    let rows = try digits(first == second && first == .fenchel ? 0 : 1)
    let after = try train(rows, settings: settings(second, epochs: 0), from: start)
    #expect(after.model.scaling == before.scaling)
    #expect(after.report.settings.layers?.initialModel == "before")
    let x = before.scaling.features.applied(to: rows.features)
    let (f, g) = (before.network.predict(x), after.model.network.predict(x))
    // Batched lifted training turns the inputs into axes of their own and back.
    let tolerance = second == .fenchel ? 1e-4 : 0
    #expect(zip(f.storage, g.storage).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($0)) })
  }

  @Test func goesOnFromThere() throws {
    let before = try train(digits(0), settings: settings(.lifted, epochs: 4)).report
    var next = settings(.mlp, epochs: 3)
    let start = try InitialModel(
      train(digits(0), settings: settings(.lifted, epochs: 4)).model, source: "lifted")
    let after = try train(digits(0), settings: next, from: start).report
    #expect(after.train.loss < before.train.loss)
    next.layers?.initialiser = .xavier
    let cold = try train(digits(0), settings: next).report
    #expect(after.train.loss < cold.train.loss, "no better than from Xavier's weights")
  }

  @Test("The loss is the model's where none is asked for")
  func loss() throws {
    var first = settings(.lifted, epochs: 1)
    first.loss = .squared
    let start = try InitialModel(train(digits(0), settings: first).model, source: "squares")
    let report = try train(digits(0), settings: settings(.mlp, epochs: 1), from: start).report
    #expect(report.loss == .squared)
  }

  @Test func otherLayersAreRefused() throws {
    let start = try InitialModel(train(digits(0), settings: settings(.mlp, epochs: 0)).model, source: "m")
    var wide = settings(.fenchel, epochs: 1, hidden: [13])
    wide.layers?.activation = .tanh
    let error = try #require(throws: InitialModelError.self) {
      try train(digits(0), settings: wide, from: start)
    }
    #expect("\(error)".contains("64-12-10 with relu") && "\(error)".contains("64-13-10 with tanh"))
    for hidden in [[12, 12], []] {
      #expect(throws: InitialModelError.self) {
        try train(digits(0), settings: settings(.mlp, epochs: 1, hidden: hidden), from: start)
      }
    }
    var unbiased = settings(.mlp, epochs: 1)
    unbiased.bias = false
    #expect(throws: InitialModelError.bias("m")) { try train(digits(0), settings: unbiased, from: start) }
    #expect(throws: InitialModelError.convexProgram(.relu)) {
      try train(digits(0), settings: TrainingSettings(), from: start)
    }
    var gated = TrainingSettings()
    (gated.model, gated.patterns, gated.lambda) = (.gatedReLU, .sampled(5), .ratio(0.5))
    let other = try train(digits(0), settings: gated).model
    #expect(throws: InitialModelError.form("g", model: .gatedReLU)) {
      try InitialModel(other, source: "g")
    }
  }

  /// Two classes have one output under the logistic loss, two under softmax.
  @Test func otherOutputsAreRefused() throws {
    let table = try Table.read("breast-cancer")
    let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)
    let start = try InitialModel(train(data, settings: settings(.mlp, epochs: 0)).model, source: "m")
    var softmax = settings(.mlp, epochs: 1)
    softmax.loss = .softmax
    let error = try #require(throws: InitialModelError.self) {
      try train(data, settings: softmax, from: start)
    }
    #expect("\(error)".contains("-12-1 ") && "\(error)".contains("-12-2 "), "\(error)")
  }

  /// The initialiser `lifted` is a lifted training of five sweeps.
  @Test func liftedInitialiser() throws {
    let lifted = try train(digits(0), settings: settings(.lifted, epochs: 5)).model
    var next = settings(.mlp, epochs: 0)
    next.layers?.initialiser = .lifted
    #expect(try train(digits(0), settings: next).model.network == lifted.network)
    next.layers?.activation = .tanh
    #expect(throws: LiftedError.notAProjection(.tanh)) { try train(digits(0), settings: next) }
  }
}
