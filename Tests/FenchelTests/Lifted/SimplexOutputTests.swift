import ConvexOptimization
import Fenchel
import FenchelTestSupport
import FoundationEssentials
import LinearAlgebra
import Testing

/// The last layer that projects onto the simplex, and the jointly convex problem of all outputs.
@Suite struct SimplexOutputTests {
  private struct Bisection: Decodable {
    var lam: Double
    var X0: [[Double]]
    var labels: [Int]
    var Z: [[Double]]
    var objective: Double
  }
  private struct Joint: Decodable {
    var lam: Double
    var X0: [[Double]]
    var W0: [[Double]]
    var W1: [[Double]]
    var W2: [[Double]]
    var b0: [Double]
    var b1: [Double]
    var b2: [Double]
    var Y: [[Double]]
    var Z1: [[Double]]
    var Z2: [[Double]]
    var objective: Double
  }
  private struct File: Decodable {
    var simplex_bisection: [Bisection]
    var joint: [Joint]
  }
  private struct Columns: Decodable {
    struct Column: Decodable {
      var x0: [Double]
      var label: Int
      var lambda: Double
      var z: [Double]
      var optimal_value: Double
    }
    var columns: [Column]
  }

  /// The prox and its envelope at columns x⁰ (here rows) against bisection and a cone solver.
  private func check(
    x: Matrix<Double>, labels: [Int], λ: Double, z expected: Matrix<Double>, objective: Double
  ) throws {
    let f = try SimplexCrossEntropy(targets: oneHot(labels, x.columns) as Matrix<Double>)
    var z = x
    f.prox(of: x, step: 1 / (2 * λ), into: &z)
    #expect(largestDifference(z, expected) <= 1e-8)
    let value = try MoreauEnvelope(f, 1 / (2 * λ)).value(at: x)
    #expect(abs(value - objective) <= 1e-10 * max(1, objective))
  }

  @Test func theProxFollowsTheOracles() throws {
    let file = try JSONDecoder().decode(File.self, from: OracleTests.Oracle.data("lifted_jcr_x"))
    for oracle in file.simplex_bisection {
      try check(
        x: Matrix(rows: oracle.X0).transposed, labels: oracle.labels, λ: oracle.lam,
        z: Matrix(rows: oracle.Z).transposed, objective: oracle.objective)
    }
    let columns = try JSONDecoder().decode(
      Columns.self, from: OracleTests.Oracle.data("09a_askari_simplex_ce"))
    for oracle in columns.columns {
      try check(
        x: Matrix(rows: [oracle.x0]), labels: [oracle.label], λ: oracle.lambda, z: Matrix(rows: [oracle.z]),
        objective: oracle.optimal_value)
    }
  }

  private func augmented(_ w: [[Double]], _ b: [Double]) -> Matrix<Double> {
    let weights = Matrix(rows: w).transposed
    return Matrix(weights.rows + 1, weights.columns, storage: weights.storage + b)
  }

  /// With squared distances the outputs of all layers are one convex problem: descent block by block ends in its optimum.
  @Test func allOutputsTogetherFollowTheOracle() throws {
    let file = try JSONDecoder().decode(File.self, from: OracleTests.Oracle.data("lifted_jcr_x"))
    for oracle in file.joint {
      let network = try FeedForward(
        weights: [
          augmented(oracle.W0, oracle.b0), augmented(oracle.W1, oracle.b1), augmented(oracle.W2, oracle.b2),
        ], activations: [.relu, .relu])
      let (x, y) = (Matrix(rows: oracle.X0).transposed, Matrix(rows: oracle.Y).transposed)
      let loss = try SquaredLoss(targets: y, weights: [Double](repeating: 2, count: y.rows))
      let program = try LiftedProgram(
        x: x, loss: loss, kind: .squared, activations: [.relu, .relu], form: .squaredDistance,
        λ: [oracle.lam, oracle.lam], ρ: [0, 0, 0])
      var descent = try BlockCoordinateDescent(program, from: network, tolerance: 1e-13, maximumSteps: 10_000)
      for _ in 0..<500 {
        try descent.updateOutputs(1)
        try descent.updateOutputs(0)
      }
      #expect(abs(descent.objective.total - oracle.objective) <= 1e-8 * max(1, oracle.objective))
      #expect(largestDifference(descent.point.outputs[0], Matrix(rows: oracle.Z1).transposed) <= 1e-5)
      #expect(largestDifference(descent.point.outputs[1], Matrix(rows: oracle.Z2).transposed) <= 1e-5)
    }
  }

  /// No update raises the objective of a network whose last layer projects onto the simplex, and it learns.
  @Test(arguments: [LiftedForm.squaredDistance, .fenchel], [1, 3])
  func updatesNeverRaiseTheObjective(form: LiftedForm, depth: Int) throws {
    var random = SplitMix64(seed: 9)
    let labels = (0..<60).map { $0 % 3 }
    var x: Matrix<Double> = random.matrix(60, 4)
    for (k, label) in labels.enumerated() { x[k, label] += 3 }
    let relus = [Activation](repeating: .relu, count: depth)
    let program = try LiftedProgram(
      x: x, probabilities: SimplexCrossEntropy(targets: oneHot(labels, 3)), outputWeight: 2,
      activations: relus, form: form, λ: [Double](repeating: 1, count: depth),
      ρ: [Double](repeating: 1e-3, count: depth + 1))
    let network: FeedForward<Double> = try Initialiser.xavier.feedForward(
      widths: [4] + [Int](repeating: 8, count: depth) + [3], activations: relus, bias: 0.1, seed: 1)
    var descent = try BlockCoordinateDescent(program, from: network, tolerance: 1e-6, maximumSteps: 100)
    var last = descent.objective.total
    for _ in 0..<15 {
      for l in (0..<depth).reversed() {
        try descent.updateOutputs(l)
        #expect(descent.objective.total <= last * (1 + 1e-15))
        last = descent.objective.total
      }
      for l in 0...depth {
        try descent.updateWeights(l)
        #expect(descent.objective.total <= last * (1 + 1e-15))
        last = descent.objective.total
      }
    }
    let f = descent.point.network.output(x)
    let share = Metrics.accuracy(Scores.classes(f), labels)
    #expect(share > 0.9, "\(share)")
  }

  @Test func wrongWeightsAreErrors() throws {
    let entropy = try SimplexCrossEntropy(targets: oneHot([0, 1], 2) as Matrix<Double>)
    for λ in [0, -1, .nan, .infinity] as [Double] {
      #expect(throws: LiftedError.self) {
        try LiftedProgram(
          x: Matrix(2, 3), probabilities: entropy, outputWeight: λ, activations: [.relu], λ: [1], ρ: [0, 0])
      }
    }
    #expect(throws: LiftedError.self) {
      try LiftedProgram(
        x: Matrix(3, 3), probabilities: entropy, outputWeight: 1, activations: [.relu], λ: [1], ρ: [0, 0])
    }
  }
}
