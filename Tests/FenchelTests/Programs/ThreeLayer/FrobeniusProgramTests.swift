import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Sub-networks whose first layers have Frobenius norm one.
struct FrobeniusProgramTests {
  @Test("the oracle's values", arguments: ["04a_three_layer_exact", "04b_three_layer_sampled"])
  func oracle(name: String) throws {
    let oracle = try ThreeLayerProgramTests.Oracle.read(name)
    let program = FrobeniusProgram(try oracle.program(oracle.patterns()))
    let solution = program.solve(limits: Limits(tolerance: 1e-7))
    let (certificate, optimum) = (solution.certificate, oracle.optimal_value_variant_B)
    #expect(
      solution.status == .solved && certificate.relativeGap <= 1e-7, "\(solution.status) \(certificate)")
    #expect(abs(certificate.primal - optimum) <= 1e-5 * optimum, "\(certificate)")
    #expect(certificate.dual <= optimum * (1 + 1e-7))
  }

  private func program(_ seed: UInt64, width: Int) throws -> ThreeLayerProgram {
    let (n, d) = (9 + Int(seed % 4), 2 + Int(seed % 2))
    let x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d)
    let y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, 1)
    return try ThreeLayerProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: y), kind: .squared, λ: 0.1,
      patterns: .sampled(x, width: width, count: 40, seed: seed))
  }

  @Test("the decoded network has the program's objective; bounds hold for any θ", arguments: 1...4)
  func theorem(width: Int) throws {
    for seed: UInt64 in 0..<6 {
      let columns = try program(seed, width: width)
      let program = FrobeniusProgram(columns)
      let solution = program.solve(limits: Limits(tolerance: 1e-6))
      let certificate = solution.certificate
      #expect(certificate.relativeGap <= 1e-6, "\(seed): \(certificate)")
      let network = try columns.decode(solution.point, hasBias: false, norm: .frobenius)
      guard case .dense(let hidden) = network.layers[0], case .dense(let middle) = network.layers[2],
        case .dense(let output) = network.layers[4]
      else { return #expect(Bool(false)) }
      for k in 0..<middle.weights.columns {
        let columns = (0..<middle.weights.rows).filter { middle.weights[$0, k] != 0 }
        guard !columns.isEmpty else { continue }
        #expect(abs(StrictArithmetic.norm(columns.flatMap { hidden.weights.column($0) }) - 1) <= 1e-12)
      }
      let decay = (middle.weights.storage + output.weights.storage).reduce(0) { $0 + $1 * $1 }
      let objective = columns.loss.value(at: network.predict(columns.x)) + columns.λ / 2 * decay
      #expect(abs(objective - certificate.primal) <= 1e-9 * max(1, certificate.primal), "\(seed)")
      // ‖(‖w_1‖, …, ‖w_m‖)‖₂ ≤ ‖·‖₁ ≤ √m ‖·‖₂.
      var solver = ThreeLayerSolver(columns, tolerance: 1e-7)
      let unit = drive(&solver, on: columns, limits: Limits(tolerance: 1e-7), phase: "cones").certificate
      #expect(unit.dual <= certificate.primal * (1 + 1e-9))
      if width == 1 { #expect(abs(unit.primal - certificate.primal) <= 1e-5 * unit.primal) }
      let noise: Matrix<Double> = Philox(seed: seed, stream: 3).normalMatrix(columns.samples, 1)
      #expect(program.dualBound(θ: noise) <= certificate.primal)
      // −∇ℓ(0) = y.
      let targets: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(columns.samples, 1)
      let (whole, plain) = (
        program.dualBound(θ: targets), program.dualBound(θ: targets, deadline: Deadline(in: 0))
      )
      #expect(plain > 0 && plain <= whole && whole <= certificate.primal)
    }
  }

  @Test("a run without time keeps the point that it was given, and has a bound")
  func noTime() throws {
    let columns = try program(1, width: 2)
    var solver = ThreeLayerSolver(columns, tolerance: 1e-4)
    let unit = drive(&solver, on: columns, limits: Limits(tolerance: 1e-4), phase: "cones")
    let program = FrobeniusProgram(columns)
    let solution = program.solve(from: unit.point, limits: Limits(tolerance: 1e-4, seconds: 0))
    #expect(solution.status == .stoppedAtLimit(.time))
    #expect(solution.certificate.primal <= program.strictObjective(at: unit.point))
    #expect(solution.certificate.dual.isFinite && solution.certificate.dual <= solution.certificate.primal)
  }

  @Test("train and verify; a network of larger first layers is found out")
  func training() throws {
    let table = try Table.read("iris")
    let data = try Schema(inferredFrom: table).dataset(from: table).selectingRows((0..<75).map { 2 * $0 })
    var settings = TrainingSettings()
    (settings.model, settings.columns, settings.lambda) = (.threeLayer, .frobenius, .ratio(0.1))
    settings.patterns = .sampled(12)
    settings.tolerance = 1e-3
    let result = try train(data, settings: settings)
    #expect(result.status == .solved)
    let model = try ModelFile(decoding: result.model.encoded())
    let verification = try verify(model, data: data)
    #expect(verification.agrees, "\(verification)")
    var forged = model
    forged.report.settings.columns = nil
    #expect(try !verify(forged, data: data).agrees)
    guard case .dense(let hidden) = model.network.layers[0] else { return }
    var (longer, layers) = (hidden.weights, model.network.layers)
    longer.scale(by: 1.01)
    layers[0] = .dense(try Dense(weights: longer, bias: hidden.bias.map { 1.01 * $0 }))
    forged = model
    forged.network = try Network(layers: layers)
    #expect(try !verify(forged, data: data).isFeasible)
  }
}
