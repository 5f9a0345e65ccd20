import ConvexOptimization
import Fenchel
import FenchelTestSupport
import FoundationEssentials
import LinearAlgebra
import Testing

@Suite struct BlockCoordinateDescentTests {
  private struct Trace: Decodable {
    struct Step: Decodable {
      var block: String
      var objective: Double
    }
    var sizes: [Int]
    var lam: Double
    var rho: [Double]
    var loss: String
    var X0: [[Double]]
    var labels: [Int]
    var W_init: [[[Double]]]
    var trace: [Step]
  }
  private struct File: Decodable { var cases: [Trace] }

  /// The objective after every block of two sweeps, each block solved to its optimum.
  @Test func sweepsFollowTheOracle() throws {
    let cases = try JSONDecoder().decode(File.self, from: OracleTests.Oracle.data("lifted_alg1_outer")).cases
    for oracle in cases {
      let x = Matrix(rows: oracle.X0).transposed
      let isSquared = oracle.loss == "mse"
      let targets: Matrix<Double> = oneHot(oracle.labels, oracle.sizes.last ?? 0)
      let kind = isSquared ? LossKind.squared : .softmax
      let loss = try kind.makeLoss(
        targets: targets, weights: [Double](repeating: isSquared ? 2 : 1, count: x.rows))
      let layers = oracle.rho.count - 1
      let relus = [Activation](repeating: .relu, count: layers)
      let program = try LiftedProgram(
        x: x, loss: loss, kind: kind, activations: relus,
        λ: [Double](repeating: oracle.lam, count: layers), ρ: oracle.rho)
      let network = try FeedForward(
        weights: oracle.W_init.map { Matrix(rows: $0).transposed }, activations: relus, hasBias: false)
      var descent = try BlockCoordinateDescent(
        program, from: network, tolerance: 1e-13, maximumSteps: 50_000)
      for step in oracle.trace {
        let index = Int(step.block.dropFirst(2))
        switch step.block.first {
        case "X": try descent.updateOutputs(try #require(index) - 1)
        case "W": try descent.updateWeights(try #require(index))
        default: break
        }
        #expect(
          abs(descent.objective.total - step.objective) <= 1e-7 * max(1, step.objective),
          "\(oracle.sizes), \(oracle.loss): \(step.block)")
      }
    }
  }

  private static let activations = Activation.names.filter { $0 != "sign" }.compactMap { Activation($0) }

  /// No update raises the objective, which is the model's value at the point.
  @Test(arguments: 1...4)
  func updatesNeverRaiseTheObjective(depth: Int) throws {
    for (index, activation) in Self.activations.enumerated() {
      for (number, kind) in [LossKind.squared, .softmax, .logistic, .huber, .squaredHinge].enumerated() {
        let seed = UInt64(100 * depth + 10 * index + number)
        try checkDescent(activation, kind, depth, .fenchel, seed, Double.self)
        try checkDescent(activation, kind, depth, .fenchel, seed, Float.self)
        if (try? SquaredDistancePenalty<Double>(activation)) != nil {
          try checkDescent(activation, kind, depth, .squaredDistance, seed, Double.self)
        }
      }
    }
  }

  private func checkDescent<T: Scalar>(
    _ activation: Activation, _ kind: LossKind, _ depth: Int, _ form: LiftedForm, _ seed: UInt64, _: T.Type
  ) throws {
    var random = SplitMix64(seed: seed)
    let (n, d, c) = (12, 4, 3)
    let x: Matrix<T> = random.matrix(n, d)
    let y: Matrix<T> =
      switch kind {
      case .softmax: oneHot((0..<n).map { $0 % c }, c)
      case .logistic, .squaredHinge:
        Matrix(n, c, storage: (0..<n * c).map { $0.isMultiple(of: 2) ? 1 : -1 })
      default: random.matrix(n, c)
      }
    let widths = [d] + [Int](repeating: 5, count: depth) + [c]
    let activations = [Activation](repeating: activation, count: depth)
    let program = try LiftedProgram(
      x: x, loss: kind.makeLoss(targets: y), kind: kind, activations: activations, form: form,
      λ: (0..<depth).map { 0.5 + T($0) / 4 }, ρ: (0...depth).map { 0.01 + T($0) / 100 })
    let network: FeedForward<T> = try Initialiser.xavier.feedForward(
      widths: widths, activations: activations, bias: 0.1, seed: seed)
    var descent = try BlockCoordinateDescent(program, from: network, tolerance: 1e-4, maximumSteps: 30)
    let label: Comment = "\(activation), \(kind), depth \(depth), \(form), \(T.self), seed \(seed)"
    var last = descent.objective.total
    let first = last
    for _ in 0..<3 {
      for l in (0..<depth).reversed() {
        try descent.updateOutputs(l)
        #expect(descent.objective.total <= last * (1 + 1e-15), label)
        last = descent.objective.total
      }
      for l in 0...depth {
        try descent.updateWeights(l)
        #expect(descent.objective.total <= last * (1 + 1e-15), label)
        last = descent.objective.total
      }
    }
    #expect(last < first, label)
    let rounding = T.self == Float.self ? 1e-4 : 1e-10
    #expect(abs(program.objective(at: descent.point).total - last) <= rounding * max(1, first), label)
  }
}
