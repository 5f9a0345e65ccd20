import ConvexOptimization
import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// Gated networks whose neurons feed all outputs, as a program with nuclear norms.
struct NuclearProgramTests {
  private func solve<T: Scalar>(
    _ program: NuclearProgram, _: T.Type, tolerance: Double, from start: TwoLayerPoint? = nil
  ) throws -> Solution<TwoLayerPoint> {
    var solver = try NuclearSolver<T>(program, tolerance: tolerance, start: start)
    let limits = Limits(tolerance: tolerance, maximumIterations: 20_000, certificateInterval: .max)
    return drive(&solver, on: program, limits: limits, phase: "test")
  }

  /// The network of neurons 1[xᵀg > 0] (xᵀw) vᵀ by the singular value decompositions: its objective with weight decay,
  /// (λ/2) Σ (‖w‖² + ‖v‖²), and its predictions.
  private func neurons(
    _ network: Network, _ program: NuclearProgram
  ) throws -> (objective: Double, predictions: Matrix<Double>, count: Int) {
    guard case .gated(let layer) = network.layers[0] else { return (.nan, Matrix(0, 0), 0) }
    let (x, c) = (program.gated.x, program.gated.outputs)
    var (f, decay, count) = (Matrix<Double>(x.rows, c), 0.0, 0)
    for i in 0..<layer.gates.rows {
      let svd = try SVD(layer.weights.selectingRows(i * c..<(i + 1) * c).transposed)
      let gate = layer.gates.row(i)
      for (r, σ) in svd.values.enumerated() where σ > 1e-12 {
        let w = svd.u.column(r).map { $0 * σ.squareRoot() }
        let v = svd.vTransposed.row(r).map { $0 * σ.squareRoot() }
        decay += (w + v).reduce(0) { $0 + $1 * $1 }
        count += 1
        for k in 0..<x.rows where StrictArithmetic.dot(x.row(k), gate) > 0 {
          let z = StrictArithmetic.dot(x.row(k), w)
          for j in 0..<c { f[k, j] += z * v[j] }
        }
      }
    }
    return (program.gated.loss.value(at: f) + program.λ / 2 * decay, f, count)
  }

  @Test func oracle() throws {
    struct Oracle: Decodable { var optimal_value_nuclear: Double }
    let name = "02b_gated_sq_vector"
    let optimum = try JSONDecoder().decode(Oracle.self, from: OracleTests.Oracle.data(name))
      .optimal_value_nuclear
    let program = NuclearProgram(
      try OracleTests.Oracle(name).program(.squared, isConstrained: false))
    let solution = try solve(program, Double.self, tolerance: 1e-8)
    #expect(solution.status == .solved)
    // The oracle's own value is good to 1e-7.
    #expect(abs(solution.certificate.primal - optimum) <= 1e-7 * optimum)
    #expect(solution.certificate.dual <= solution.certificate.primal)
    #expect(solution.certificate.dual >= optimum * (1 - 2e-7))
  }

