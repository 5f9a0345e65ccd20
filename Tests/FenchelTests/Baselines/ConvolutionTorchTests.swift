import ConvexOptimization
import Fenchel
import FenchelTestSupport
import FoundationEssentials
import LinearAlgebra
import Testing

/// A network of `convolutions.json`, whose inputs and weights follow from formulas.
struct ConvolutionFixture: Decodable, Sendable, CustomTestStringConvertible {
  var activation, loss: String
  var image: [Int]
  var outputs: Int
  var layers: [String]
  var output: [[Double]]
  var value: Double
  var norms: [Double]
  /// Of every layer about 40 entries, evenly spread.
  var gradient, adam: [[Double]]
  var testDescription: String { "\(image), \(layers)" }

  static let all: [ConvolutionFixture] = {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/convolutions.json")
    let data = try? Data(contentsOf: file)
    return data.flatMap { try? JSONDecoder().decode([ConvolutionFixture].self, from: $0) } ?? []
  }()

  static func wave(_ rows: Int, _ columns: Int, phase: Double, scale: Double = 1) -> Matrix<Double> {
    Matrix(
      rows, columns, storage: (0..<rows * columns).map { .sin(Double($0) * 0.7 + phase) * scale })
  }

  var shape: ImageShape { ImageShape(channels: image[0], height: image[1], width: image[2]) }
  var samples: Int { output.count }
  var x: Matrix<Double> { Self.wave(samples, shape.count, phase: 0.3) }

  var targets: Matrix<Double> {
    var y = Matrix<Double>(samples, outputs)
    for k in 0..<samples { y[k, k % outputs] = 1 }
    return y
  }

  func network<T: Scalar>(_: T.Type) throws -> FeedForward<T> {
    let activation = try #require(Activation(activation))
    let plan = LayerPlan(steps: try layers.map { try LayerPlan.Step($0) })
    var network: FeedForward<T> = try plan.network(
      inputs: shape.count, outputs: outputs, image: shape, activation: activation, seed: 1)
    for l in network.weights.indices {
      let (rows, columns) = (network.weights[l].rows, network.weights[l].columns)
      network.weights[l] = Self.wave(
        rows, columns, phase: Double(l), scale: 1 / Double(rows - 1).squareRoot()
      ).converted(to: T.self)
    }
    return network
  }

  static func sampled<T: Scalar>(_ w: Matrix<T>) -> Matrix<Double> {
    let step = max(1, w.count / 40)
    return Matrix(column: stride(from: 0, to: w.count, by: step).map { Double(w.storage[$0]) })
  }
}

/// Convolutional networks against PyTorch's (`Scripts/torch_fixtures.py`).
@Suite struct ConvolutionTorchTests {
  @Test func fixturesAreThere() { #expect(ConvolutionFixture.all.count == 4) }

  @Test(arguments: ConvolutionFixture.all)
  func valuesAndGradients(of fixture: ConvolutionFixture) throws {
    try check(fixture, Double.self, 1e-10)
    try check(fixture, Float.self, 1e-5)
  }

  private func check<T: Scalar>(_ fixture: ConvolutionFixture, _: T.Type, _ tolerance: Double) throws {
    let network = try fixture.network(T.self)
    let x = fixture.x.converted(to: T.self)
    #expect(distance(network.output(x), Matrix(rows: fixture.output)) <= tolerance, "\(T.self)")
    let kind = try #require(LossKind(rawValue: fixture.loss))
    let loss = try kind.makeLoss(targets: fixture.targets.converted(to: T.self))
    var work = try Backpropagation<T>(network.activations)
    var gradient = network.weights
    let value = work.gradient(
      of: network, x, loss: loss, scale: 1 / T(fixture.samples), into: &gradient)
    #expect(abs(Double(value) - fixture.value) <= tolerance * max(1, fixture.value))
    for (l, ours) in gradient.enumerated() {
      #expect(abs(Double(ours.frobeniusNorm) - fixture.norms[l]) <= tolerance, "layer \(l), \(T.self)")
      #expect(
        distance(ConvolutionFixture.sampled(ours), Matrix(column: fixture.gradient[l])) <= tolerance,
        "layer \(l), \(T.self)")
    }
  }

  @Test(arguments: ConvolutionFixture.all)
  func stepsOfAdam(fixture: ConvolutionFixture) throws {
    let training = OrdinaryTraining(optimizer: .adam, epochs: 3, batchSize: 4, learningRate: 0.01)
    let outcome = try training.run(
      from: fixture.network(Double.self), x: fixture.x, targets: fixture.targets,
      loss: try #require(LossKind(rawValue: fixture.loss)))
    for (l, ours) in outcome.network.weights.enumerated() {
      #expect(distance(ConvolutionFixture.sampled(ours), Matrix(column: fixture.adam[l])) <= 1e-8)
    }
  }

  /// Gauss–Newton sees the derivative along a change of all weights: it must be the one of finite differences.
  @Test(arguments: ConvolutionFixture.all.prefix(3))
  func tangents(fixture: ConvolutionFixture) throws {
    let network = try fixture.network(Double.self)
    let x = fixture.x
    var work = try Backpropagation<Double>(network.activations)
    work.forward(network, x)
    let along = network.weights.enumerated().map { l, w in
      Philox(seed: 5, stream: UInt64(l)).normalMatrix(w.rows, w.columns, of: Double.self)
    }
    let h = 1e-6
    var (up, down) = (network, network)
    for l in along.indices {
      up.weights[l].add(h, along[l])
      down.weights[l].add(-h, along[l])
    }
    var difference = up.output(x)
    difference.add(-1, down.output(x))
    difference.scale(by: 1 / (2 * h))
    let tangent = work.tangent(network, x, along: along)
    #expect(distance(tangent, difference) <= 1e-5 * max(1, tangent.frobeniusNorm))
    var adjoint = network.weights
    let d: Matrix<Double> = Philox(seed: 6).normalMatrix(tangent.rows, tangent.columns)
    work.adjoint(network, x, d, into: &adjoint)
    let sides = (tangent.inner(d), zip(along, adjoint).reduce(0) { $0 + $1.0.inner($1.1) })
    #expect(abs(sides.0 - sides.1) <= 1e-9 * max(1, abs(sides.0)))
  }
}
