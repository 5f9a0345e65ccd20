import ConvexOptimization
import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// Two-layer programs over samples of several rows: those of convolutional networks.
struct ConvolutionProgramTests {
  private struct Oracle: Decodable {
    var signal: [[Double]]
    var h: Int
    var K: Int
    var y: [Double]
    var lambda: Double
    var num_arrangements: Int
    var optimal_value: Double

    static func read() throws -> Oracle {
      try JSONDecoder().decode(Oracle.self, from: OracleTests.Oracle.data("06a_conv_sum_pool"))
    }

    func map() throws -> PatchMap {
      var settings = PatchSettings()
      settings.kernelWidth = h
      return try PatchMap(Matrix(rows: signal), image: nil, settings, hasBias: false)
    }
  }

  @Test("The oracle's optimum, by both solvers and by refinement")
  func oracle() throws {
    let oracle = try Oracle.read()
    let map = try oracle.map()
    #expect(map.pooling.size == oracle.K)
    let loss: any Loss<Double> = try LossKind.squared.makeLoss(targets: Matrix(column: oracle.y))
    let program = try TwoLayerProgram(
      x: map.data, loss: loss, kind: .squared, λ: oracle.lambda, patterns: .enumerated(map.data),
      isConstrained: true, pooling: map.pooling)
    #expect(program.patterns.count == oracle.num_arrangements)
    let interior = try WorkingSetMethod(program, limits: Limits(tolerance: 1e-8)).solve().solution
    var newton = try TwoLayerSolver<Double>(program, tolerance: 1e-8)
    let limits = Limits(tolerance: 1e-8, maximumIterations: 3000, certificateInterval: .max)
    let lasso = drive(&newton, on: program, limits: limits, phase: "group lasso")
    for certificate in [interior.certificate, lasso.certificate] {
      #expect(abs(certificate.primal - oracle.optimal_value) <= 1e-6 * oracle.optimal_value)
      #expect(certificate.relativeGap <= 1e-7 && certificate.scope == .exact)
      #expect(certificate.dual <= oracle.optimal_value * (1 + 1e-9))
    }
    let network = try map.decode(program.decode(interior.point, hasBias: false))
    #expect(abs(objective(network, map, oracle) - interior.certificate.primal) <= 1e-10)

    let refinement = PatternRefinement(
      x: map.data, loss: loss, kind: .squared, parameters: LossParameters(), λ: oracle.lambda,
      pooling: map.pooling, limits: Limits(tolerance: 1e-7))
    let refined = try refinement.run()
    #expect(abs(refined.solution.certificate.primal - oracle.optimal_value) <= 1e-6 * oracle.optimal_value)
    let bound = refined.program.globalBound(near: refined.solution, effort: .tight)
    #expect(bound.map { $0.value <= oracle.optimal_value * (1 + 1e-9) } ?? false)
    #expect(bound.map { $0.value >= oracle.optimal_value * (1 - 1e-3) } ?? false)
  }

