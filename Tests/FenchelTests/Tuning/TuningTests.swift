import ConvexOptimization
import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

@Suite struct SearchSpaceTests {
  private func settings(_ model: ModelKind) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.model = model
    return settings
  }

  /// Places of the unit interval become values in their ranges, as text that says them fully, and come back.
  @Test func placesAndValues() throws {
    let space = try SearchSpace(
      ["learning-rate=1e-4:1e-1:log,batch-size=50:1000", "hidden=100/300/300-100", "weight-decay=0:0.5"],
      for: settings(.mlp))
    #expect(space.dimensions.map(\.name) == ["learning-rate", "batch-size", "hidden", "weight-decay"])
    for dimension in space.dimensions {
      for place in stride(from: 0.0, through: 1, by: 1.0 / 64) {
        let text = dimension.text(at: place)
        let back = try #require(dimension.place(of: text))
        #expect(dimension.text(at: back) == text, "\(dimension.name) \(text)")
        if dimension.name == "hidden" {
          #expect(["100", "300", "300-100"].contains(text))
        } else {
          let value = try #require(Double(text))
          #expect(
            abs(back - place) < 0.01 && value.description.count < 12, "\(dimension.name) \(place) \(text)")
        }
      }
    }
    #expect(space.dimensions[0].text(at: 0) == "0.0001" && space.dimensions[0].text(at: 1) == "0.1")
    #expect(space.dimensions[0].text(at: 0.5) == "0.003162" && space.dimensions[1].text(at: 1) == "1000")
    #expect(space.dimensions[2].text(at: 1) == "300-100" && space.dimensions[3].text(at: 0) == "0")
    let data = try JSONEncoder().encode(space)
    #expect(try JSONDecoder().decode(SearchSpace.self, from: data) == space)
  }

  @Test(arguments: [
    (ModelKind.mlp, "learning-rate", "write NAME="), (.mlp, "learning-rate=", "write NAME="),
    (.mlp, "=1:2", "write NAME="), (.mlp, "learning-rat=1:2", "no setting `learning-rat`"),
    (.mlp, "seed=1:2", "no setting"),
    (.mlp, "learning-rate=2:1", "LOW below HIGH"), (.mlp, "learning-rate=1:1", "LOW below HIGH"),
    (.mlp, "learning-rate=a:b", "LOW below HIGH"), (.mlp, "learning-rate=0:1:log", "above 0"),
    (.mlp, "learning-rate=1:2:lin", "LOW below HIGH"),
    (.mlp, "learning-rate=-1:1", "no value of learning-rate"),
    (.mlp, "learning-rate=1e-3:inf", "LOW below HIGH"), (.mlp, "batch-size=0:10", "no value of batch-size"),
    (.mlp, "hidden=0/3", "no value of hidden"), (.mlp, "hidden=3/", "no value of hidden"),
    (.mlp, "activation=relu/rel", "no value of activation"), (.mlp, "optimizer=adam/adam", "named twice"),
    (.mlp, "learning-rate=1:2,learning-rate=2:3", "named twice"), (.mlp, "", "write NAME="),
    (.mlp, "lambda=1:2", "no setting `lambda`"), (.relu, "lambda=1:2,lambda-ratio=0.1:0.2", "exclude"),
    (.admm, "batch-size=1:2", "no setting"), (.admm, "gamma=0:10", "gamma = 0.0"),
    (.fenchel, "momentum=0:1", "momentum"),
    (.mac, "steps=1:2000", "steps = 2000"),
  ])
  func badSpaces(model: ModelKind, text: String, expected: String) {
    #expect {
      try SearchSpace([text], for: settings(model))
    } throws: { error in
      let message = "\(error)"
      #expect(message.contains(expected) && !message.contains("\n"), "\(message)")
      return true
    }
  }

  /// Every setting that a search may change changes the settings, and what is usual is a search of the model.
  @Test(arguments: ModelKind.allCases)
  func settingsOfModels(model: ModelKind) throws {
    let usual = try SearchSpace(SearchSpace.usual(for: settings(model)), for: settings(model))
    #expect(!usual.dimensions.isEmpty)
    for setting in TunableSetting.all(for: model) {
      var changed = settings(model)
      let value =
        switch setting.name {
        case "activation": "tanh"
        case "initialiser": "normal"
        case "optimizer": "sgd"
        case "schedule": "cosine"
        case "growth" where model == .mac: "1.5"
        case "average": "7"
        default: setting.kind == .whole ? "7" : "0.125"
        }
      try setting.apply(value, to: &changed)
      #expect(changed != settings(model), "\(setting.name)")
      #expect(throws: (any Error).self) { try setting.apply("no value", to: &changed) }
    }
  }

  /// The numbers of lifted models reach their training.
  @Test(arguments: ["gamma", "last-gamma", "growth", "momentum", "relaxation"])
  func numbersOfLiftedModels(name: String) throws {
    let run = ResumableRun(.fenchel) { ($0.batchSize, $0.numbers) = (16, [name: 0.3]) }
    let usual = ResumableRun(.fenchel) { $0.batchSize = 16 }
    let data = try run.data()
    #expect(
      try train(data, settings: run.settings).model.network
        != train(data, settings: usual.settings).model.network)
  }

  @Test func theRidgeOfWholeData() throws {
    for model in [ModelKind.fenchel, .lifted] {
      let run = ResumableRun(model) { ($0.batchSize, $0.numbers) = (1000, ["rho": 0.3]) }
      let usual = ResumableRun(model) { $0.batchSize = 1000 }
      let data = try run.data()
      #expect(
        try train(data, settings: run.settings).model.network
          != train(data, settings: usual.settings).model.network)
    }
  }
}

