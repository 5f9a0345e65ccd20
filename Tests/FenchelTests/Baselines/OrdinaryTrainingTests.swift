import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct OrdinaryTrainingTests {
  typealias Samples = OrdinaryTraining.Samples<Double>

  /// Noisy values of a network that training has to find.
  private static func regression(
    _ n: Int, widths: [Int] = [4, 6, 1], noise: Double = 0.05, seed: UInt64
  ) throws -> (start: FeedForward<Double>, samples: Samples) {
    let activations = [Activation](repeating: .tanh, count: widths.count - 2)
    let teacher: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: widths, activations: activations, bias: 0.3, seed: seed)
    let start: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: widths, activations: activations, seed: seed + 1)
    let x: Matrix<Double> = Philox(seed: seed, stream: 100).normalMatrix(n, widths[0])
    var y = teacher.output(x)
    y.scale(by: 3)
    y.add(noise, Philox(seed: seed, stream: 101).normalMatrix(n, y.columns))
    return (start, Samples(x: x, targets: y))
  }

  private static func loss(_ network: FeedForward<Double>, _ samples: Samples, _ kind: LossKind) throws
    -> Double
  {
    let loss = try kind.makeLoss(targets: samples.targets, weights: samples.weights)
    return loss.value(at: network.output(samples.x)) / samples.weights.reduce(0, +)
  }

  @Test(arguments: Optimizer.allCases)
  func everyMethodLowersTheLoss(optimizer: Optimizer) throws {
    let (start, samples) = try Self.regression(200, seed: 1)
    let training = OrdinaryTraining(optimizer: optimizer, epochs: 20, batchSize: 50, weightDecay: 1e-4)
    let outcome = try training.run(from: start, samples, loss: .squared)
    let losses = try (Self.loss(start, samples, .squared), Self.loss(outcome.network, samples, .squared))
    #expect(losses.1 < 0.9 * losses.0, "\(optimizer): \(losses)")
    #expect(outcome.history.map(\.number) == Array(1...outcome.history.count))
    let single = try FeedForward<Float>(
      weights: start.weights.map { $0.converted(to: Float.self) }, activations: start.activations)
    let rough = try training.run(
      from: single, x: samples.x.converted(to: Float.self),
      targets: samples.targets.converted(to: Float.self),
      loss: .squared)
    let last = try Self.loss(
      FeedForward(
        weights: rough.network.weights.map { $0.converted(to: Double.self) }, activations: start.activations),
      samples, .squared)
    #expect(last < 0.9 * losses.0, "\(optimizer) in Float: \(last)")
  }

  @Test(arguments: [Optimizer.gaussNewton, .kfac], [UInt64(2), 3])
  func curvatureBeatsDescent(optimizer: Optimizer, seed: UInt64) throws {
    let (start, samples) = try Self.regression(300, seed: seed)
    func final(_ optimizer: Optimizer, _ rate: Double?) throws -> Double {
      let training = OrdinaryTraining(optimizer: optimizer, epochs: 15, batchSize: 100, learningRate: rate)
      return try Self.loss(training.run(from: start, samples, loss: .squared).network, samples, .squared)
    }
    let descent = try [0.01, 0.03, 0.1, 0.3].map { try final(.sgd, $0) }.min() ?? 0
    let second = try final(optimizer, nil)
    #expect(second < descent, "\(optimizer): \(second), descent \(descent)")
  }

  /// Without hidden layers the squared loss is quadratic: both end at the solution of the normal equations.
  @Test(arguments: [Optimizer.gaussNewton, .lbfgs])
  func linearRegressionIsSolved(optimizer: Optimizer) throws {
    let (start, samples) = try Self.regression(50, widths: [4, 2], seed: 4)
    let η = 0.1
    let training = OrdinaryTraining(optimizer: optimizer, epochs: 200, batchSize: 50, weightDecay: η)
    let w = try training.run(from: start, samples, loss: .squared).network.weights[0]
    let wide = Matrix(rows: (0..<50).map { samples.x.row($0) + [1] })
    var residual = matrixProduct(wide, w)
    residual.add(-1, samples.targets)
    var gradient = matrixProduct(wide, .yes, residual)
    gradient.scale(by: 1.0 / 50)
    gradient.add(η, w)
    #expect(gradient.frobeniusNorm < 1e-6, "\(optimizer)")
  }

  @Test func sampleWeightsAreCopies() throws {
    let (start, samples) = try Self.regression(8, seed: 5)
    var doubled = samples
    doubled.weights[3] = 2
    let repeated = (0..<8) + [3]
    let copies = Samples(
      x: samples.x.selectingRows(repeated), targets: samples.targets.selectingRows(repeated))
    for optimizer in Optimizer.allCases where optimizer != .kfac {
      let training = OrdinaryTraining(optimizer: optimizer, epochs: 3, batchSize: 9)
      let one = try training.run(from: start, doubled, loss: .squared)
      let other = try training.run(from: start, copies, loss: .squared)
      for (a, b) in zip(one.network.weights, other.network.weights) {
        #expect(distance(a, b) <= 1e-9, "\(optimizer)")
      }
    }
  }

  @Test func samplesWithoutWeightDoNotCount() throws {
    var (start, samples) = try Self.regression(40, seed: 6)
    for k in 0..<40 { samples.weights[k] = k < 2 ? 1 : 0 }
    let outcome = try OrdinaryTraining(epochs: 3, batchSize: 4).run(from: start, samples, loss: .squared)
    #expect(outcome.status == .completed)
    #expect(outcome.history.allSatisfy { $0.loss.isFinite })
    start = outcome.network
    #expect(start.weights.allSatisfy { $0.firstNonFinite == nil })
  }

  @Test(arguments: Optimizer.allCases)
  func noEpochsIsTheStart(optimizer: Optimizer) throws {
    let (start, samples) = try Self.regression(20, seed: 7)
    let outcome = try OrdinaryTraining(optimizer: optimizer, epochs: 0).run(
      from: start, samples, loss: .squared)
    #expect(outcome.network == start && outcome.history.isEmpty && outcome.epoch == 0)
    #expect(outcome.status == .completed)
  }

  @Test(arguments: [Optimizer.sgd, .momentum, .adam])
  func aStepTooLongKeepsTheWeights(optimizer: Optimizer) throws {
    let (start, samples) = try Self.regression(60, seed: 8)
    let training = OrdinaryTraining(optimizer: optimizer, epochs: 50, batchSize: 20, learningRate: 1e300)
    let outcome = try training.run(from: start, samples, loss: .squared)
    #expect(outcome.status == .numericalFailure)
    #expect(outcome.network.weights.allSatisfy { $0.firstNonFinite == nil })
  }

  @Test func limitsAndCancellation() throws {
    let (start, samples) = try Self.regression(20, seed: 9)
    let cancellation = Cancellation()
    cancellation.request()
    let settings = OrdinaryTraining(cancellation: cancellation)
    #expect(try settings.run(from: start, samples, loss: .squared).status == .cancelled)
    for optimizer in [Optimizer.adam, .lbfgs] {
      let brief = OrdinaryTraining(optimizer: optimizer, epochs: 1000, seconds: 0)
      #expect(try brief.run(from: start, samples, loss: .squared).status == .stoppedAtLimit(.time))
    }
  }

  @Test func progressIsTheHistory() throws {
    let (start, samples) = try Self.regression(30, seed: 10)
    var seen: [Epoch] = []
    let outcome = try OrdinaryTraining(epochs: 4, batchSize: 8).run(
      from: start, samples, loss: .squared, progress: { epoch, _ in seen.append(epoch) })
    #expect(seen == outcome.history && seen.count == 4)
  }

  @Test(arguments: [Optimizer.adam, .lbfgs])
  func earlyStoppingKeepsTheBest(optimizer: Optimizer) throws {
    let (start, samples) = try Self.regression(40, widths: [4, 30, 1], noise: 2, seed: 11)
    var training = OrdinaryTraining(
      optimizer: optimizer, epochs: 3000, batchSize: 40, learningRate: optimizer == .adam ? 0.01 : nil,
      earlyStopping: EarlyStopping(patience: 5, fraction: 0.25))
    let outcome = try training.run(from: start, samples, loss: .squared)
    #expect(outcome.status == .completed && outcome.history.count < 3000)
    let held = outcome.history.compactMap(\.validationLoss)
    #expect(held.count == outcome.history.count)
    #expect(outcome.epoch == (held.firstIndex(of: held.min() ?? 0) ?? 0) + 1)
    #expect(outcome.history.count == outcome.epoch + 5)
    let given = try Self.regression(30, widths: [4, 30, 1], noise: 2, seed: 12).samples
    training.epochs = 300
    let other = try training.run(from: start, samples, loss: .squared, validation: given)
    let best = other.history.compactMap(\.validationLoss).min() ?? 0
    #expect(try abs(Self.loss(other.network, given, .squared) - best) <= 1e-9 * best)
  }

  /// Of epochs that all are worse than the start, or have no loss at all, the start is left.
  @Test(arguments: [50.0, 1e30])
  func earlyStoppingKnowsTheStart(rate: Double) throws {
    let (start, samples) = try Self.regression(40, widths: [4, 30, 1], noise: 0.1, seed: 11)
    let trained = try OrdinaryTraining(epochs: 200, batchSize: 40, learningRate: 0.01).run(
      from: start, samples, loss: .squared
    ).network
    let outcome = try OrdinaryTraining(
      optimizer: .sgd, epochs: 20, batchSize: 40, learningRate: rate,
      earlyStopping: EarlyStopping(patience: 2, fraction: 0.25)
    ).run(from: trained, samples, loss: .squared)
    #expect(outcome.epoch == 0 && outcome.network == trained && outcome.history.count <= 2)
  }

  @Test(arguments: Optimizer.allCases)
  func sameBitsForAnyThreads(optimizer: Optimizer) throws {
    let (start, samples) = try Self.regression(700, widths: [60, 90, 5], seed: 13)
    let training = OrdinaryTraining(
      optimizer: optimizer, epochs: 2, batchSize: 350, weightDecay: 1e-3, seed: 3)
    try expectSameForAnyThreads(optimizer.rawValue) {
      try training.run(from: start, samples, loss: .squared).network
    }
  }
}
