import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct LiftedPredictionTests {
  private func network(
    _ activation: Activation, depth: Int, outputs: Int, seed: UInt64
  ) throws -> FeedForward<Double> {
    try Initialiser.xavier.feedForward(
      widths: [4] + [Int](repeating: 6, count: depth) + [outputs],
      activations: [Activation](repeating: activation, count: depth), bias: 0.2, seed: seed)
  }

  /// The model's value of one row at feed-forward outputs with the best y.
  private func forwardValue(
    _ network: FeedForward<Double>, _ x: Matrix<Double>, _ kind: LossKind, _ form: LiftedForm, λ: Double
  ) throws -> Double {
    let c = network.widths.last ?? 0
    let depth = network.activations.count
    let candidates: [Matrix<Double>] =
      switch kind {
      case .softmax: (0..<c).map { oneHot([$0], c) }
      case .logistic: [Matrix(rows: [[-1]]), Matrix(rows: [[1]])]
      default: [network.output(x)]
      }
    let values = try candidates.map { y in
      try LiftedProgram(
        x: x, loss: kind.makeLoss(targets: y), kind: kind, activations: network.activations, form: form,
        λ: [Double](repeating: λ, count: depth), ρ: [Double](repeating: 0, count: depth + 1)
      ).objective(at: LiftedPoint(forward: network, on: x)).total
    }
    return values.min() ?? .nan
  }

  /// The rule never has a larger value than feed-forward outputs, and is these where they are the minimiser.
  @Test(arguments: [LossKind.squared, .softmax, .logistic, .huber], 1...4)
  func neverAboveFeedForward(kind: LossKind, depth: Int) throws {
    var random = SplitMix64(seed: 20)
    let x: Matrix<Double> = random.matrix(15, 4)
    let c = kind == .logistic ? 1 : 3
    for (activation, form) in [
      (Activation.relu, LiftedForm.fenchel), (.tanh, .fenchel), (.relu, .squaredDistance),
      (.hardTanh, .squaredDistance),
    ] {
      let network = try network(activation, depth: depth, outputs: c, seed: UInt64(depth))
      let rule = try LiftedPrediction(
        network, form: form, λ: [Double](repeating: 0.3, count: depth), loss: kind)
      let result = try rule.predict(x)
      let label: Comment = "\(activation), \(form), \(kind), depth \(depth)"
      for k in 0..<15 {
        let forward = try forwardValue(network, x.selectingRows([k]), kind, form, λ: 0.3)
        #expect(result.values[k] <= forward * (1 + 1e-12) + 1e-12, label)
      }
      let isNumber = kind == .squared || kind == .huber
      if isNumber, form == .fenchel || depth == 1 {
        #expect(distance(result.outputs, network.output(x)) <= 1e-12, label)
      }
      if isNumber, form == .squaredDistance, depth > 1 {
        #expect(distance(result.outputs, network.output(x)) > 1e-3, label)
      }
    }
  }

  /// A large λ holds the outputs at the feed-forward ones, whose best class is the largest score.
  @Test func stiffPenaltiesPredictFeedForward() throws {
    var random = SplitMix64(seed: 21)
    let x: Matrix<Double> = random.matrix(200, 4)
    let network = try network(.relu, depth: 2, outputs: 3, seed: 5)
    let rule = try LiftedPrediction(network, form: .fenchel, λ: [1e6, 1e6], loss: .softmax)
    let result = try rule.predict(x)
    #expect(Scores.classes(result.outputs) == Scores.classes(network.output(x)))
    #expect(distance(result.outputs, network.output(x)) <= 1e-4 * network.output(x).inner(network.output(x)))
  }

  /// The class whose value is least is the one whose score is largest at its own minimiser.
  @Test func theClassIsTheLargestScore() throws {
    var random = SplitMix64(seed: 22)
    let x: Matrix<Double> = random.matrix(40, 4)
    let network = try network(.relu, depth: 1, outputs: 3, seed: 6)
    let rule = try LiftedPrediction(network, form: .fenchel, λ: [0.05], loss: .softmax)
    let result = try rule.predict(x)
    let classes = Scores.classes(result.outputs)
    for k in 0..<40 {
      let row = x.selectingRows([k])
      let values = try (0..<3).map { j in
        let program = try LiftedProgram(
          x: row, loss: SoftmaxLoss(targets: oneHot([j], 3)), kind: .softmax, activations: [.relu], λ: [0.05],
          ρ: [0, 0])
        var descent = try BlockCoordinateDescent(program, from: network, tolerance: 1e-10, maximumSteps: 1000)
        try descent.updateOutputs(0)
        return descent.objective.total
      }
      #expect(values[classes[k]] <= (values.min() ?? 0) * (1 + 1e-7))
      #expect(abs(result.values[k] - values[classes[k]]) <= 1e-7 * max(1, result.values[k]))
    }
  }

  @Test func wrongModelsAreErrors() throws {
    let network = try network(.relu, depth: 1, outputs: 3, seed: 6)
    #expect(throws: LiftedError.self) {
      try LiftedPrediction(network, form: .fenchel, λ: [1], loss: .absolute)
    }
    #expect(throws: LiftedError.self) {
      try LiftedPrediction(network, form: .fenchel, λ: [-1], loss: .softmax)
    }
    #expect(throws: LiftedError.self) {
      try LiftedPrediction(network, form: .fenchel, λ: [], loss: .softmax)
    }
  }
}
