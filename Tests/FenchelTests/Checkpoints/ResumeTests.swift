import ConvexOptimization
import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

/// A training that is taken up from any of its checkpoints ends with the same bits as one that never stopped.
@Suite struct ResumeTests {
  /// Settings of every method that trains layer by layer.
  static let runs: [ResumableRun] =
    [
      ResumableRun(.fenchel) { $0.batchSize = 16 },
      ResumableRun(.fenchel, precision: .double) { ($0.batchSize, $0.hidden) = (16, [7, 6, 5]) },
      ResumableRun(.fenchel) { ($0.batchSize, $0.dualSteps) = (1000, 1) },
      ResumableRun(.lifted) { ($0.hidden, $0.sketch) = ([8, 4], 2) },
      ResumableRun(.fenchel) {
        ($0.batchSize, $0.architecture) = (
          16,
          LayerPlan(
            steps: [.convolution(channels: 3, height: 1, width: 2), .dense(6)],
            image: ImageShape(channels: 1, height: 1, width: 4))
        )
      },
      ResumableRun(.admm) { $0.hidden = [8, 5] }, ResumableRun(.bcd) { $0.hidden = [8, 5] },
      ResumableRun(.mac) { ($0.hidden, $0.activation) = ([8, 5], .tanh) },
      ResumableRun(.zhangBrand) { $0.hidden = [8, 5] },
      ResumableRun(.lpom) { $0.batchSize = 16 },
      ResumableRun(.contrastive) { ($0.batchSize, $0.optimizer) = (16, .momentum) },
      ResumableRun(.mlp) { ($0.batchSize, $0.initialiser) = (16, .lifted) },
    ]
    + Optimizer.allCases.map { optimizer in
      ResumableRun(.mlp, precision: optimizer == .kfac ? .double : .float) {
        ($0.batchSize, $0.optimizer, $0.schedule) = (16, optimizer, .cosine)
        if optimizer == .gaussNewton { $0.batchSize = 1000 }
      }
    }

