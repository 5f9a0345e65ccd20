import ConvexOptimization
import Fenchel
import FenchelTestSupport
import FoundationEssentials
import LinearAlgebra
import Testing

/// The rescaling to one λ, the Lagrangian dual, and the one-layer problem.
@Suite struct LowerBoundTests {
  private func program(
    _ activation: Activation, depth: Int, form: LiftedForm, hasBias: Bool, _ random: inout SplitMix64
  ) throws -> (LiftedProgram<Double>, LiftedPoint<Double>) {
    let x: Matrix<Double> = random.matrix(20, 4)
    let y: Matrix<Double> = random.matrix(20, 3)
    let activations = [Activation](repeating: activation, count: depth)
    let program = try LiftedProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: y), kind: .squared, activations: activations, form: form,
      λ: (0..<depth).map { [0.3, 7, 1.9, 0.01][$0] }, ρ: (0...depth).map { 0.1 + Double($0) })
    let network: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: [4] + [5, 6, 7, 4].prefix(depth) + [3], activations: activations, hasBias: hasBias, bias: 0.3,
      seed: 3)
    var point = LiftedPoint(forward: network, on: x)
    for l in 0..<depth {  // away from the feed-forward outputs, in the range of the activation
      for i in 0..<point.outputs[l].count {
        let entry = point.outputs[l].storage[i] + random.normal()
        point.outputs[l].storage[i] = activation == .relu ? max(entry, 0) : entry
      }
    }
    return (program, point)
  }

  @Test(arguments: [Activation.relu, .identity], [LiftedForm.fenchel, .squaredDistance])
  func oneλStandsForAll(activation: Activation, form: LiftedForm) throws {
    for depth in 1...4 {
      for hasBias in [true, false] {
        var random = SplitMix64(seed: UInt64(depth))
        let (program, point) = try program(activation, depth: depth, form: form, hasBias: hasBias, &random)
        let (scaled, scaledPoint) = (
          try program.withUnitPenaltyWeights(), program.withUnitPenaltyWeights(point)
        )
        #expect(scaled.λ.allSatisfy { $0 == 1 })
        let (before, after) = (program.objective(at: point), scaled.objective(at: scaledPoint))
        #expect(abs(before.loss - after.loss) <= 1e-12 * before.loss)
        for (a, b) in zip(before.penalties + before.ridges, after.penalties + after.ridges) {
          #expect(abs(a - b) <= 1e-12 * max(1, a), "depth \(depth)")
        }
      }
    }
  }

  @Test func oneλNeedsHomogeneity() throws {
    var random = SplitMix64(seed: 1)
    let leaky = try program(.leakyReLU(alpha: 0.1), depth: 2, form: .fenchel, hasBias: true, &random)
    let scaled = try leaky.0.withUnitPenaltyWeights().objective(at: leaky.0.withUnitPenaltyWeights(leaky.1))
    let value = leaky.0.objective(at: leaky.1).total
    #expect(abs(scaled.total - value) <= 1e-12 * value)
    let tanh = try LiftedProgram<Double>(
      x: Matrix(2, 2), loss: LossKind.squared.makeLoss(targets: Matrix(2, 1)), kind: .squared,
      activations: [.tanh], λ: [2], ρ: [0, 0])
    #expect(throws: LiftedError.self) { try tanh.withUnitPenaltyWeights() }
  }

  /// Values rise with λ, stay at or below the least network value before them, and at one λ below each tangent of another
  /// as far as minima are global: with one sample a block and one unit they are.
  @Test func theAscentRises() throws {
    var random = SplitMix64(seed: 5)
    let x: Matrix<Double> = random.matrix(40, 3)
    let teacher: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: [3, 4, 1], activations: [.tanh], seed: 2)
    var y = teacher.output(x)
    for i in 0..<y.count { y.storage[i] += 0.3 * random.normal() }
    for activation in [Activation.relu, .tanh] {
      let dual = try LagrangianDual(
        x: x, loss: LossKind.squared.makeLoss(targets: y), kind: .squared, activations: [activation],
        λ: [0.05], ρ: [0.05, 0.05])
      let network: FeedForward<Double> = try Initialiser.xavier.feedForward(
        widths: [3, 6, 1], activations: [activation], bias: 0.1, seed: 7)
      let ascent = try dual.ascend(from: network, steps: 8)
      #expect(ascent.count >= 3 && ascent.count <= 9)
      var least = Double.infinity
      for (before, after) in zip(ascent, ascent.dropFirst()) {
        #expect(zip(before.λ, after.λ).allSatisfy { $0 < $1 && $1 <= 10 * $0 * (1 + 1e-12) })
        #expect(after.value >= before.value * (1 - 1e-3), "\(activation): \(before) → \(after)")
        least = min(least, before.network)
        #expect(after.value <= least * (1 + 1e-9))
      }
      #expect(ascent.allSatisfy { $0.divergences.allSatisfy { $0 >= 0 } && $0.value <= $0.network })
      let first = try #require(ascent.first)
      let last = try #require(ascent.last)
      #expect(last.value > first.value)
      #expect(last.network - last.value < first.network - first.value)
    }
  }

  @Test func theDualStopsWhereAsked() throws {
    let x = Matrix<Double>(column: [1, 2, 3])
    var dual = try LagrangianDual(
      x: x, loss: LossKind.squared.makeLoss(targets: x), kind: .squared, activations: [.relu], λ: [1],
      ρ: [0.1, 0.1])
    let network: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: [1, 2, 1], activations: [.relu], seed: 7)
    dual.isInterrupted = { true }
    #expect(try dual.ascend(from: network, steps: 100).count == 1)
    let wide: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: [2, 2, 1], activations: [.relu], seed: 7)
    #expect(throws: LiftedError.self) { try dual.ascend(from: wide, steps: 1) }
  }

  private struct OneLayer: Decodable {
    var X: [[Double]]
    var Y: [[Double]]
    var W_star: [[Double]]
    var B_at_zero: Double
  }

  /// The weights that made the outputs, from zero, although ‖Y − φ(XW)‖² is not convex.
  @Test func oneLayerFindsTheWeights() throws {
    let oracle = try JSONDecoder().decode(
      OneLayer.self, from: OracleTests.Oracle.data("08a_fenchel_one_layer"))
    let (x, y) = (Matrix(rows: oracle.X).transposed, Matrix(rows: oracle.Y).transposed)
    let program = try OneLayerProgram(x: x, y: y, activation: .relu, hasBias: false)
    let start = program.bounds(at: Matrix(6, 4))
    #expect(abs(start.value - oracle.B_at_zero) <= 1e-10 * oracle.B_at_zero && start.bound == 0)
    let solution = program.solve()
    #expect(solution.bound == 0 && solution.value <= 1e-12 * oracle.B_at_zero)
    let weights = Matrix(rows: oracle.W_star).transposed
    #expect(distance(solution.weights, weights) <= 1e-6 * weights.inner(weights).squareRoot())
  }

  /// With a ridge the bound closes at the minimiser, and holds below the value of every other point.
  @Test(arguments: [
    "relu", "leaky-relu:0.1", "sigmoid", "tanh", "softplus", "hard-tanh", "softmax", "simplex",
  ])
  func oneLayerIsCertified(name: String) throws {
    let activation = try #require(Activation(name))
    var random = SplitMix64(seed: 11)
    let x: Matrix<Double> = random.matrix(50, 4)
    var y: Matrix<Double> = random.matrix(50, 3, scale: 2)
    activation.divergence(Double.self).map(&y)
    let program = try OneLayerProgram(x: x, y: y, activation: activation, ridge: 0.1)
    let solution = program.solve()
    #expect(solution.value - solution.bound <= 1e-8 * max(1, solution.value), "\(solution)")
    #expect(solution.bound > 0)
    for _ in 0..<20 {
      let (value, bound) = program.bounds(at: random.matrix(5, 3))
      #expect(bound <= solution.value && value >= solution.bound)
    }
  }

  @Test func wrongOneLayerProgramsAreErrors() {
    let (x, y) = (Matrix<Double>(3, 2), Matrix<Double>(3, 1))
    #expect(throws: LiftedError.self) { try OneLayerProgram(x: x, y: y, activation: .sign) }
    #expect(throws: LiftedError.self) { try OneLayerProgram(x: x, y: Matrix(2, 1), activation: .relu) }
    #expect(throws: LiftedError.self) { try OneLayerProgram(x: x, y: y, activation: .relu, ridge: -1) }
    #expect(throws: LiftedError.self) {
      try OneLayerProgram(x: x, y: Matrix(3, 1, fill: -1), activation: .relu)
    }
  }
}
