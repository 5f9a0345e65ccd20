import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// A small problem for a loss: targets that it takes, weights that are not all equal.
struct SmallProblem {
  var network: FeedForward<Double>
  var x: Matrix<Double>
  var targets: Matrix<Double>
  var weights: [Double]

  init(
    _ activations: [Activation], _ loss: LossKind, samples n: Int = 6, widths: [Int] = [3, 4, 3, 2],
    hasBias: Bool = true, seed: UInt64
  ) throws {
    var random = SplitMix64(seed: seed)
    network = try Initialiser.xavier.feedForward(
      widths: widths, activations: activations, hasBias: hasBias, bias: 0.13, seed: seed)
    x = random.matrix(n, widths[0])
    let c = widths[widths.count - 1]
    targets = random.matrix(n, c)
    weights = (0..<n).map { _ in Double.random(in: 0.5..<2, using: &random) }
    for k in 0..<n {
      let chosen = Int.random(in: 0..<c, using: &random)
      for j in 0..<c {
        switch loss {
        case .softmax: targets[k, j] = j == chosen ? 1 : 0
        case .logistic, .hinge, .squaredHinge: targets[k, j] = targets[k, j] > 0 ? 1 : -1
        case .poisson: targets[k, j] = Double(chosen)
        default: break
        }
      }
    }
  }

  func makeLoss(_ kind: LossKind) throws -> any Loss<Double> {
    try kind.makeLoss(targets: targets, weights: weights)
  }
}

@Suite struct BackpropagationTests {
  static let activations: [Activation] =
    Activation.names.filter { $0 != "sign" }.compactMap { try? Activation(name: $0) }
    + [try? .leakyReLU(alpha: 0.3)].compactMap { $0 }

  private static func value(
    _ network: FeedForward<Double>, _ problem: SmallProblem, _ loss: any Loss<Double>, _ scale: Double,
    _ decay: Double
  ) -> Double {
    let squares = network.weights.reduce(0.0) { $0 + inner($1, $1) }
    return scale * loss.value(at: network.output(problem.x)) + decay / 2 * squares
  }

  private static func moved(
    _ network: FeedForward<Double>, _ step: Double, _ direction: [Matrix<Double>]
  ) -> FeedForward<Double> {
    var result = network
    for l in direction.indices { result.weights[l].add(step, direction[l]) }
    return result
  }

  @Test(
    arguments: activations, [LossKind.squared, .softmax, .logistic, .huber, .squaredHinge, .poisson])
  func gradientsAreDifferences(activation: Activation, kind: LossKind) throws {
    for (seed, hasBias) in [(1, true), (2, false)] {
      let problem = try SmallProblem([activation, activation], kind, hasBias: hasBias, seed: UInt64(seed))
      let loss = try problem.makeLoss(kind)
      let network = problem.network
      var work = try Backpropagation<Double>(network.activations)
      var gradient = network.weights
      let value = work.gradient(of: network, problem.x, loss: loss, scale: 0.25, decay: 0.1, into: &gradient)
      let label: Comment = "\(activation), \(kind), seed \(seed)"
      #expect(abs(value - Self.value(network, problem, loss, 0.25, 0.1)) <= 1e-12 * max(1, abs(value)), label)
      var random = SplitMix64(seed: UInt64(seed) + 10)
      for _ in 0..<3 {
        let direction: [Matrix<Double>] = network.weights.map { random.matrix($0.rows, $0.columns) }
        let slope = zip(gradient, direction).reduce(0.0) { $0 + inner($1.0, $1.1) }
        let step = 1e-6
        let up = Self.value(Self.moved(network, step, direction), problem, loss, 0.25, 0.1)
        let down = Self.value(Self.moved(network, -step, direction), problem, loss, 0.25, 0.1)
        #expect(abs((up - down) / (2 * step) - slope) <= 1e-7 * max(1, abs(slope), abs(value)), label)
      }
    }
  }

  @Test(arguments: activations)
  func tangentsAreDifferencesAndAdjoint(activation: Activation) throws {
    let problem = try SmallProblem([activation, activation], .squared, seed: 3)
    let network = problem.network
    var random = SplitMix64(seed: 4)
    let direction: [Matrix<Double>] = network.weights.map { random.matrix($0.rows, $0.columns) }
    var work = try Backpropagation<Double>(network.activations)
    work.forward(network, problem.x)
    #expect(distance(work.output, network.output(problem.x)) <= 1e-12)
    let image = work.tangent(network, problem.x, along: direction)
    let step = 1e-6
    let difference = combine(
      0.5 / step, Self.moved(network, step, direction).output(problem.x),
      -0.5 / step, Self.moved(network, -step, direction).output(problem.x))
    #expect(distance(image, difference) <= 1e-7, "\(activation)")
    let d: Matrix<Double> = random.matrix(image.rows, image.columns)
    var back = network.weights
    work.adjoint(network, problem.x, d, into: &back)
    let product = zip(back, direction).reduce(0.0) { $0 + inner($1.0, $1.1) }
    #expect(abs(product - inner(image, d)) <= 1e-12 * max(1, abs(product)), "\(activation)")
  }

  /// Workspaces serve batches of any size, one after another.
  @Test func batchesOfOtherSizes() throws {
    let problem = try SmallProblem([.relu, .tanh], .squared, samples: 9, seed: 5)
    let loss = try problem.makeLoss(.squared)
    var work = try Backpropagation<Double>(problem.network.activations)
    var (whole, sum) = (problem.network.weights, problem.network.weights)
    let value = work.gradient(of: problem.network, problem.x, loss: loss, into: &whole)
    for l in sum.indices { sum[l].scale(by: 0) }
    var parts = 0.0
    for samples in [ArraySlice([3, 0, 7]), ArraySlice([1, 2, 4, 5, 6, 8])] {
      var part = problem.network.weights
      parts += work.gradient(
        of: problem.network, problem.x.selectingRows(samples), loss: loss.restricted(toSamples: samples),
        into: &part)
      for l in sum.indices { sum[l].add(1, part[l]) }
    }
    #expect(abs(parts - value) <= 1e-12 * value)
    for l in sum.indices { #expect(distance(sum[l], whole[l]) <= 1e-12) }
  }

  @Test func signIsRefused() {
    #expect(throws: BackpropagationError.noDerivative(layer: 1, activation: "sign")) {
      try Backpropagation<Float>([.relu, .sign])
    }
    let text = "\(BackpropagationError.noDerivative(layer: 1, activation: "sign"))"
    #expect(text.hasPrefix("hidden layer 2: the derivative of sign is 0"))
  }
}