  @Test(arguments: runs)
  func theSameModelFromEveryCheckpoint(run: ResumableRun) throws {
    try withFolder { folder in
      let data = try run.data()
      var kept: [Checkpoint] = []
      let keeper = CheckpointKeeper(path: folder + "/c", interval: 0)
      keeper.observer = { kept.append($0) }
      let whole = try train(data, settings: run.settings, checkpoints: keeper).model.withoutTimes
      #expect(
        whole == (try train(data, settings: run.settings).model.withoutTimes), "checkpoints change nothing")
      #expect(kept.count > 3)
      let places = Set([0, 1, kept.count / 2, kept.count - 2, kept.count - 1])
      for place in places.sorted() {
        try kept[place].write(to: folder + "/c")
        let read = try Checkpoint(contentsOf: folder + "/c")
        #expect(try read.encoded() == kept[place].encoded())
        let later = CheckpointKeeper(path: folder + "/d", interval: 1e9, resuming: read)
        let rest = try train(data, settings: run.settings, checkpoints: later)
        #expect(rest.model.withoutTimes == whole, "from checkpoint \(place) of \(kept.count)")
        #expect(rest.report.warnings.isEmpty && later.failure == nil)
      }
    }
  }

  /// A finished run goes on for more epochs as if they had been asked for at first.
  @Test(arguments: [ModelKind.fenchel, .bcd, .mlp])
  func moreEpochs(model: ModelKind) throws {
    try withFolder { folder in
      let run = ResumableRun(model) { $0.batchSize = 16 }
      var longer = run.settings
      longer.layers?.epochs += 3
      let data = try run.data()
      _ = try train(data, settings: run.settings, checkpoints: CheckpointKeeper(path: folder + "/c"))
      let resumed = try CheckpointKeeper(path: folder + "/c", resuming: Checkpoint(contentsOf: folder + "/c"))
      let rest = try train(data, settings: longer, checkpoints: resumed)
      #expect(rest.model.withoutTimes == (try train(data, settings: longer).model.withoutTimes))
    }
  }

  /// A run that its time limit stopped between two batches goes on where it was.
  @Test(arguments: [ModelKind.fenchel, .admm, .mlp])
  func aStoppedRunGoesOn(model: ModelKind) throws {
    try withFolder { folder in
      var run = ResumableRun(model) { $0.batchSize = 16 }
      let data = try run.data()
      let whole = try train(data, settings: run.settings).model.withoutTimes
      let cancellation = Cancellation()
      let keeper = CheckpointKeeper(path: folder + "/c", interval: 0)
      keeper.observer = { _ in cancellation.request() }
      let part = try train(data, settings: run.settings, checkpoints: keeper, cancellation: cancellation)
      #expect(part.status == .cancelled && part.model.withoutTimes != whole)
      run.settings.timeLimit = 1e6  // limits may differ
      let resumed = try CheckpointKeeper(path: folder + "/c", resuming: Checkpoint(contentsOf: folder + "/c"))
      let rest = try train(data, settings: run.settings, checkpoints: resumed)
      var unlimited = rest.model
      unlimited.report.settings.timeLimit = nil
      #expect(unlimited.withoutTimes == whole)
    }
  }

  /// Early stopping counts on where it was, and keeps the best epoch of both parts.
  @Test func earlyStoppingGoesOn() throws {
    try withFolder { folder in
      let table = try Table.read("iris")
      let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)
      let problem = try TrainingProblem(data, settings: TrainingSettings())
      var training = OrdinaryTraining(epochs: 200, batchSize: 10, learningRate: 0.05)
      training.earlyStopping = EarlyStopping(patience: 3)
      let samples = OrdinaryTraining.Samples(x: problem.inputs, targets: problem.loss.targets)
      let (held, rest) = (samples.x.rows / 3, samples.x.rows)
      func part(_ rows: Range<Int>) throws -> MemorySamples<Double> {
        try training.memory(
          OrdinaryTraining.Samples(
            x: samples.x.selectingRows(rows), targets: samples.targets.selectingRows(rows)), .softmax)
      }
      let (training_, validation) = (try part(held..<rest), try part(0..<held))
      let start: FeedForward<Double> = try Initialiser.xavier.feedForward(
        widths: [samples.x.columns, 6, 3], activations: [.tanh], seed: 1)
      func run(_ keeper: CheckpointKeeper?) throws -> OrdinaryTraining.Outcome<Double> {
        try training.run(from: start, training_, validation: validation, checkpoints: keeper)
      }
      var kept: [Checkpoint] = []
      let keeper = CheckpointKeeper(path: folder + "/c", interval: 0)
      keeper.observer = { kept.append($0) }
      try keeper.begin(TrainingSettings(), loss: .softmax, data: "iris", source: "iris")
      let whole = try run(keeper)
      #expect(whole.status == .completed && whole.epoch < whole.history.count)
      for checkpoint in [kept[3], kept[kept.count / 2], kept[kept.count - 1]] {
        let later = CheckpointKeeper(path: folder + "/d", interval: 1e9, resuming: checkpoint)
        try later.begin(TrainingSettings(), loss: .softmax, data: "iris", source: "iris")
        let rest = try run(later)
        #expect(rest.network == whole.network && rest.epoch == whole.epoch && rest.status == whole.status)
        #expect(rest.history.map(\.validationLoss) == whole.history.map(\.validationLoss))
      }
    }
  }

  /// A folder that cannot be written to: the training ends, and says so.
  @Test func aFullDiskDoesNotEndTheTraining() throws {
    let run = ResumableRun(.mlp) { $0.batchSize = 16 }
    let keeper = CheckpointKeeper(path: "/dev/full", interval: 0)
    let result = try train(run.data(), settings: run.settings, checkpoints: keeper)
    #expect(result.status == .completed && keeper.failure != nil)
    #expect(result.report.warnings.contains { $0.contains("/dev/full") })
  }
}

/// Some training and its data: 90 rows of the digits' first features, two classes of them with other weights.
struct ResumableRun: CustomTestStringConvertible, Sendable {
  var settings = TrainingSettings()

  init(_ model: ModelKind, precision: Precision = .float, _ change: (inout LayerSettings) -> Void) {
    settings.model = model
    settings.precision = precision
    settings.seed = 5
    var layers = LayerSettings(for: model)
    (layers.hidden, layers.epochs) = ([9], 4)
    change(&layers)
    settings.layers = layers
  }

  var testDescription: String {
    let layers = settings.layers ?? LayerSettings()
    return "\(settings.model.rawValue) \(layers.optimizer.rawValue) \(layers.hidden) \(settings.precision)"
  }

  func data() throws -> Dataset<Double> {
    let table = try Table.read("iris")
    var data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)
    data = data.selectingRows((0..<90).map { ($0 * 37) % 150 })
    data.sampleWeights = (0..<90).map { $0 % 3 == 0 ? 2 : 1 }
    return data
  }
}

extension ModelFile {
  /// The file without times and memory, which no two runs share, and the threads, which other tests change meanwhile.
  var withoutTimes: [UInt8] {
    var file = self
    file.report.seconds = 0
    file.report.peakMemoryBytes = 0
    (file.report.environment.threads, file.report.settings.threads) = (0, nil)
    file.report.history = report.history?.map {
      Epoch(number: $0.number, loss: $0.loss, validationLoss: $0.validationLoss, seconds: 0)
    }
    return (try? file.encoded()) ?? []
  }
}