@Suite struct ProposalTests {
  /// A bowl with its least value at 0.3, 0.7, and one wrong choice that costs 1.
  private func cost(_ values: [String: String]) -> Double {
    let x = Double(values["learning-rate"] ?? "") ?? 0
    let y = Double(values["weight-decay"] ?? "") ?? 0
    return pow(x - 0.3, 2) + pow(y - 0.7, 2) + (values["optimizer"] == "adam" ? 0 : 0.1)
  }

  private func pow(_ x: Double, _ n: Int) -> Double { (0..<n).reduce(1.0) { product, _ in product * x } }

  private func search(_ method: SearchMethod, seed: UInt64, trials: Int) throws -> [(
    [String: String], Double
  )] {
    var settings = TrainingSettings()
    settings.model = .mlp
    let space = try SearchSpace(
      ["learning-rate=0.001:1,weight-decay=0:1,optimizer=adam/sgd/momentum"], for: settings)
    let proposals = Proposals(space: space, method: method, seed: seed)
    var found: [([String: String], Double)] = []
    for k in 0..<trials {
      let values = proposals.next(after: found.map { ($0.0, $0.1.isFinite ? $0.1 : nil) })
      found.append((values, k % 7 == 3 ? .infinity : cost(values)))  // one in seven fails
    }
    return found
  }

  /// Over many seeds the Parzen estimator finds lower values than even draws, and spends its trials nearer to them.
  @Test func bayesianSearchLearns() throws {
    var (wins, nearer) = (0, 0)
    for seed in UInt64(1)...20 {
      let even = try search(.random, seed: seed, trials: 50).map(\.1).filter(\.isFinite)
      let bayesian = try search(.bayesian, seed: seed, trials: 50).map(\.1).filter(\.isFinite)
      if (bayesian.min() ?? 1) < (even.min() ?? 1) { wins += 1 }
      let means = [bayesian, even].map { $0.suffix(20).reduce(0, +) / 20 }
      if means[0] < 0.5 * means[1] { nearer += 1 }
    }
    #expect(wins >= 15 && nearer >= 18, "\(wins) better, \(nearer) nearer")
  }

  /// The first trials are the same for both methods, trials depend on the seed, and a longer search begins as a shorter one.
  @Test func trialsFollowFromTheSeed() throws {
    let first = try search(.bayesian, seed: 1, trials: 30).map(\.0)
    #expect(try search(.bayesian, seed: 1, trials: 12).map(\.0) == Array(first.prefix(12)))
    #expect(try search(.random, seed: 1, trials: 30).map(\.0).prefix(8) == first.prefix(8))
    #expect(try search(.random, seed: 1, trials: 30).map(\.0) != first)
    #expect(try search(.bayesian, seed: 2, trials: 8).map(\.0) != Array(first.prefix(8)))
  }

