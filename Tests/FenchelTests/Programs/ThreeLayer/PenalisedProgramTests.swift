import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Hinges in place of the cones of sub-networks.
struct PenalisedProgramTests {
  private func program(
    _ seed: UInt64, width: Int = 2, kind: LossKind = .squared
  ) throws -> ThreeLayerProgram {
    let (n, d) = (12 + 3 * Int(seed % 4), 2 + Int(seed % 3))
    let x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d)
    var y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, kind == .softmax ? 3 : 1)
    if kind == .softmax {
      for k in 0..<n { for j in 0..<3 { y[k, j] = j == (k + Int(seed)) % 3 ? 1 : 0 } }
    } else if kind == .logistic {
      for i in 0..<n { y.storage[i] = y.storage[i] > 0 ? 1 : -1 }
    }
    return try ThreeLayerProgram(
      x: x, loss: kind.makeLoss(targets: y, weights: (0..<n).map { 0.5 + Double($0 % 3) }), kind: kind,
      λ: 0.2, patterns: .sampled(x, width: width, count: 30, seed: seed))
  }

  private func optimum(_ program: ThreeLayerProgram) -> Certificate {
    var solver = ThreeLayerSolver(program, tolerance: 1e-8)
    return drive(&solver, on: program, limits: Limits(tolerance: 1e-8), phase: "cones").certificate
  }

  @Test(
    "bounds from below, rises with ρ, and is the program with cones where ρ is large", arguments: 1...3,
    [LossKind.squared, .logistic, .softmax, .huber])
  func exactness(width: Int, kind: LossKind) throws {
    for seed: UInt64 in 0..<3 {
      let program = try program(seed, width: width, kind: kind)
      let cones = optimum(program)
      var last = -Double.infinity
      for ρ in [0.01, 0.3, 100] {
        let penalised = try PenalisedProgram(program, ρ: ρ)
        let solution = penalised.solve(limits: Limits(tolerance: 2e-3, maximumIterations: 200_000))
        let certificate = solution.certificate
        #expect(
          solution.status == .solved && certificate.relativeGap <= 2.1e-3,
          "\(seed) ρ \(ρ), \(solution.status) after \(solution.iterations): \(certificate)")
        #expect(certificate.gap >= -1e-9 * max(1, certificate.primal))
        let bounds = penalised.bounds(at: solution.point)
        #expect(bounds.penalised <= bounds.cones + 1e-12)
        #expect(bounds.cones <= cones.primal * (1 + 1e-12), "\(seed) ρ \(ρ): \(bounds), \(cones)")
        #expect(certificate.primal >= last - 1e-12, "the optimum falls with ρ")
        last = certificate.dual
        if ρ == 100 {
          #expect(
            abs(certificate.primal - cones.primal) <= 3e-3 * max(1, cones.primal), "\(seed): \(certificate)")
        } else if ρ == 0.01 {
          #expect(certificate.primal < cones.dual, "\(seed): hinges too light to matter")
        }
      }
    }
  }

  @Test("bounds hold for any θ and multipliers; points of the cones pay no hinge")
  func soundness() throws {
    for seed: UInt64 in 0..<20 {
      let program = try program(seed)
      var solver = ThreeLayerSolver(program, tolerance: 1e-7)
      let best = drive(&solver, on: program, limits: Limits(tolerance: 1e-7), phase: "cones")
      let penalised = try PenalisedProgram(program, ρ: 3)
      let found = penalised.value(at: best.point)
      #expect(
        found.violation <= 1e-9 && abs(found.value - best.certificate.primal) <= 1e-8, "\(seed): \(found)")
      let noise: Matrix<Double> = Philox(seed: seed, stream: 3).normalMatrix(program.samples, 1)
      var point = best.dualPoint
      point.θ.add(0.3 * Double(seed % 3), noise)
      for pattern in 0..<program.patterns.count {
        point.multipliers[TwoLayerGroup(pattern: pattern, sign: -1, output: 0)] = SparseVector(
          indices: [0, 3, 4 * program.samples - 1, 4 * program.samples], values: [1, -1, 0.1, 3])
      }
      let bounds = penalised.bounds(at: point)
      #expect(bounds.cones <= best.certificate.primal * (1 + 1e-12), "\(seed): \(bounds)")
      #expect(bounds.penalised <= bounds.cones + 1e-12)
    }
  }

  @Test(
    "the network has its own objective, no worse than its weights had before training, and bounds of its patterns",
    arguments: [LossKind.squared, .softmax])
  func training(kind: LossKind) throws {
    for seed: UInt64 in 0..<6 {
      let program = try program(seed, kind: kind)
      let training = PenalisedTraining(
        x: program.x, loss: program.loss, kind: kind, parameters: LossParameters(), λ: program.λ,
        patterns: program.patterns, limits: Limits(tolerance: 1e-4))
      let outcome = try training.run()
      let (certificate, penalty) = (outcome.solution.certificate, outcome.penalty)
      #expect(certificate.dual <= certificate.primal * (1 + 1e-12) && certificate.dual.isFinite, "\(seed)")
      #expect(certificate.primal <= penalty.decoded * (1 + 1e-12), "\(seed): \(certificate), \(penalty)")
      #expect(penalty.bound <= certificate.primal && penalty.bound <= penalty.value)
      #expect(penalty.relativeGap <= 1e-2, "\(seed): \(penalty)")
      let network = try outcome.program.decode(outcome.solution.point, hasBias: false)
      guard case .dense(let middle) = network.layers[2], case .dense(let output) = network.layers[4] else {
        return #expect(Bool(false))
      }
      let decay = (middle.weights.storage + output.weights.storage).reduce(0) { $0 + $1 * $1 }
      let objective = program.loss.value(at: network.predict(program.x)) + program.λ / 2 * decay
      #expect(abs(objective - certificate.primal) <= 1e-9 * max(1, objective), "\(seed)")
      // Nothing in the network's own patterns is below the bound.
      let all = optimum(outcome.program)
      #expect(
        certificate.dual <= all.primal * (1 + 1e-9) && all.dual <= certificate.primal * (1 + 1e-9), "\(seed)")
    }
  }

  private func iris() throws -> (Dataset<Double>, TrainingSettings) {
    let table = try Table.read("iris")
    let data = try Schema(inferredFrom: table).dataset(from: table)
    var settings = TrainingSettings()
    (settings.model, settings.lambda, settings.penalty) = (.threeLayer, .ratio(0.05), ConePenalty())
    settings.patterns = .sampled(15)
    settings.tolerance = 1e-3
    return (data, settings)
  }

  @Test("train and verify; changed multipliers, weights and statements are found out")
  func verification() throws {
    let (data, settings) = try iris()
    let result = try train(data, settings: settings)
    let penalty = try #require(result.report.penalty)
    #expect(penalty.bound <= penalty.value && result.report.network.objective >= penalty.bound)
    let model = try ModelFile(decoding: result.model.encoded())
    #expect(model.report.penalty == penalty)
    let verification = try verify(model, data: data)
    #expect(verification.agrees, "\(verification)")
    var forged = model
    forged.certificate["multipliers"] = nil
    let values = try #require(model.certificate["multipliers"])
    guard case .float64(let α) = values.values else { return #expect(Bool(false)) }
    forged.certificate["multipliers"] = Tensor(shape: values.shape, .float64(α.map { 100 * $0 }))
    #expect(try !verify(forged, data: data).agrees)
    forged = model
    forged.report.penalty?.bound = (model.report.certificate?.dual ?? 0) + 1
    #expect(try !verify(forged, data: data).agrees)
    forged = model
    forged.report.penalty?.value = 0
    #expect(try verify(forged, data: data).falseStatements.count == 1)
    forged = model
    guard case .dense(let output) = model.network.layers[4] else { return }
    var (larger, layers) = (output.weights, model.network.layers)
    larger.scale(by: 0.9)
    layers[4] = .dense(try Dense(weights: larger))
    forged.network = try Network(layers: layers)
    #expect(try !verify(forged, data: data).agrees)
  }

  @Test("the same bits for any number of threads, a path, a time limit, and what cannot be")
  func settings() throws {
    var (data, settings) = try iris()
    settings.tolerance = 1e-2
    try expectSameForAnyThreads("hinges") { try train(data, settings: settings).model.network }
    let path = try path(data, settings: settings, ratios: [0.5, 0.1])
    #expect(path.report.points.count == 2)
    settings.timeLimit = 1e-3
    let hurried = try train(data, settings: settings)
    #expect(hurried.status == .stoppedAtLimit(.time) && hurried.report.certificate?.dual.isFinite == true)
    #expect(try verify(hurried.model, data: data).agrees)
    settings.timeLimit = nil
    settings.penalty = ConePenalty(weight: 0)
    #expect(throws: ProgramError.penaltyWeight(0)) { try train(data, settings: settings) }
    settings.penalty = ConePenalty(weight: .infinity)
    #expect(throws: ProgramError.penaltyWeight(.infinity)) { try train(data, settings: settings) }
    (settings.penalty, settings.columns) = (ConePenalty(), .frobenius)
    #expect(throws: TrainingError.self) { try train(data, settings: settings) }
    (settings.columns, settings.loss) = (nil, .hinge)
    #expect(throws: TrainingError.lossOfModel(.hinge, .threeLayer)) { try train(data, settings: settings) }
    (settings.loss, settings.maxMemory) = (nil, 1e5)
    #expect(throws: ProgramError.self) { try train(data, settings: settings) }
  }
}
