import ConvexOptimization
import Fenchel
import LinearAlgebra
import Testing

/// What ordinary training refuses, and what its small types read and write.
@Suite struct TrainingArgumentTests {
  private let x = Matrix<Double>(rows: [[1, 2], [3, 4], [5, 6]])
  private let y = Matrix<Double>(column: [1, 2, 3])

  private func network() throws -> FeedForward<Double> {
    try Initialiser.xavier.feedForward(widths: [2, 3, 1], activations: [.relu], seed: 1)
  }

  private func refusal(
    _ change: (inout OrdinaryTraining) -> Void = { _ in }, x: Matrix<Double>? = nil, y: Matrix<Double>? = nil,
    weights: [Double]? = nil, network: FeedForward<Double>? = nil
  ) -> String {
    var training = OrdinaryTraining(epochs: 1)
    change(&training)
    do {
      _ = try training.run(
        from: network ?? self.network(), x: x ?? self.x, targets: y ?? self.y, weights: weights,
        loss: .squared)
      return "nothing refused"
    } catch { return "\(error)" }
  }

  @Test func settings() {
    for rate in [0, -1, Double.nan, .infinity] {
      #expect(refusal { $0.learningRate = rate } == "learning rate \(rate): give a finite number above 0")
    }
    #expect(refusal { $0.batchSize = 0 } == "batch size 0: give at least 1")
    #expect(refusal { $0.epochs = -1 } == "epochs -1: give at least 0")
    for decay in [-1, Double.nan, .infinity] {
      #expect(
        refusal { $0.weightDecay = decay } == "weight decay \(decay): give a finite number of at least 0")
    }
    #expect(refusal { $0.seconds = .nan }.hasPrefix("time limit nan"))
    #expect(refusal { $0.schedule = .step(epochs: 0, factor: 0.5) }.contains("give at least 1"))
    #expect(
      refusal { $0.schedule = .step(epochs: 1, factor: 0) }.hasPrefix("factor of the learning rate 0.0"))
    #expect(refusal { $0.earlyStopping = EarlyStopping(patience: 0) } == "patience 0: give at least 1")
    #expect(refusal { $0.earlyStopping = EarlyStopping(minimumDecrease: .nan) }.hasPrefix("least decrease"))
    for share in [0, 1, Double.nan] {
      #expect(refusal { $0.earlyStopping = EarlyStopping(fraction: share) }.hasPrefix("share of samples"))
    }
  }

  @Test func shapes() throws {
    #expect(
      refusal(y: Matrix(column: [1, 2]))
        == "3 rows of features, 2 of targets and 2 sample weights; give as many of each")
    #expect(refusal(weights: [1, 1]).hasPrefix("3 rows of features, 3 of targets and 2 sample weights"))
    #expect(refusal(x: Matrix(3, 4)).hasPrefix("4 features for a network of 2 inputs"))
    #expect(refusal(y: Matrix(3, 2)).hasPrefix("2 columns of targets for a network of 1 output"))
    #expect(refusal(x: Matrix(0, 2), y: Matrix(0, 1)).hasPrefix("0 samples; training needs at least 1"))
    #expect(
      refusal({ $0.earlyStopping = EarlyStopping() }, x: Matrix(1, 2), y: Matrix(1, 1))
        == "1 sample; training with early stopping, which holds samples out, needs at least 2")
    #expect(refusal(weights: [0, 0, 0]).hasPrefix("all sample weights are 0"))
    #expect(refusal(weights: [1, -1, 0]).contains("row 2 is -1.0"))
    #expect(
      refusal(x: Matrix(rows: [[1, 2], [3, .nan], [5, 6]])).hasPrefix(
        "features: row 2, column 2 is not a finite"))
    #expect(refusal(y: Matrix(column: [1, .infinity, 3])).hasPrefix("targets: row 2"))
    var broken = try network()
    broken.weights[1][0, 0] = .nan
    #expect(refusal(network: broken).hasPrefix("a weight of layer 2"))
    let stepwise: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: [2, 3, 1], activations: [.sign], seed: 1)
    #expect(refusal(network: stepwise).hasPrefix("hidden layer 1: the derivative of sign"))
  }

  @Test func schedules() {
    let all: [LearningRateSchedule] = [.constant, .cosine, .inverseSquareRoot, .step(epochs: 3, factor: 0.5)]
    for schedule in all {
      #expect(LearningRateSchedule(schedule.description) == schedule)
      #expect(schedule.factor(epoch: 0, of: 10) == 1)
    }
    #expect(LearningRateSchedule.cosine.factor(epoch: 5, of: 10) == 0.5)
    #expect(LearningRateSchedule.inverseSquareRoot.factor(epoch: 3, of: 10) == 0.5)
    #expect((0..<7).map { all[3].factor(epoch: $0, of: 7) } == [1, 1, 1, 0.5, 0.5, 0.5, 0.25])
    for text in ["", "linear", "step", "step:3", "step:0:0.5", "step:3:0", "step:3:nan", "cosine:1"] {
      #expect(LearningRateSchedule(text) == nil, "\(text)")
    }
  }

  @Test func names() {
    #expect(
      Optimizer.allCases.map(\.rawValue)
        == ["sgd", "momentum", "adagrad", "rmsprop", "adam", "l-bfgs", "gauss-newton", "kfac"])
  }
}