  @Test func nothingButFailures() throws {
    var settings = TrainingSettings()
    settings.model = .mlp
    let space = try SearchSpace(["learning-rate=0.001:1,optimizer=adam/sgd"], for: settings)
    let proposals = Proposals(space: space, method: .bayesian, seed: 1)
    var trials: [(values: [String: String], score: Double?)] = []
    for _ in 0..<30 { trials.append((proposals.next(after: trials), nil)) }
    #expect(Set(trials.map { $0.values["learning-rate"] }).count > 20)
  }
}

@Suite struct TuningTests {
  private func tuning(_ model: ModelKind = .mlp, trials: Int = 12, _ search: String) throws -> Tuning {
    var settings = ResumableRun(model) { ($0.epochs, $0.batchSize) = (3, 16) }.settings
    settings.model = model
    return try Tuning(settings: settings, space: SearchSpace([search], for: settings), trials: trials)
  }

  private func data() throws -> (Dataset<Double>, Dataset<Double>) {
    let all = try ResumableRun(.mlp) { _ in }.data()
    return (all.selectingRows(Array(0..<60)), all.selectingRows(Array(60..<90)))
  }

  @Test(arguments: [
    (ModelKind.mlp, "learning-rate=1e-4:0.1:log,hidden=3/9/9-4"),
    (.fenchel, "lambda=0.1:10:log,gamma=0.01:1:log"),
    (.bcd, "gamma=0.1:10:log,rho=0.1:10:log"), (.gatedReLU, "lambda-ratio=1e-3:0.5:log,patterns=5:40"),
  ])
  func theBestIsTheBestOfEqualTrials(model: ModelKind, search: String) throws {
    let (rows, held) = try data()
    let report = try tuning(model, trials: 10, search).run(rows, validation: held)
    #expect(report.trials.count == 10 && report.trials.map(\.number) == Array(1...10))
    #expect(report.measure == .accuracy && report.rows == 60 && report.validationRows == 30)
    let best = try #require(report.best)
    let scores = report.trials.compactMap(\.score)
    #expect(scores.count == 10 && report.trials[best].score == scores.max())
    // The settings of the best, trained again, have its score.
    let again = try train(rows, test: held, settings: try #require(report.settings))
    #expect(again.report.test?.accuracy == report.trials[best].score)
  }

  /// What is searched where nothing is said has an effect on few rows, on more of them, and on convolutions.
  @Test(arguments: [120, 1000])
  func usualSearches(rows: Int) throws {
    let table = try Table.read(rows < 150 ? "iris" : "digits")
    let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)
    let training = data.selectingRows(Array(0..<rows))
    var plain = TrainingSettings()
    plain.model = .fenchel
    var layers = LayerSettings()
    (layers.hidden, layers.epochs) = ([8], 2)
    plain.layers = layers
    var convolution = plain
    convolution.layers?.architecture = LayerPlan(steps: [
      .convolution(channels: 2, height: 3, width: 3, stride: 2, padding: 0), .dense(6),
    ])
    for settings in rows < 150 ? [plain] : [plain, convolution] {
      let space = try SearchSpace(SearchSpace.usual(for: settings, rows: rows), for: settings)
      let tuning = try Tuning(settings: settings, space: space, method: .random, trials: 3)
      let report = try tuning.run(training, validation: training)
      #expect(report.trials.allSatisfy { $0.score != nil }, "\(report.trials.map(\.failure))")
    }
    #expect(throws: TuningError.self) { try SearchSpace(["hidden=3/9"], for: convolution) }
  }

