import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct LiftedTrainingTests {
  /// The digits with pixels in [0, 1], and a network to start from.
  private func digits<T: Scalar>(
    hidden: [Int], _ activation: Activation = .relu, of _: T.Type = T.self
  ) throws -> (x: Matrix<T>, y: Matrix<T>, labels: [Int], start: FeedForward<T>) {
    let table = try Table.read("digits")
    let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)
    var x = data.features
    x.scale(by: 1.0 / 16)
    guard case .classes(let indices, let count) = data.targets else {
      throw TrainingError.noTargets("digits")
    }
    let labels = indices.map { Int($0) }
    let start: FeedForward<T> = try Initialiser.xavier.feedForward(
      widths: [x.columns] + hidden + [count],
      activations: [Activation](repeating: activation, count: hidden.count), bias: 0.1, seed: 3)
    return (x.converted(to: T.self), oneHot(labels, count), labels, start)
  }

  private func settings(_ change: (inout LiftedSettings) -> Void = { _ in }) -> LiftedSettings {
    var settings = LiftedSettings()
    settings.epochs = 10
    settings.batchSize = 100
    change(&settings)
    return settings
  }

  private func accuracy<T: Scalar>(_ network: FeedForward<T>, _ x: Matrix<T>, _ labels: [Int]) throws
    -> Double
  {
    let f = try network.network().predict(x.converted(to: Double.self))
    return Metrics.accuracy(Scores.classes(f), labels)
  }

  @Test(arguments: [[50], [60, 40], [60, 40, 30, 20]])
  func batchesTrainNetworksOfAnyDepth(hidden: [Int]) throws {
    let (x, y, labels, start) = try digits(hidden: hidden, of: Float.self)
    let training = LiftedTraining<Float>(.fenchel, settings: settings())
    let outcome = try training.run(
      from: start, x: x, targets: y, weights: [Float](repeating: 1, count: x.rows), loss: .softmax)
    #expect(outcome.status == .completed && outcome.history.map(\.number) == Array(1...10))
    let share = try accuracy(outcome.network, x, labels)
    #expect(share > 0.97, "\(hidden): \(share)")
  }

  /// A running mean looks back on a tenth of the run at most: on nothing for nine steps, then on more; not where steps are
  /// those of convolutions, or blocks are solved.
  @Test func runningMeans() throws {
    let (x, y, _, start) = try digits(hidden: [30], of: Float.self)
    let ones = [Float](repeating: 1, count: x.rows)
    func network(_ change: (inout LiftedSettings) -> Void) throws -> FeedForward<Float> {
      try LiftedTraining<Float>(.fenchel, settings: settings(change)).run(
        from: start, x: x, targets: y, weights: ones, loss: .softmax
      ).network
    }
    for (epochs, batch, isSame) in [(3, x.rows / 3 + 1, true), (10, x.rows / 3 + 1, false)] {
      let last = try network { ($0.epochs, $0.batchSize, $0.batched.averagedSteps) = (epochs, batch, 1) }
      let mean = try network { ($0.epochs, $0.batchSize) = (epochs, batch) }
      #expect((last == mean) == isSame, "\(epochs) epochs")
      let difference = zip(last.weights, mean.weights).map { distance($0, $1) }.reduce(0, +)
      #expect(difference < 0.5 * Double(start.weights[0].frobeniusNorm))
    }
    let solved: (inout LiftedSettings) -> Void = {
      ($0.epochs, $0.batchSize, $0.batched.solvesBlocks) = (4, 400, true)
    }
    #expect(
      try network(solved)
        == network {
          solved(&$0)
          $0.batched.averagedSteps = 1
        })
    let plan = LayerPlan.dense([5])
    #expect(LiftedSettings(plan: plan).batched.averagedSteps > 1)
  }

  /// A first epoch that makes everything worse, though with numbers, is not what later ones are measured by.
  @Test func aFirstEpochMayNotExplode() throws {
    let (x, y, labels, start) = try digits(hidden: [30], of: Float.self)
    let outcome = try LiftedTraining<Float>(
      .fenchel,
      settings: settings { ($0.batched.relaxation, $0.batched.momentum, $0.epochs) = (300, 0, 12) }
    ).run(from: start, x: x, targets: y, weights: [Float](repeating: 1, count: x.rows), loss: .softmax)
    let chance = 2.302585
    #expect(outcome.status == .completed && outcome.history.allSatisfy { $0.loss <= 2 * chance })
    let share = try accuracy(outcome.network, x, labels)
    #expect(share > 0.9, "\(share)")
  }

  /// A sample far from all others ruins the network in its batch, which no later batch of the epoch may show.
  @Test(arguments: 0..<6)
  func anOutlierIsSurvived(seed: UInt64) throws {
    var x: Matrix<Float> = Philox(seed: 7, stream: 1).normalMatrix(1000, 3)
    let y = Matrix<Float>(column: (0..<1000).map { x[$0, 0] - 0.5 * abs(x[$0, 1]) })
    for k in 0..<1000 { x[k, 2] *= 0.001 }
    x[500, 2] = 31.6
    let start: FeedForward<Float> = try Initialiser.xavier.feedForward(
      widths: [3, 300, 1], activations: [.relu], bias: 0.1, seed: seed)
    let outcome = try LiftedTraining<Float>(
      .fenchel, settings: settings { ($0.batchSize, $0.epochs, $0.seed) = (100, 8, seed) }
    ).run(from: start, x: x, targets: y, weights: [Float](repeating: 1, count: 1000), loss: .squared)
    #expect(outcome.status == .completed && outcome.history.count == 8)
    var residual = outcome.network.output(x)
    residual.add(-1, y)
    let (mean, constant) = (residual.inner(residual) / 2000, y.inner(y) / 2000)
    #expect(mean < constant / 2, "\(mean) where outputs of 0 have \(constant)")
  }

  @Test(arguments: ["tanh", "sigmoid", "leaky-relu:0.1", "softplus", "hard-tanh", "sine"])
  func batchesTrainEveryActivation(name: String) throws {
    let activation = try #require(Activation(name))
    let (x, y, labels, start) = try digits(hidden: [50], activation, of: Float.self)
    let outcome = try LiftedTraining<Float>(.fenchel, settings: settings()).run(
      from: start, x: x, targets: y, weights: [Float](repeating: 1, count: x.rows), loss: .softmax)
    let share = try accuracy(outcome.network, x, labels)
    #expect(share > 0.93, "\(name): \(share)")
  }

  @Test(arguments: [LiftedForm.fenchel, .squaredDistance])
  func wholeDataNeverRises(form: LiftedForm) throws {
    let (x, y, labels, start) = try digits(hidden: [40], of: Double.self)
    let training = LiftedTraining<Double>(
      form,
      settings: settings {
        $0.batchSize = nil
        $0.λ = 0.2
      })
    let outcome = try training.run(
      from: start, x: x, targets: y, weights: [Double](repeating: 1, count: x.rows), loss: .softmax)
    let values = outcome.history.map(\.loss)
    #expect(zip(values, values.dropFirst()).allSatisfy { $0 >= $1 })
    #expect(outcome.objective?.total == values.last)
    let share = try accuracy(outcome.network, x, labels)
    #expect(share > 0.8, "\(form): \(share)")
  }

  @Test(arguments: [nil, 100])
  func sameBits(batchSize: Int?) throws {
    let (x, y, _, start) = try digits(hidden: [30, 20], of: Float.self)
    try expectSameForAnyThreads("batches of \(batchSize ?? x.rows)") {
      try LiftedTraining<Float>(
        .fenchel,
        settings: settings {
          $0.batchSize = batchSize
          $0.epochs = 2
        }
      ).run(from: start, x: x, targets: y, weights: [Float](repeating: 1, count: x.rows), loss: .softmax)
        .network
    }
  }

  /// Steps far too long end in shorter ones or in a stated failure, never in weights that are not finite.
  @Test(arguments: [30.0, 1e4, 1e30])
  func wildStepsEndFinite(relaxation: Double) throws {
    let (x, y, _, start) = try digits(hidden: [20, 20], of: Float.self)
    let training = LiftedTraining<Float>(
      .fenchel,
      settings: settings {
        $0.batched.relaxation = relaxation
        $0.epochs = 5
      })
    let outcome = try training.run(
      from: start, x: x, targets: y, weights: [Float](repeating: 1, count: x.rows), loss: .softmax)
    #expect(outcome.status == .completed || outcome.status == .numericalFailure)
    #expect(outcome.network.weights.allSatisfy { $0.firstNonFinite == nil })
  }

  @Test func limitsKeepTheNetworkSoFar() throws {
    let (x, y, _, start) = try digits(hidden: [20], of: Float.self)
    let weights = [Float](repeating: 1, count: x.rows)
    var training = LiftedTraining<Float>(.fenchel, settings: settings { $0.epochs = 1_000_000 })
    training.limits.seconds = 0.2
    let timed = try training.run(from: start, x: x, targets: y, weights: weights, loss: .softmax)
    #expect(timed.status == .stoppedAtLimit(.time) && !timed.history.isEmpty)
    training.limits.cancellation = Cancellation()
    training.limits.cancellation?.request()
    let cancelled = try training.run(from: start, x: x, targets: y, weights: weights, loss: .softmax)
    #expect(cancelled.status == .cancelled && cancelled.history.isEmpty)
    training = LiftedTraining<Float>(.fenchel, settings: settings { $0.epochs = 0 })
    #expect(
      try training.run(from: start, x: x, targets: y, weights: weights, loss: .softmax).history.isEmpty)
  }

  @Test func wrongSettingsAreErrors() throws {
    let (x, y, _, start) = try digits(hidden: [20], of: Float.self)
    let wrong: [(inout LiftedSettings) -> Void] = [
      { $0.λ = 0 }, { $0.λ = -1 }, { $0.batched.λ = .nan }, { $0.batched.proximity = 0 },
      { $0.batched.lastProximity = -.infinity }, { $0.batched.momentum = 1 }, { $0.batched.momentum = -0.1 },
      { $0.batched.relaxation = 0 }, { $0.inputShare = 0 }, { $0.inputShare = 1.5 }, { $0.batchSize = 0 },
      { $0.batched.averagedSteps = 0 }, { $0.batched.imagePull = 0 }, { $0.batched.ridge = -1 },
      { $0.batched.stepShare = .nan },
      { ($0.batchSize, $0.ρ) = (nil, -1) },
    ]
    for change in wrong {
      #expect(throws: LiftedError.self) {
        try LiftedTraining<Float>(.fenchel, settings: settings(change)).run(
          from: start, x: x, targets: y, weights: [Float](repeating: 1, count: x.rows), loss: .softmax)
      }
    }
    let signs: FeedForward<Float> = try Initialiser.xavier.feedForward(
      widths: [64, 5, 10], activations: [.sign], seed: 0)
    let tanh: FeedForward<Float> = try Initialiser.xavier.feedForward(
      widths: [64, 5, 10], activations: [.tanh], seed: 0)
    let narrow: FeedForward<Float> = try Initialiser.xavier.feedForward(
      widths: [63, 5, 10], activations: [.relu], seed: 0)
    let ones = [Float](repeating: 1, count: x.rows)
    for (form, network, kind) in [
      (LiftedForm.fenchel, signs, LossKind.softmax), (.squaredDistance, tanh, .softmax),
      (.fenchel, narrow, .softmax), (.fenchel, start, .absolute),
    ] {
      for batchSize in [nil, 100] {
        #expect(throws: LiftedError.self, "\(form), \(network.activations), \(kind)") {
          try LiftedTraining<Float>(form, settings: settings { $0.batchSize = batchSize }).run(
            from: network, x: x, targets: y, weights: ones, loss: kind)
        }
      }
    }
  }
}
