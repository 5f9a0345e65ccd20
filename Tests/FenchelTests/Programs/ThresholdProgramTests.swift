import ConvexOptimization
import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// Networks with the threshold activation as a LASSO over patterns.
struct ThresholdProgramTests {
  private func solve<T: Scalar>(
    _ program: ThresholdProgram, _: T.Type, tolerance: Double
  ) throws -> Solution<TwoLayerPoint> {
    var solver = try TwoLayerSolver<T>(program.lasso, tolerance: tolerance)
    return drive(&solver, on: program.lasso, limits: Limits(tolerance: tolerance), phase: "test")
  }

  /// ℓ(f(X)) + λ Σ|z| of a network, by the library's prediction.
  private func objective(_ network: Network, _ program: ThresholdProgram, hasBias: Bool) -> Double {
    guard case .gated(let layer) = network.layers[0] else { return .nan }
    let d = program.x.columns - (hasBias ? 1 : 0)
    let inputs = Matrix(rows: (0..<program.x.rows).map { Array(program.x.row($0).prefix(d)) })
    return program.lasso.loss.value(at: network.predict(inputs))
      + program.lasso.λ * layer.weights.storage.reduce(0) { $0 + abs($1) }
  }

  @Test func oracle() throws {
    struct Oracle: Decodable {
      var X: [[Double]]
      var y: [Double]
      var beta: Double
      var patterns: [String]
      var optimal_value: Double
    }
    let oracle = try JSONDecoder().decode(Oracle.self, from: OracleTests.Oracle.data("10a_threshold_lasso"))
    let x = Matrix(rows: oracle.X)
    let patterns = try ActivationPatterns.enumerated(x)
    // The oracle leaves out the pattern of zeros, where there is one: it adds nothing to F.
    #expect([0, 1].contains(patterns.count - oracle.patterns.count))
    let program = try ThresholdProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: Matrix(column: oracle.y)), kind: .squared,
      λ: oracle.beta, patterns: patterns)
    let solution = try solve(program, Double.self, tolerance: 1e-9)
    #expect(solution.status == .solved && solution.certificate.scope == .exact)
    #expect(abs(solution.certificate.primal - oracle.optimal_value) <= 1e-7 * oracle.optimal_value)
    #expect(solution.certificate.dual <= oracle.optimal_value + 1e-12)
    let network = try program.decode(solution.point, hasBias: false)
    #expect(abs(objective(network, program, hasBias: false) - solution.certificate.primal) <= 1e-12)
  }

  @Test(
    "the decoded network is the program's point: its predictions, its objective, its certificate",
    arguments: [LossKind.squared, .logistic, .softmax, .huber, .squaredHinge], [true, false])
  func theorem(kind: LossKind, hasBias: Bool) throws {
    for seed: UInt64 in 0..<6 {
      let (n, d, c) = (10 + Int(seed) * 3, 2 + Int(seed % 3), kind == .softmax ? 3 : 1 + Int(seed % 2))
      var x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d + 1)
      if hasBias { for k in 0..<n { x[k, d] = 1 } }
      var y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, c)
      switch kind {
      case .softmax: for k in 0..<n { for j in 0..<c { y[k, j] = j == (k * k + Int(seed)) % c ? 1 : 0 } }
      case .logistic, .squaredHinge: for i in 0..<y.count { y.storage[i] = y.storage[i] > 0 ? 1 : -1 }
      default: break
      }
      let program = try ThresholdProgram(
        x: x, loss: kind.makeLoss(targets: y, weights: (0..<n).map { 0.5 + Double($0 % 3) }), kind: kind,
        λ: 0.7, patterns: .sampled(x, count: 60, seed: seed))
      func check(_ solution: Solution<TwoLayerPoint>, _ tolerance: Double) throws {
        let certificate = solution.certificate
        #expect(solution.status == .solved && certificate.relativeGap <= tolerance, "seed \(seed)")
        let network = try program.decode(solution.point, hasBias: hasBias)
        #expect(program.contains(network) && network.inputs == (hasBias ? d : d + 1))
        let value = objective(network, program, hasBias: hasBias)
        #expect(abs(value - certificate.primal) <= 1e-12 * max(1, value), "seed \(seed)")
      }
      try check(solve(program, Double.self, tolerance: 1e-7), 1e-7)
      try check(solve(program, Float.self, tolerance: 1e-3), 1e-3)
    }
  }

  @Test("networks of other gates, or of more than constants, are no points of the program")
  func membership() throws {
    let x: Matrix<Double> = Philox(seed: 5).normalMatrix(12, 3)
    let y: Matrix<Double> = Philox(seed: 6).normalMatrix(12, 1)
    let program = try ThresholdProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: y), kind: .squared, λ: 0.2,
      patterns: .sampled(x, count: 40, seed: 1))
    let solution = try solve(program, Double.self, tolerance: 1e-8)
    let network = try program.decode(solution.point, hasBias: false)
    guard case .gated(let layer) = network.layers[0] else { return #expect(Bool(false)) }
    func changed(
      _ change: (_ gates: inout Matrix<Double>, _ weights: inout Matrix<Double>) -> Void
    ) throws -> Network {
      var (gates, weights) = (layer.gates, layer.weights)
      change(&gates, &weights)
      return try Network(layers: [.gated(Gated(gates: gates, weights: weights, hasBias: true))])
    }
    #expect(try program.contains(changed { gates, _ in gates.scale(by: 3) }))
    #expect(try !program.contains(changed { gates, _ in gates[0, 3] = 1e-3 }))
    #expect(try !program.contains(changed { _, weights in weights[0, 0] = 1e-3 }))
    let others: Matrix<Double> = Philox(seed: 9).normalMatrix(layer.gates.rows, 3)
    let other = try changed { gates, _ in
      for i in 0..<gates.rows { for j in 0..<3 { gates[i, j] = others[i, j] } }
    }
    #expect(!program.contains(other))
  }

  @Test("train, verify and predict, with all patterns and with some")
  func training() throws {
    let table = try Table.read("diabetes")
    var options = SchemaOptions()
    options.ignore = ["age", "sex", "bp", "s1", "s2", "s3", "s4", "s6"]
    for (ignored, patterns) in [(true, PatternChoice.exact), (false, .refine), (false, .sampled(50))] {
      let data = try Schema(inferredFrom: table, options: ignored ? options : SchemaOptions())
        .dataset(from: table).selectingRows(Array(0..<100))
      var settings = TrainingSettings()
      (settings.model, settings.patterns, settings.lambda) = (.threshold, patterns, .ratio(0.05))
      let result = try train(data, settings: settings)
      #expect(result.status == .solved)
      #expect((result.report.certificate?.scope == .exact) == ignored)
      let verification = try verify(ModelFile(decoding: result.model.encoded()), data: data)
      #expect(verification.agrees, "\(verification)")
      #expect((result.report.train.rSquared ?? 0) > 0.3)
    }
  }
}
