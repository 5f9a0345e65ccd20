import ConvexOptimization
import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// ReLU networks with batch normalisation after the ReLU.
struct PostNormalisationTests {
  private func solve(_ program: PostNormalisationProgram, tolerance: Double) throws -> Solution<TwoLayerPoint>
  {
    var solver = try TwoLayerSolver<Double>(program, tolerance: tolerance)
    let limits = Limits(tolerance: tolerance, maximumIterations: 3000, certificateInterval: .max)
    return drive(&solver, on: program, limits: limits, phase: "group lasso")
  }

  @Test func oracle() throws {
    struct Oracle: Decodable {
      var X: [[Double]]
      var y: [Double]
      var beta: Double
      var patterns: [String]
      var optimal_value: Double
    }
    let oracle = try JSONDecoder().decode(
      Oracle.self, from: OracleTests.Oracle.data("05b_bn_slide_post_activation"))
    let x = Matrix(rows: oracle.X)
    let plain = try TwoLayerProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: Matrix(column: oracle.y)), kind: .squared,
      λ: oracle.beta, patterns: .enumerated(x), isConstrained: true)
    // The pattern without active samples is one of ours, and adds nothing.
    let own = plain.patterns.bits.transposed
    let texts = (0..<own.rows).map { i in (0..<own.columns).map { own[i, $0] ? "1" : "0" }.joined() }
    #expect(Set(texts).subtracting([String(repeating: "0", count: x.rows)]) == Set(oracle.patterns))
    let program = try PostNormalisationProgram(plain)
    let solution = try solve(program, tolerance: 1e-8)
    let certificate = solution.certificate
    #expect(abs(certificate.primal - oracle.optimal_value) <= 1e-6 * oracle.optimal_value)
    #expect(certificate.relativeGap <= 1e-7 && certificate.scope == .exact)
    #expect(certificate.dual <= oracle.optimal_value * (1 + 1e-6))
    let network = try program.decode(solution.point, hasBias: false)
    let (f, penalty) = normalised(network, x, [Double](repeating: 1, count: x.rows))
    #expect(distance(f, network.predict(x)) <= 1e-10)
    let value = plain.loss.value(at: f) + oracle.beta * penalty
    #expect(abs(value - oracle.optimal_value) <= 1e-6 * oracle.optimal_value)
  }

  /// f(X) of neurons γ (Xw)₊/N(w) w₂ with γ = |w₂| = √(N(w)|v|) by the formula, without ε, and Σ (γ² + w₂²)/2.
  private func normalised(
    _ network: Network, _ x: Matrix<Double>, _ s: [Double]
  ) -> (f: Matrix<Double>, penalty: Double) {
    guard case .dense(let hidden) = network.layers[0], case .dense(let output) = network.layers[2] else {
      return (Matrix(0, 0), .nan)
    }
    var (f, penalty) = (Matrix<Double>(x.rows, output.weights.columns), 0.0)
    for m in 0..<hidden.weights.columns {
      let w = hidden.weights.column(m)
      let z = (0..<x.rows).map { max(0, StrictArithmetic.dot(x.row($0), w) + hidden.bias[m]) }
      let size = zip(s, z).reduce(0) { $0 + $1.0 * $1.1 * $1.1 }.squareRoot()
      for j in 0..<f.columns where size > 0 {
        let v = output.weights[m, j]
        let γ = (size * abs(v)).squareRoot()
        penalty += (γ * γ + γ * γ) / 2
        for k in 0..<x.rows { f[k, j] += γ * z[k] / size * (v < 0 ? -γ : γ) }
      }
    }
    return (f, penalty)
  }

  /// −∇ℓ(0).
  private func residual(_ loss: any Loss<Double>) -> Matrix<Double> {
    var slope = Matrix<Double>(loss.samples, loss.outputs)
    loss.gradient(at: Matrix(loss.samples, loss.outputs), into: &slope)
    slope.scale(by: -1)
    return slope
  }

  @Test(
    "dual ≤ optimum ≤ primal, and the network costs and predicts what its program says",
    arguments: [LossKind.squared, .logistic, .softmax, .huber], 0..<8 as Range<UInt64>)
  func duality(kind: LossKind, seed: UInt64) throws {
    let (n, d) = (6 + Int(seed), 1 + Int(seed % 3))
    let c = kind == .softmax ? 3 : 1 + Int(seed % 2)
    let x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d)
    var y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, c)
    for k in 0..<n where kind == .softmax { for j in 0..<c { y[k, j] = j == (k * k) % c ? 1 : 0 } }
    if kind == .logistic { for i in 0..<y.count { y.storage[i] = y.storage[i] > 0 ? 1 : -1 } }
    let weights = (0..<n).map { 0.5 + Double($0 % 3) }
    let loss: any Loss<Double> = try kind.makeLoss(targets: y, weights: weights)
    let unit = try PostNormalisationProgram(
      TwoLayerProgram(
        x: x, loss: loss, kind: kind, λ: 1, patterns: .enumerated(x), isConstrained: true))
    let λMax = unit.largestλ()
    for ratio in [0.03, 0.3] {
      let program = try unit.with(λ: ratio * λMax)
      let solution = try solve(program, tolerance: 1e-6)
      let optimum = solution.certificate
      let name = "\(kind), seed \(seed), ratio \(ratio), \(solution.status)"
      #expect(optimum.relativeGap <= 1e-6 && optimum.relativeGap >= -1e-12, "\(name): \(optimum)")
      let scale = 1e-9 * max(1, abs(optimum.primal))
      for stream: UInt64 in 1...3 {
        let θ: Matrix<Double> = Philox(seed: seed, stream: 10 + stream).normalMatrix(n, c)
        #expect(program.dualBound(θ: θ) <= optimum.primal + scale, "\(name): dual")
        // Any network is above the bound: all neurons have a pattern among them all.
        let hidden: Matrix<Double> = Philox(seed: seed, stream: 20 + stream).normalMatrix(d, 3)
        var output = Matrix<Double>(3, c)
        for m in 0..<3 { output[m, m % c] = 0.3 * Double(Int(stream) - 2) + 0.1 }
        let network = try Network(hidden: Dense(weights: hidden), output: Dense(weights: output))
        let (f, penalty) = normalised(network, x, weights)
        #expect(
          loss.value(at: f) + program.λ * penalty >= optimum.dual * (1 - 1e-6) - scale, "\(name): network")
      }
      let network = try program.decode(solution.point, hasBias: false)
      let (f, penalty) = normalised(network, x, weights)
      #expect(distance(f, network.predict(x)) <= 1e-9 * max(1, f.frobeniusNorm), "\(name)")
      let value = loss.value(at: f) + program.λ * penalty
      #expect(abs(value - optimum.primal) <= 1e-5 * max(1, value), "\(name): \(value), \(optimum)")
    }
    // Above λ_max nothing is better than zero, just below something is.
    let zero = loss.value(at: Matrix(n, c))
    let above = try unit.with(λ: 1.001 * λMax)
    #expect(above.dualBound(θ: residual(loss)) >= zero * (1 - 1e-9))
    let below = try solve(unit.with(λ: 0.9 * λMax), tolerance: 1e-7)
    #expect(below.certificate.primal < zero)
  }

  @Test("Newton's method finds its way where softmax saturates", arguments: 0..<6 as Range<UInt64>)
  func saturation(seed: UInt64) throws {
    var x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(50, 4)
    for k in 0..<50 { x[k, 3] = 1 }
    var y = Matrix<Double>(50, 3)
    for k in 0..<50 { y[k, k % 3] = 1 }
    let loss: any Loss<Double> = try LossKind.softmax.makeLoss(targets: y)
    let unit = try PostNormalisationProgram(
      TwoLayerProgram(
        x: x, loss: loss, kind: .softmax, λ: 1, patterns: .sampled(x, count: 200, seed: seed),
        isConstrained: true))
    let program = try unit.with(λ: 0.01 * unit.largestλ())
    var solver = try TwoLayerSolver<Double>(program, tolerance: 1e-4)
    let solution = drive(
      &solver, on: program,
      limits: Limits(tolerance: 1e-4, maximumIterations: 300, certificateInterval: .max),
      phase: "group lasso")
    #expect(solution.status == .solved, "\(solution.status) \(solution.certificate)")
  }

  @Test("Certificates that must hurry hold, and the norm of a direction too")
  func hurry() throws {
    let x: Matrix<Double> = Philox(seed: 8, stream: 1).normalMatrix(30, 4)
    let y: Matrix<Double> = Philox(seed: 8, stream: 2).normalMatrix(30, 1)
    let loss: any Loss<Double> = try LossKind.squared.makeLoss(targets: y)
    let unit = try PostNormalisationProgram(
      TwoLayerProgram(
        x: x, loss: loss, kind: .squared, λ: 1, patterns: .sampled(x, count: 100, seed: 1),
        isConstrained: true))
    let (λ, above) = (unit.largestλ(), unit.largestλ(deadline: Deadline(in: 0)))
    #expect(λ > 0 && above >= λ * (1 - 1e-12))
    let program = try unit.with(λ: 0.1 * λ)
    let zero = TwoLayerPoint(groups: [], coefficients: Matrix(0, 4), θ: loss.residual(at: Matrix(30, 1)))
    let (whole, hurried) = (program.certificate(at: zero), program.certificate(at: zero, inSeconds: 0))
    #expect(hurried.primal == whole.primal && hurried.dual > 0 && hurried.dual < whole.dual)
  }

  @Test("The length of a column of weights means nothing, the size of its output neither")
  func invariance() throws {
    let x: Matrix<Double> = Philox(seed: 4, stream: 1).normalMatrix(20, 3)
    let y: Matrix<Double> = Philox(seed: 4, stream: 2).normalMatrix(20, 1)
    func optimum(_ x: Matrix<Double>) throws -> Certificate {
      let loss: any Loss<Double> = try LossKind.squared.makeLoss(targets: y)
      return try solve(
        PostNormalisationProgram(
          TwoLayerProgram(
            x: x, loss: loss, kind: .squared, λ: 0.3, patterns: .enumerated(x), isConstrained: true)),
        tolerance: 1e-8
      ).certificate
    }
    var mixed = naiveProduct(x, .no, Matrix(rows: [[2, 0.3, 0], [0, 0.5, -1], [0.1, 0, 3]]), .no)
    mixed.scale(by: 10)
    let (a, b) = (try optimum(x), try optimum(mixed))
    #expect(abs(a.primal - b.primal) <= 1e-6 * a.primal, "\(a), \(b)")
  }

  @Test("train and verify, in both precisions", arguments: [Precision.float, .double])
  func training(precision: Precision) throws {
    let table = try Table.read("diabetes")
    let data = try Schema(inferredFrom: table).dataset(from: table).selectingRows(Array(0..<100))
    var settings = TrainingSettings()
    (settings.model, settings.normalisation, settings.lambda) = (.batchNorm, .after, .ratio(0.1))
    settings.precision = precision
    for (hasBias, patterns) in [(true, PatternChoice.sampled(60)), (false, .refine)] {
      (settings.bias, settings.patterns) = (hasBias, patterns)
      let result = try train(data, settings: settings)
      #expect(result.status == .solved && result.model.network.layers.count == 3)
      let certificate = try #require(result.report.certificate)
      #expect(abs(result.report.network.objective - certificate.primal) <= 1e-9 * certificate.primal)
      let problem = try TrainingProblem(data, settings: settings)
      let (f, penalty) = normalised(result.model.network, problem.inputs, problem.loss.weights)
      let value = problem.loss.value(at: f) + (result.report.lambda ?? .nan) * penalty
      #expect(abs(value - certificate.primal) <= 1e-6 * value)
      let verification = try verify(ModelFile(decoding: result.model.encoded()), data: data)
      #expect(verification.agrees, "\(verification)")
      guard case .dense(let hidden) = result.model.network.layers[0] else { continue }
      var (forged, weights) = (result.model, hidden.weights)
      weights.scale(by: 1.1)
      forged.network = try Network(layers: [
        .dense(Dense(weights: weights, bias: hidden.bias.map { 1.1 * $0 })), .relu,
        result.model.network.layers[2],
      ])
      #expect(try !verify(forged, data: data).agrees)
    }
    settings.loss = .absolute
    #expect(throws: TrainingError.lossOfModel(.absolute, .batchNorm)) { try train(data, settings: settings) }
    (settings.loss, settings.maxMemory) = (nil, 10_000)
    #expect(throws: (any Error).self) { try train(data, settings: settings) }
  }
}
