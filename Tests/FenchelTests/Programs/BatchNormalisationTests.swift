import ConvexOptimization
import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// ReLU networks with batch normalisation as plain ones on whitened data.
struct BatchNormalisationTests {
  private func solve(_ program: TwoLayerProgram, tolerance: Double) throws -> Solution<TwoLayerPoint> {
    try WorkingSetMethod(program, limits: Limits(tolerance: tolerance)).solve().solution
  }

  /// f(X) = Σ_m (γ C X w/‖C X w‖ + α 1/√n)₊ w₂ by the formula, and Σ (γ² + α² + w₂²)/2, with weights s for rows.
  private func normalised(
    _ x: Matrix<Double>, _ s: [Double], _ hidden: Dense, _ output: Dense, gains: Matrix<Double>
  ) -> (predictions: Matrix<Double>, decay: Double) {
    let (n, total) = (x.rows, s.reduce(0, +))
    var (f, decay) = (Matrix<Double>(n, output.weights.columns), 0.0)
    for m in 0..<hidden.weights.columns {
      let z = (0..<n).map { StrictArithmetic.dot(x.row($0), hidden.weights.column(m)) }
      let mean = zip(s, z).reduce(0) { $0 + $1.0 * $1.1 } / total
      let size = zip(s, z).reduce(0) { $0 + $1.0 * ($1.1 - mean) * ($1.1 - mean) }.squareRoot()
      let (γ, α) = (gains[0, m], gains[1, m])
      decay += γ * γ / 2 + α * α / 2 + output.weights.row(m).reduce(0) { $0 + $1 * $1 } / 2
      for k in 0..<n {
        let value = max(0, (size > 0 ? γ * (z[k] - mean) / size : 0) + α / total.squareRoot())
        for j in 0..<f.columns { f[k, j] += value * output.weights[m, j] }
      }
    }
    return (f, decay)
  }

  @Test func oracle() throws {
    struct Oracle: Decodable {
      var X: [[Double]]
      var y: [Double]
      var beta: Double
      var num_arrangements: Int
      var optimal_value: Double
    }
    let oracle = try JSONDecoder().decode(
      Oracle.self, from: OracleTests.Oracle.data("05a_bn_pre_activation"))
    let x = Matrix(rows: oracle.X)
    let map = try BatchNormalisation(
      x, weights: [Double](repeating: 1, count: x.rows), hasShift: true, names: ["a", "b"])
    let program = try TwoLayerProgram(
      x: map.data, loss: LossKind.squared.makeLoss(targets: Matrix(column: oracle.y)), kind: .squared,
      λ: oracle.beta, patterns: .enumerated(map.data), isConstrained: true)
    #expect(program.patterns.count == oracle.num_arrangements)
    let certificate = try solve(program, tolerance: 1e-8).certificate
    #expect(abs(certificate.primal - oracle.optimal_value) <= 1e-6 * oracle.optimal_value)
    #expect(certificate.relativeGap <= 1e-7 && certificate.scope == .exact)
    #expect(certificate.dual <= oracle.optimal_value * (1 + 1e-7))
  }

  @Test(
    "the decoded network predicts and costs what the normalised one does by its formula",
    arguments: [true, false], 0..<5 as Range<UInt64>)
  func theorem(hasShift: Bool, seed: UInt64) throws {
    let (n, d) = (12 + 2 * Int(seed), 2 + Int(seed % 3))
    var x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d)
    for k in 0..<n { for j in 0..<d { x[k, j] = 3 * x[k, j] + Double(j) } }
    if d == 4 { for k in 0..<n { x[k, 3] = x[k, 0] - x[k, 1] } }  // collinear: rank 3
    let y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, 1)
    let weights = (0..<n).map { 0.5 + Double($0 % 3) }
    let map = try BatchNormalisation(
      x, weights: weights, hasShift: hasShift, names: (0..<d).map { "x\($0)" })
    #expect(map.data.columns == min(d, 3) + (hasShift ? 1 : 0))
    let program = try TwoLayerProgram(
      x: map.data, loss: LossKind.squared.makeLoss(targets: y, weights: weights), kind: .squared, λ: 0.05,
      patterns: .sampled(map.data, count: 40, seed: seed), isConstrained: true)
    let solution = try solve(program, tolerance: 1e-7)
    let inner = try program.decode(solution.point, hasBias: false)
    let network = try map.decode(inner)
    guard case .dense(let hidden) = network.layers[0], case .dense(let output) = network.layers[2],
      case .dense(let own) = inner.layers[0]
    else { return #expect(Bool(false)) }
    // γ and α of each neuron from its weights on the whitened data.
    let rank = map.data.columns - (hasShift ? 1 : 0)
    var gains = Matrix<Double>(2, own.weights.columns)
    for m in 0..<own.weights.columns {
      gains[0, m] = StrictArithmetic.norm(Array(own.weights.column(m).prefix(rank)))
      gains[1, m] = hasShift ? own.weights[rank, m] : 0
    }
    let (f, decay) = normalised(x, weights, hidden, output, gains: gains)
    let scale = max(1, solution.certificate.primal)
    #expect(distance(f, network.predict(x)) <= 1e-10 * scale)
    #expect(distance(f, inner.predict(map.data)) <= 1e-10 * scale)
    #expect(abs(program.loss.value(at: f) + program.λ * decay - solution.certificate.primal) <= 1e-9 * scale)
    let again = try #require(map.encode(network))
    #expect(distance(again.predict(map.data), f) <= 1e-10 * scale)
  }

  @Test("train, verify, and the bound over networks of any width")
  func training() throws {
    let table = try Table.read("diabetes")
    let data = try Schema(inferredFrom: table).dataset(from: table).selectingRows(Array(0..<150))
    var settings = TrainingSettings()
    (settings.model, settings.lambda) = (.batchNorm, .ratio(0.1))
    for hasBias in [true, false] {
      settings.bias = hasBias
      let result = try train(data, settings: settings)
      #expect(result.status == .solved && result.model.network.layers.count == 3)
      #expect((result.report.train.rSquared ?? 0) > 0.3)
      let verification = try verify(ModelFile(decoding: result.model.encoded()), data: data)
      #expect(verification.agrees, "\(verification)")
      #expect(verification.globalBound != nil)
      // Larger weights in front of the ReLU are another γ, not another direction.
      guard case .dense(let hidden) = result.model.network.layers[0] else { continue }
      var (forged, weights) = (result.model, hidden.weights)
      weights.scale(by: 1.1)
      forged.network = try Network(layers: [
        .dense(Dense(weights: weights, bias: hidden.bias.map { 1.1 * $0 })),
        .relu, result.model.network.layers[2],
      ])
      #expect(try !verify(forged, data: data).agrees)
    }
  }

  @Test("a column that does not vary is refused by its name")
  func constantColumns() throws {
    let x = Matrix<Double>(rows: [[1, 5, 2], [2, 5, 2], [3, 5, 2], [4, 6, 7]])
    let names = ["size", "age", "weight"]
    #expect(throws: BatchNormalisationError.constantColumns(["age", "weight"])) {
      try BatchNormalisation(x, weights: [1, 2, 1, 0], hasShift: true, names: names)
    }
    let table = try Table.read("digits")
    let data = try Schema(inferredFrom: table).dataset(from: table)
    var settings = TrainingSettings()
    settings.model = .batchNorm
    #expect { try train(data, settings: settings) } throws: { error in
      "\(error)".contains("pixel_0_0") && "\(error)".contains("--ignore")
    }
  }
}