  /// A trial that diverges, or whose settings the method refuses, has no score; the search goes on.
  @Test func failedTrials() throws {
    let (rows, held) = try data()
    var tuning = try tuning(trials: 10, "learning-rate=0.01/1e30,activation=tanh/sign")
    tuning.measure = .loss
    let report = try tuning.run(rows, validation: held)
    #expect(report.trials.count == 10)
    let failed = report.trials.filter { $0.values["activation"] == "sign" }
    #expect(!failed.isEmpty && failed.allSatisfy { $0.score == nil && $0.failure?.contains("sign") == true })
    #expect(report.trials.contains { $0.score != nil })
    let best = try #require(report.best)
    #expect(report.trials[best].score == report.trials.compactMap(\.score).min())
  }

  private let search = "learning-rate=1e-4:0.1:log,hidden=3/9"

  /// Whatever moment a search is stopped at, its journal goes on with the same trials; half a line is no trial.
  @Test func journalsGoOn() throws {
    try withFolder { folder in
      let (rows, held) = try data()
      let tuning = try tuning(trials: 12, search)
      func run(_ tuning: Tuning, _ path: String) throws -> [Trial] {
        try tuning.run(rows, validation: held, journal: TuningJournal(path: path)).trials.map(\.timeless)
      }
      let whole = try run(tuning, folder + "/whole")
      let bytes = try read(folder + "/whole")
      for cut in [0, 10, bytes.count / 3, bytes.count / 2, bytes.count - 1, bytes.count] {
        try write(Array(bytes[..<cut]), folder + "/part")
        #expect(try run(tuning, folder + "/part") == whole, "cut at \(cut)")
        #expect(try lines(folder + "/part") == 13)
      }
      var longer = tuning
      longer.trials = 15
      #expect(try run(longer, folder + "/whole").prefix(12) == whole[...])
      #expect(try run(tuning, folder + "/whole").count == 15, "trials that are there are kept")
    }
  }

  @Test func otherJournals() throws {
    try withFolder { folder in
      let (rows, held) = try data()
      let path = folder + "/j"
      let tuning = try tuning(trials: 3, search)
      func message(_ tuning: Tuning, _ rows: Dataset<Double>, _ held: Dataset<Double>) -> String {
        do {
          _ = try tuning.run(rows, validation: held, journal: TuningJournal(path: path))
          return "done"
        } catch { return "\(error)" }
      }
      #expect(message(tuning, rows, held) == "done")
      let bytes = try read(path)
      var (seeded, random, measured) = (tuning, tuning, tuning)
      seeded.settings.seed = 99
      random.method = .random
      measured.measure = .loss
      let spaced = try self.tuning(trials: 3, "learning-rate=1e-4:0.2:log,hidden=3/9")
      var (other, fewer) = (rows, held)
      other.sha256 = "x"
      fewer = fewer.selectingRows([0, 1, 2])
      for (tuning, rows, held, why) in [
        (seeded, rows, held, "seed"), (random, rows, held, "method"), (measured, rows, held, "measure"),
        (spaced, rows, held, "ranges"), (tuning, other, held, "data"), (tuning, rows, fewer, "held out"),
      ] {
        let found = message(tuning, rows, held)
        #expect(found.contains(why) && found.contains("another search"), "\(why): \(found)")
      }
      #expect(try read(path) == bytes)
      for place in stride(from: 0, to: bytes.count - 1, by: 11) where bytes[place] != 0x0A {
        var flipped = bytes
        flipped[place] ^= 1
        try write(flipped, path)
        let found = message(tuning, rows, held)
        #expect(found != "done" && !found.contains("\n"), "byte \(place): \(found)")
      }
      try write(Array("a,b\n1,2\n".utf8), path)
      #expect(message(tuning, rows, held).contains("not a usable journal"))
      #expect(try read(path) == Array("a,b\n1,2\n".utf8))
    }
  }

  @Test func aStoppedSearchSaysWhatItHas() throws {
    let (rows, held) = try data()
    let cancellation = Cancellation()
    let report = try tuning(trials: 50, search).run(
      rows, validation: held, cancellation: cancellation,
      observer: { trial, _ in if trial.number == 4 { cancellation.request() } })
    #expect(report.trials.count == 4 && report.best != nil)
  }

  private func read(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }
  private func lines(_ path: String) throws -> Int { try read(path).count { $0 == 0x0A } }
}

extension Trial {
  fileprivate var timeless: Trial {
    var trial = self
    trial.seconds = 0
    return trial
  }
}