  /// ½‖f − y‖² + (λ/2)(‖W₁‖² + ‖w₂‖²) of a network on the oracle's signals, by the formula.
  private func objective(_ network: Network, _ map: PatchMap, _ oracle: Oracle) -> Double {
    guard case .convolution(let layer) = network.layers[0], case .dense(let output) = network.layers[3]
    else { return .nan }
    let f = oracle.signal.map { signal in
      (0..<layer.weights.columns).reduce(0.0) { sum, m in
        (0..<oracle.K).reduce(sum) { sum, k in
          let z = (0..<oracle.h).reduce(0.0) { $0 + signal[k + $1] * layer.weights[$1, m] }
          return sum + max(0, z) * output.weights[m, 0]
        }
      }
    }
    let squares = (layer.weights.storage + output.weights.storage).reduce(0) { $0 + $1 * $1 }
    return zip(f, oracle.y).reduce(oracle.lambda / 2 * squares) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) / 2 }
  }

  /// A small random program of samples of K rows.
  private func program(
    _ kind: LossKind, seed: UInt64, rows: Int, isConstrained: Bool, λ ratio: Double = 0.1,
    x given: Matrix<Double>? = nil
  ) throws -> TwoLayerProgram {
    let (n, d) = (3 + Int(seed % 5), 1 + Int(seed / 5 % 3))
    let c = kind == .softmax ? 3 : 1 + Int(seed % 2)
    let x = given ?? Philox(seed: seed, stream: 1).normalMatrix(n * rows, d)
    var y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, c)
    switch kind {
    case .softmax:
      for k in 0..<n { for j in 0..<c { y[k, j] = j == (k + Int(seed)) % c ? 1 : 0 } }
    case .logistic, .hinge, .squaredHinge:
      for i in 0..<y.count { y.storage[i] = y.storage[i] > 0 ? 1 : -1 }
    case .poisson:
      for i in 0..<y.count { y.storage[i] = abs(3 * y.storage[i]).rounded() }
    default: break
    }
    let loss: any Loss<Double> = try kind.makeLoss(targets: y, weights: (0..<n).map { 0.5 + Double($0 % 3) })
    let patterns = try ActivationPatterns.enumerated(x)
    func program(_ λ: Double) throws -> TwoLayerProgram {
      try TwoLayerProgram(
        x: x, loss: loss, kind: kind, λ: λ, patterns: patterns, isConstrained: isConstrained,
        pooling: RowSums(of: rows))
    }
    var slope = Matrix<Double>(n, c)
    loss.gradient(at: Matrix(n, c), into: &slope)
    slope.scale(by: -1)
    return try program(ratio * max(GroupPricing(program(1)).largestNorm(θ: slope), 1e-3))
  }

  @Test(
    "dual ≤ optimum ≤ primal for every loss, both solvers agree", arguments: LossKind.allCases, [true, false])
  func duality(kind: LossKind, isConstrained: Bool) throws {
    for seed: UInt64 in 0..<15 {
      let ratio = [0.02, 0.1, 0.5][Int(seed % 3)]
      let program = try program(
        kind, seed: seed, rows: 2 + Int(seed % 3), isConstrained: isConstrained, λ: ratio)
      let solution = try WorkingSetMethod(program, limits: Limits(tolerance: 1e-7)).solve().solution
      let optimum = solution.certificate
      let name = "\(kind), cones \(isConstrained), seed \(seed), \(solution.status)"
      #expect(optimum.relativeGap >= -1e-12, "\(name): \(optimum)")
      #expect(optimum.relativeGap <= (program.loss.isPiecewiseLinear ? 2e-6 : 1e-7), "\(name): \(optimum)")
      let scale = 1e-9 * max(1, abs(optimum.primal))
      for stream: UInt64 in 1...3 {
        let θ: Matrix<Double> = Philox(seed: seed, stream: 10 + stream)
          .normalMatrix(program.samples, program.outputs)
        #expect(program.dualBound(θ: θ).value <= optimum.primal + scale, "\(name): dual")
        var point = solution.point
        point.coefficients.scale(by: 1 - 0.2 * Double(stream))
        #expect(program.strictObjective(at: point) >= optimum.dual - scale, "\(name): shrunk")
      }
      guard !program.loss.isPiecewiseLinear else { continue }
      var solver = try TwoLayerSolver<Double>(program, tolerance: 1e-6)
      let limits = Limits(tolerance: 1e-6, maximumIterations: 3000, certificateInterval: .max)
      let lasso = drive(&solver, on: program, limits: limits, phase: "group lasso")
      #expect(lasso.status == .solved, "\(name): \(lasso.certificate)")
      #expect(lasso.certificate.dual <= optimum.primal + scale, "\(name)")
      #expect(lasso.certificate.primal >= optimum.dual - scale, "\(name)")
    }
  }

  @Test(
    "Rows of zeros add nothing, and a row given twice is twice the row", arguments: 0..<6 as Range<UInt64>)
  func equivalence(seed: UInt64) throws {
    let (n, d) = (3 + Int(seed % 5), 1 + Int(seed / 5 % 3))
    let x: Matrix<Double> = Philox(seed: seed, stream: 30).normalMatrix(n, d)
    var (padded, twice, doubled) = (Matrix<Double>(3 * n, d), Matrix<Double>(2 * n, d), x)
    doubled.scale(by: 2)
    for k in 0..<n {
      for j in 0..<d {
        padded[3 * k + Int(seed % 3), j] = x[k, j]
        (twice[2 * k, j], twice[2 * k + 1, j]) = (x[k, j], x[k, j])
      }
    }
    func optimum(_ rows: Int, _ x: Matrix<Double>, λ: Double? = nil) throws -> (value: Double, λ: Double) {
      var program = try program(.squared, seed: seed, rows: rows, isConstrained: true, x: x)
      if let λ {
        program = try TwoLayerProgram(
          x: program.x, loss: program.loss, kind: .squared, λ: λ, patterns: program.patterns,
          isConstrained: true, pooling: program.pooling)
      }
      let solution = try WorkingSetMethod(program, limits: Limits(tolerance: 1e-9)).solve().solution
      return (solution.certificate.primal, program.λ)
    }
    for (plain, rows, other) in [(x, 3, padded), (doubled, 2, twice)] {
      let (a, b) = (try optimum(1, plain), try optimum(rows, other))
      #expect(abs(a.λ - b.λ) <= 1e-9 * a.λ)
      #expect(abs(a.value - (try optimum(rows, other, λ: a.λ).value)) <= 1e-8 * max(1, a.value))
    }
  }

  @Test(
    "Bounds over networks of any width hold, by cones, by relaxation and parted",
    arguments: 0..<8 as Range<UInt64>)
  func bounds(seed: UInt64) throws {
    let kind = [LossKind.squared, .logistic, .hinge, .softmax][Int(seed % 4)]
    let exact = try program(kind, seed: seed, rows: 3, isConstrained: true, λ: 0.05)
    let optimum = try WorkingSetMethod(exact, limits: Limits(tolerance: 1e-7)).solve().solution
    let few = try TwoLayerProgram(
      x: exact.x, loss: exact.loss, kind: kind, λ: exact.λ, patterns: exact.patterns.selecting([0, 1]),
      isConstrained: true, pooling: exact.pooling)
    var solution = try WorkingSetMethod(few, limits: Limits(tolerance: 1e-6)).solve().solution
    solution.dualPoint = optimum.dualPoint
    for effort in [BoundEffort.quick, .tight] {
      let bound = try #require(few.globalBound(near: solution, effort: effort))
      let scale = max(1, abs(optimum.certificate.primal))
      #expect(bound.value <= optimum.certificate.primal + 1e-9 * scale, "\(kind), seed \(seed)")
      let relaxed = try #require(GlobalBounding(few).relaxation(near: solution))
      #expect(relaxed.value <= optimum.certificate.primal + 1e-9 * scale, "\(kind), seed \(seed), relaxed")
    }
  }

  @Test("The slope of local training, and what it ends at", arguments: [2, 5])
  func localTraining(rows: Int) throws {
    var random = SplitMix64(seed: UInt64(rows))
    let (n, d, m) = (30, 4, 9)
    let x: Matrix<Double> = random.matrix(n * rows, d)
    let sums = RowSums(of: rows)
    let teacher = randomNeurons(5, d, outputs: 2, &random)
    let loss: any Loss<Double> = try LossKind.squared.makeLoss(
      targets: sums(plainPredictions(x, teacher, outputs: 2)))
    let neurons = randomNeurons(m, d, outputs: 2, &random)
    let panels = NeuronPanels(features: d, outputs: neurons.outputs)
    var network = WeightGradient(x: x, loss: loss, λ: 0.3, panels: panels, pooling: sums)
    let weights = panels.weights(of: neurons)
    var (gradient, unused) = ([Double](repeating: .nan, count: weights.count), weights)
    let value = network.value(at: weights, into: &gradient)
    let f = sums(plainPredictions(x, neurons, outputs: 2))
    let expected = loss.value(at: f) + 0.3 * neurons.norms.reduce(0, +)
    #expect(abs(value - expected) <= 1e-10 * expected)
    let direction = weights.map { $0 == 0 ? 0 : random.normal() }
    let step = 1e-6
    let (up, down) = (
      network.value(at: zip(weights, direction).map { $0 + step * $1 }, into: &unused),
      network.value(at: zip(weights, direction).map { $0 - step * $1 }, into: &unused)
    )
    let slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs((up - down) / (2 * step) - slope) <= 1e-5 * (1 + abs(slope)))

    // Refinement is never worse than local training of as many neurons with the same budget.
    let λ = 0.5
    var refinement = PatternRefinement(
      x: x, loss: loss, kind: .squared, parameters: LossParameters(), λ: λ, pooling: sums,
      limits: Limits(tolerance: 1e-4))
    (refinement.options.neuronsPerOutput, refinement.options.evaluations) = (10, 200)
    let outcome = try refinement.run()
    let local = LocalTraining(x: x, loss: loss, λ: λ, pooling: sums).train(
      perOutput: 10, evaluations: 200, seed: 0)
    let primal = outcome.solution.certificate.primal
    #expect(abs(local.objective - outcome.localObjective) <= 1e-12 * local.objective)
    #expect(primal <= local.objective * (1 + 1e-12))
    #expect(outcome.solution.certificate.relativeGap <= 1e-4)

    // Pruning keeps the objective.
    let pruning = NetworkPruning(x: x, loss: loss, λ: λ, pooling: sums)
    #expect(distance(pruning.predictions(neurons), f) <= 1e-10)
    let pruned = try pruning.pruned(neurons)
    #expect(pruning.objective(pruned) <= pruning.objective(neurons) * (1 + 1e-12))
  }
}