  private func program(_ kind: LossKind, seed: UInt64) throws -> NuclearProgram {
    let (n, d, c) = (10 + Int(seed) * 3, 2 + Int(seed % 4), kind == .logistic ? 1 : 3)
    let x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d)
    var y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, c)
    if kind == .softmax {
      for k in 0..<n { for j in 0..<c { y[k, j] = j == (k * k + Int(seed)) % c ? 1 : 0 } }
    }
    if kind == .logistic { for i in 0..<y.count { y.storage[i] = y.storage[i] > 0 ? 1 : -1 } }
    let loss = try kind.makeLoss(targets: y, weights: (0..<n).map { 0.5 + Double($0 % 3) })
    func program(_ λ: Double) throws -> NuclearProgram {
      NuclearProgram(
        try TwoLayerProgram(
          x: x, loss: loss, kind: kind, λ: λ, patterns: .sampled(x, count: 20, seed: seed),
          isConstrained: false))
    }
    return try program(0.1 * program(1).largestλ())
  }

  @Test(
    "the decoded network is the program's point, and its neurons a network with weight decay of the same objective",
    arguments: [LossKind.squared, .logistic, .softmax, .huber])
  func theorem(kind: LossKind) throws {
    for seed: UInt64 in 0..<5 {
      let program = try program(kind, seed: seed)
      func check(_ solution: Solution<TwoLayerPoint>, _ tolerance: Double) throws {
        let certificate = solution.certificate
        #expect(solution.status == .solved && certificate.relativeGap <= tolerance, "seed \(seed)")
        let network = try program.gated.decode(solution.point, hasBias: false)
        let shared = try neurons(network, program)
        let scale = max(1, abs(certificate.primal))
        #expect(distance(shared.predictions, network.predict(program.gated.x)) <= 1e-10 * scale)
        #expect(abs(shared.objective - certificate.primal) <= 1e-9 * scale, "seed \(seed)")
      }
      let exact = try solve(program, Double.self, tolerance: 1e-7)
      try check(exact, 1e-7)
      try check(solve(program, Float.self, tolerance: 1e-3), 1e-3)
      // Groups of single outputs cost as much or more, and the same with one output.
      var groups = try TwoLayerSolver<Double>(program.gated, tolerance: 1e-8)
      let separate = drive(&groups, on: program.gated, limits: Limits(tolerance: 1e-8), phase: "groups")
      let difference = separate.certificate.primal - exact.certificate.dual
      #expect(difference >= 0)
      if kind == .logistic { #expect(difference <= 1e-6 * max(1, separate.certificate.primal)) }
      let again = try solve(program, Double.self, tolerance: 1e-6, from: exact.point)
      #expect(again.iterations <= 1 + exact.iterations / 3)
    }
  }

  @Test("above λ_max the zero network is optimal, below it is not")
  func largestλ() throws {
    let ten = try program(.softmax, seed: 2)
    for (factor, isZero) in [(10 * (1 + 1e-9), true), (9.8, false)] {
      let program = NuclearProgram(
        try TwoLayerProgram(
          x: ten.gated.x, loss: ten.gated.loss, kind: .softmax, λ: factor * ten.λ,
          patterns: ten.gated.patterns,
          isConstrained: false))
      let solution = try solve(program, Double.self, tolerance: 1e-10)
      #expect(solution.point.groups.isEmpty == isZero)
    }
  }

  @Test("a path refines the patterns of ReLU networks at every λ")
  func refinedPath() throws {
    let data = try Schema(inferredFrom: Table.read("iris")).dataset(from: Table.read("iris"))
    var settings = TrainingSettings()
    settings.outputs = .nuclear
    let path = try Fenchel.path(data, settings: settings, ratios: [0.5, 0.01])
    settings.lambda = .ratio(0.01)
    let single = try train(data, settings: settings).report.network.objective
    let last = try #require(path.report.points.last)
    #expect(abs(last.network.objective - single) <= 1e-3 * single)
  }

  @Test("train, verify, and what is refused")
  func training() throws {
    let data = try Schema(inferredFrom: Table.read("iris")).dataset(from: Table.read("iris"))
    var settings = TrainingSettings()
    (settings.model, settings.outputs, settings.patterns) = (.gatedReLU, .nuclear, .sampled(30))
    for precision in Precision.allCases {
      settings.precision = precision
      let result = try train(data, settings: settings)
      #expect(result.status == .solved)
      #expect(
        abs(result.report.network.objective - (result.report.certificate?.primal ?? .nan)) <= 1e-9)
      let verification = try verify(ModelFile(decoding: result.model.encoded()), data: data)
      #expect(verification.agrees, "\(verification)")
      // Read as a program of separate groups, neither value nor bound is the same.
      var forged = result.model
      forged.report.settings.outputs = nil
      #expect(try !verify(forged, data: data).agrees)
      // The report names another model than the settings.
      forged = result.model
      forged.report.settings.model = .relu
      #expect(try !verify(forged, data: data).agrees)
    }
    let path = try Fenchel.path(data, settings: settings, ratios: [0.3, 0.1])
    #expect(path.status == .solved && path.report.points.count == 2)
    settings.loss = .hinge
    #expect(throws: TrainingError.lossOfSharedNeurons(.hinge)) { try train(data, settings: settings) }
    (settings.loss, settings.solver) = (nil, .newton)
    #expect(throws: TrainingError.solverOfSharedNeurons(.newton)) { try train(data, settings: settings) }
    for model in [ModelKind.batchNorm, .threshold, .polynomial] {
      (settings.solver, settings.model) = (.auto, model)
      #expect(throws: TrainingError.sharedNeurons(model)) { try train(data, settings: settings) }
    }
  }
}
