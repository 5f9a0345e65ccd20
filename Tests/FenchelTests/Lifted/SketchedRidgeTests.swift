import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct SketchedRidgeTests {
  private func block<T: Scalar>(
    n: Int, d: Int, p: Int, hasBias: Bool, ρ: T, γ: T, _: T.Type
  ) throws -> (WeightBlock<T>, Matrix<T>) {
    var x: Matrix<T> = Philox(seed: 1).normalMatrix(n, d)
    // Columns of very different sizes, and correlated: an ill-conditioned problem.
    for k in 0..<n {
      for j in 0..<d { x[k, j] = (x[k, j] + x[k, 0]) * T(1 + j * j) / T(d) }
    }
    let v: Matrix<T> = Philox(seed: 2).uniformMatrix(n, p)
    let inputs =
      hasBias
      ? Matrix<T>(n, d + 1, storage: (0..<n).flatMap { x.row($0) + [1] }) : x
    let start: Matrix<T> = Philox(seed: 3).normalMatrix(inputs.columns, p)
    let block = WeightBlock<T>(
      fit: .outputs(v, try SquaredDistancePenalty(.relu), weight: 0.7), inputs: inputs, hasBias: hasBias,
      ridge: ρ, proximity: γ, center: start)
    return (block, start)
  }

  /// The same minimiser as by the Gram matrix of all rows, in few steps.
  @Test(arguments: [4, 16], [true, false])
  func isExact(ratio: Int, hasBias: Bool) throws {
    let (n, d) = (3000, 20)
    let (block, start) = try block(n: n, d: d, p: 5, hasBias: hasBias, ρ: 0.3, γ: 0.2, Double.self)
    let sketch = CountSketch<Double>(
      rows: ratio * start.rows, columns: n, random: Philox(seed: UInt64(ratio)))
    let exact = try block.minimise(from: start, tolerance: 1e-14, maximumSteps: 20)
    let steps = ratio == 4 ? 40 : 20
    let w = try block.solveSketched(from: start, by: sketch, tolerance: 1e-12, maximumSteps: steps)
    #expect(distance(w, exact) <= 1e-8 * exact.inner(exact).squareRoot())
    #expect(block.value(w) <= block.value(exact) * (1 + 1e-10))
    let rough = try block.solveSketched(from: start, by: sketch, tolerance: 1e-3, maximumSteps: steps / 2)
    #expect(block.value(rough) - block.value(exact) <= 1e-5 * (block.value(start) - block.value(exact)))
  }

  @Test func floatsReachTheirPrecision() throws {
    let (block, start) = try block(n: 2000, d: 10, p: 3, hasBias: true, ρ: 0.1, γ: 0, Float.self)
    let sketch = CountSketch<Float>(rows: 88, columns: 2000, random: Philox(seed: 5))
    let exact = try block.minimise(from: start, tolerance: 1e-6, maximumSteps: 20)
    let w = try block.solveSketched(from: start, by: sketch, tolerance: 1e-5, maximumSteps: 20)
    #expect(block.value(w) <= block.value(exact) * (1 + 1e-4))
  }

  /// Descent with sketches never rises, ends near where it does without, and gives the same bits again.
  @Test func descentWithSketches() throws {
    var random = SplitMix64(seed: 6)
    let x: Matrix<Double> = random.matrix(600, 5)
    let y: Matrix<Double> = random.matrix(600, 2)
    let relus: [Activation] = [.relu, .relu]
    let program = try LiftedProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: y), kind: .squared, activations: relus,
      form: .squaredDistance, λ: [1, 1], ρ: [0.01, 0.01, 0.01])
    let network: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: [5, 8, 6, 2], activations: relus, bias: 0.1, seed: 4)
    func descend(_ sketch: Int?) throws -> BlockCoordinateDescent<Double> {
      var descent = try BlockCoordinateDescent(
        program, from: network, tolerance: 1e-6, maximumSteps: 50, sketch: sketch, seed: 9)
      for _ in 0..<10 {
        let before = descent.objective.total
        try descent.sweep()
        #expect(descent.objective.total <= before)
      }
      return descent
    }
    let (sketched, exact) = (try descend(8), try descend(nil))
    #expect(sketched.point.network != exact.point.network)
    #expect(abs(sketched.objective.total - exact.objective.total) <= 1e-3 * exact.objective.total)
    #expect(try descend(8).point.network == sketched.point.network)
  }
}
