import ConvexOptimization
import Fenchel
import FenchelTestSupport
import FoundationEssentials
import LinearAlgebra
import Testing

/// What `Scripts/torch_fixtures.py` wrote.
enum TorchFixtures {
  struct Gradient: Decodable, Sendable, CustomTestStringConvertible {
    var activation, loss: String
    var x, y: [[Double]]
    var s: [Double]
    var weights, gradient: [[[Double]]]
    var value: Double
    var testDescription: String { "\(activation), \(loss)" }
  }

  struct Steps: Decodable, Sendable {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
      var optimizer: String
      var rate, decay: Double
      var after: [[[Double]]]
      var testDescription: String { "\(optimizer), decay \(decay)" }
    }
    var activation, loss: String
    var x, y: [[Double]]
    var s: [Double]
    var weights: [[[Double]]]
    var steps: Int
    var cases: [Case]
  }

  private static func read<T: Decodable>(_ name: String, _: T.Type = T.self) -> T? {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
    let data = try? Data(contentsOf: folder.appending(path: "Fixtures/\(name).json"))
    return data.flatMap { try? JSONDecoder().decode(T.self, from: $0) }
  }

  static let gradients: [Gradient] = read("gradients") ?? []
  static let steps: Steps? = read("optimizers")
}

/// Gradients and steps against PyTorch's on the same weights (`Scripts/torch_fixtures.py`).
@Suite struct TorchTests {
  private static func matrices<T: Scalar>(_ values: [[[Double]]], _: T.Type) -> [Matrix<T>] {
    values.map { Matrix(rows: $0).converted(to: T.self) }
  }

  private static func weights<T: Scalar>(_ s: [Double], _: T.Type) -> [T] { s.map { T($0) } }

  @Test func fixturesAreThere() {
    #expect(TorchFixtures.gradients.count == 10)
    #expect(TorchFixtures.steps?.cases.count == 10)
  }

  @Test(arguments: TorchFixtures.gradients)
  func gradient(of fixture: TorchFixtures.Gradient) throws {
    try check(fixture, Double.self, 1e-10)
    try check(fixture, Float.self, 1e-5)
  }

  private func check<T: Scalar>(_ fixture: TorchFixtures.Gradient, _: T.Type, _ tolerance: Double) throws {
    let activation = try #require(Activation(fixture.activation))
    let kind = try #require(LossKind(rawValue: fixture.loss))
    let network = try FeedForward(
      weights: Self.matrices(fixture.weights, T.self), activations: [activation, activation])
    let loss = try kind.makeLoss(
      targets: Matrix(rows: fixture.y).converted(to: T.self), weights: Self.weights(fixture.s, T.self))
    var work = try Backpropagation<T>(network.activations)
    var gradient = network.weights
    let mass = fixture.s.reduce(0, +)
    let value = work.gradient(
      of: network, Matrix(rows: fixture.x).converted(to: T.self), loss: loss, scale: T(1 / mass),
      into: &gradient)
    #expect(abs(Double(value) - fixture.value) <= tolerance * max(1, fixture.value))
    for (ours, theirs) in zip(gradient, Self.matrices(fixture.gradient, Double.self)) {
      #expect(distance(ours, theirs) <= tolerance, "\(T.self)")
    }
  }

  @Test(arguments: TorchFixtures.steps?.cases ?? [])
  func steps(of fixture: TorchFixtures.Steps.Case) throws {
    try check(fixture, Double.self, 1e-10)
    try check(fixture, Float.self, 1e-5)
  }

  private func check<T: Scalar>(_ fixture: TorchFixtures.Steps.Case, _: T.Type, _ tolerance: Double) throws {
    let all = try #require(TorchFixtures.steps)
    let network = try FeedForward(weights: Self.matrices(all.weights, T.self), activations: [.tanh])
    let training = OrdinaryTraining(
      optimizer: try #require(Optimizer(rawValue: fixture.optimizer)), epochs: all.steps, batchSize: 8,
      learningRate: fixture.rate, weightDecay: fixture.decay)
    let outcome = try training.run(
      from: network, x: Matrix(rows: all.x).converted(to: T.self),
      targets: Matrix(rows: all.y).converted(to: T.self), weights: Self.weights(all.s, T.self),
      loss: .softmax)
    #expect(outcome.status == .completed && outcome.history.count == all.steps)
    for (ours, theirs) in zip(outcome.network.weights, Self.matrices(fixture.after, Double.self)) {
      #expect(distance(ours, theirs) <= tolerance, "\(T.self)")
    }
  }
}
