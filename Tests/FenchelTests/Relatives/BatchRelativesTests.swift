import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct DualPropagationTests {
  /// As the nudge goes to 0, the contrast is the gradient of back-propagation; its error falls with the square.
  @Test(arguments: ["tanh", "sigmoid", "softplus", "softmax", "leaky-relu:0.1"], [1, 3, 5])
  func smallNudgesAreBackpropagation(name: String, depth: Int) throws {
    let activation = try #require(Activation(name))
    for kind in [LossKind.squared, .softmax] {
      let problem = try SweepProblem<Double>(activation, kind, depth: depth, seed: UInt64(depth))
      var work = try Backpropagation<Double>(problem.network.activations)
      var exact = problem.network.weights
      work.gradient(of: problem.network, problem.x, loss: problem.data.loss, into: &exact)
      var errors: [Double] = []
      for nudge in [1e-3, 1e-4] {
        var settings = DualPropagationSettings()
        settings.nudge = nudge
        let method = try DualPropagation(problem.network, settings: settings)
        var contrast = exact
        let value = method.differentiate(problem.network, problem.x, problem.data.loss, into: &contrast)
        #expect(abs(value - problem.data.loss.value(at: problem.network.output(problem.x))) < 1e-12)
        errors.append(zip(contrast, exact).map { distance($0, $1) }.max() ?? 0)
      }
      #expect(errors[1] < 1e-6, "\(name), depth \(depth), \(kind): \(errors)")
      if name != "leaky-relu:0.1" { #expect(errors[1] < 0.02 * errors[0] + 1e-10, "\(errors)") }
    }
  }

  @Test func refusals() throws {
    let signs = try SweepProblem<Double>(.sign, .squared, depth: 1, seed: 1)
    #expect(throws: RelativeError.notSmooth(.sign)) { try DualPropagation(signs.network) }
    let relu = try SweepProblem<Double>(.relu, .squared, depth: 1, seed: 1)
    #expect(throws: RelativeError.secondOrder(.lbfgs)) {
      try DualPropagation(relu.network, optimizer: .lbfgs)
    }
    #expect(throws: RelativeError.self) {
      try DualPropagation(relu.network, settings: DualPropagationSettings(["nudge": 0]))
    }
  }
}

@Suite struct ProximalOperatorMachineTests {
  /// Fixed-point steps never raise the value of their block, whatever the norm of the weights, and where they contract
  /// many of them find its minimiser.
  @Test(arguments: ["relu", "tanh", "sigmoid", "leaky-relu:0.1", "softmax"], [0.1, 1, 30])
  func fixedPointSteps(name: String, scale: Double) throws {
    let activation = try #require(Activation(name))
    for seed in 1...5 {
      var random = SplitMix64(seed: UInt64(seed))
      let (w, u): (Matrix<Double>, Matrix<Double>) = (random.matrix(7, 4, scale: scale), random.matrix(9, 6))
      let above = Activation.relu.apply(to: random.matrix(9, 4))
      let block = OutputBlock(
        fit: .outputs(above, try FenchelPenalty(.relu), weight: 20), weights: w, hasBias: true,
        penalty: try FenchelPenalty<Double>(activation), weight: 20, toward: u)
      let start = activation.apply(to: u)
      var value = block.value(start)
      for count in [1, 2, 5, 20] {
        let next = block.value(block.fixedPointSteps(from: start, count: count))
        #expect(next <= value + 1e-9 * abs(value), "\(name), \(count) steps, seed \(seed)")
        value = next
      }
      guard scale == 0.1 else { continue }
      let best = try block.minimise(from: start, tolerance: 1e-13, maximumSteps: 5000)
      let found = block.fixedPointSteps(from: start, count: 200)
      #expect(block.value(found) <= block.value(best) + 1e-8 * (1 + value), "\(name), seed \(seed)")
    }
  }

  /// One batch of all samples and a network of one layer: a step toward Y by ridge regression, 1/(1 + μ) of the way.
  @Test func oneLayerStep() throws {
    var random = SplitMix64(seed: 4)
    let (x, y): (Matrix<Double>, Matrix<Double>) = (random.matrix(20, 3), random.matrix(20, 2))
    var network: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: [3, 2], activations: [], hasBias: false, seed: 1)
    let start = network.weights[0]
    var method = try ProximalOperatorMachine(
      network, settings: ProximalOperatorSettings(["mu": 4, "shift": 0.5]))
    let batch = Batch(x: x, loss: try SquaredLoss(targets: y), mass: 20)
    #expect(method.step(&network, on: batch, learningRate: 1).outcome == .advanced)
    var residual = y
    residual.add(-1, matrixProduct(x, start))
    residual.scale(by: 1.0 / 5)
    var expected = start
    expected.add(1, try RidgeRegression(x, shift: 10).step(residual))
    #expect(distance(network.weights[0], expected) < 1e-12)
  }
}
