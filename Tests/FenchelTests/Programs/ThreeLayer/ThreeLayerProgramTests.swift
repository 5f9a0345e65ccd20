import ConvexOptimization
import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// Networks of parallel sub-networks with two ReLU layers as convex programs.
struct ThreeLayerProgramTests {
  struct Oracle: Decodable {
    var X: [[Double]]
    var y: [Double]
    var beta: Double
    var optimal_value: Double
    var optimal_value_variant_B: Double
    var blocks: [[Entry]]

    /// A text of bits, or a sign.
    enum Entry: Decodable {
      case bits([Bool]), sign(Double)

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let sign = try? container.decode(Double.self) {
          self = .sign(sign)
        } else {
          self = .bits(try container.decode(String.self).map { $0 == "1" })
        }
      }

      var bits: [Bool] { if case .bits(let bits) = self { bits } else { [] } }
      var sign: Double { if case .sign(let sign) = self { sign } else { 0 } }
    }

    static func read(_ name: String) throws -> Oracle {
      try JSONDecoder().decode(Oracle.self, from: OracleTests.Oracle.data(name))
    }

    var x: Matrix<Double> { Matrix(rows: X) }

    /// The blocks (D_1, D_2, s_1, s_2, E) as patterns.
    func patterns() throws -> SubnetworkPatterns {
      var (first, second) = (BitMatrix(2 * blocks.count, y.count), BitMatrix(blocks.count, y.count))
      for (b, block) in blocks.enumerated() {
        for k in y.indices {
          (first[2 * b, k], first[2 * b + 1, k]) = (block[0].bits[k], block[1].bits[k])
          second[b, k] = block[4].bits[k]
        }
      }
      let signs = Matrix(blocks.count, 2, storage: blocks.flatMap { [$0[2].sign, $0[3].sign] })
      return try .given(first: first, second: second, signs: signs, for: x)
    }

    func program(_ patterns: SubnetworkPatterns) throws -> ThreeLayerProgram {
      try ThreeLayerProgram(
        x: x, loss: LossKind.squared.makeLoss(targets: Matrix(column: y)), kind: .squared, λ: beta,
        patterns: patterns)
    }
  }

  private func solve(
    _ program: ThreeLayerProgram, tolerance: Double
  ) -> Solution<ThreeLayerPoint> {
    var solver = ThreeLayerSolver(program, tolerance: tolerance)
    return drive(&solver, on: program, limits: Limits(tolerance: tolerance), phase: "cones")
  }

  @Test("all patterns of the oracle, by enumeration and as given")
  func exactOracle() throws {
    let oracle = try Oracle.read("04a_three_layer_exact")
    let all = try SubnetworkPatterns.enumerated(oracle.x, width: 2)
    let given = try oracle.patterns()
    #expect(given.count == oracle.blocks.count)
    // The oracle leaves out what others of its blocks hold; ours are those and no fewer.
    #expect(all.isExact && all.adding(given).count == all.count)
    for patterns in [all, given] {
      let solution = solve(try oracle.program(patterns), tolerance: 1e-8)
      let certificate = solution.certificate
      #expect(abs(certificate.primal - oracle.optimal_value) <= 1e-5 * oracle.optimal_value, "\(certificate)")
      #expect(certificate.relativeGap <= 1e-7, "\(certificate)")
      #expect(certificate.scope == (patterns.isExact ? .exact : .restricted))
    }
  }

  @Test("the sampled patterns of the oracle")
  func sampledOracle() throws {
    let oracle = try Oracle.read("04b_three_layer_sampled")
    let patterns = try oracle.patterns()
    #expect(patterns.count == oracle.blocks.count)
    let certificate = solve(try oracle.program(patterns), tolerance: 1e-8).certificate
    #expect(abs(certificate.primal - oracle.optimal_value) <= 1e-5 * oracle.optimal_value, "\(certificate)")
    #expect(certificate.relativeGap <= 1e-7, "\(certificate)")
  }
  /// A program of sampled patterns on random data.
  private func random(
    _ seed: UInt64, width: Int, kind: LossKind = .squared, outputs: Int = 1
  ) throws -> ThreeLayerProgram {
    let (n, d) = (10 + 3 * Int(seed % 4), 2 + Int(seed % 3))
    var x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d)
    if seed % 5 == 4 { for j in 0..<d { (x[3, j], x[4, j]) = (0, -x[2, j]) } }
    var y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, outputs)
    if kind == .logistic { for i in 0..<y.count { y.storage[i] = y.storage[i] > 0 ? 1 : -1 } }
    return try ThreeLayerProgram(
      x: x, loss: kind.makeLoss(targets: y, weights: (0..<n).map { 0.5 + Double($0 % 3) }), kind: kind,
      λ: 0.1,
      patterns: .sampled(x, width: width, count: 60, seed: seed))
  }

  @Test(
    "the decoded network has the program's predictions and objective, and is a point of it", arguments: 1...3,
    [LossKind.squared, .logistic, .huber])
  func theorem(width: Int, kind: LossKind) throws {
    for seed: UInt64 in 0..<8 {
      let program = try random(seed, width: width, kind: kind, outputs: kind == .huber ? 2 : 1)
      let solution = solve(program, tolerance: 1e-6)
      let certificate = solution.certificate
      #expect(certificate.relativeGap <= 1e-6, "\(seed): \(certificate)")
      let network = try program.decode(solution.point, hasBias: false)
      // Predictions by the program's map: masks of both layers, whatever the network's own signs are.
      let x = program.x
      var f = Matrix<Double>(x.rows, program.outputs)
      for (g, group) in solution.point.groups.enumerated() {
        for k in 0..<x.rows where program.patterns.second[group.pattern, k] {
          for j in 0..<width where program.patterns.first[group.pattern * width + j, k] {
            let w = (0..<x.columns).map { solution.point.coefficients[g, j * x.columns + $0] }
            let sign = group.sign * program.patterns.signs[group.pattern, j]
            f[k, group.output] += sign * StrictArithmetic.dot(x.row(k), w)
          }
        }
      }
      #expect(distance(network.predict(x), f) <= 1e-9 * max(1, certificate.primal), "\(seed)")
      let single = network.predict(x.converted(to: Float.self).converted(to: Double.self))
      #expect(distance(single, f) <= 1e-5 * max(1, certificate.primal), "\(seed)")
      // ℓ + (λ/2) Σ (‖w1‖² + w2²) from the layers themselves.
      guard case .dense(let hidden) = network.layers[0], case .dense(let middle) = network.layers[2],
        case .dense(let output) = network.layers[4]
      else { return #expect(Bool(false)) }
      let decay = (middle.weights.storage + output.weights.storage).reduce(0) { $0 + $1 * $1 }
      let objective = program.loss.value(at: network.predict(x)) + program.λ / 2 * decay
      #expect(abs(objective - certificate.primal) <= 1e-9 * max(1, certificate.primal), "\(seed)")
      for j in 0..<hidden.weights.columns where middle.weights.row(j).contains(where: { $0 != 0 }) {
        #expect(abs(StrictArithmetic.norm(hidden.weights.column(j)) - 1) <= 1e-12)
      }
      let again = program.encode(program.subnetworks(of: solution.point), θ: solution.point.θ)
      if let again {
        #expect(program.strictObjective(at: again) <= certificate.primal * (1 + 1e-9), "\(seed)")
      }
    }
  }

  @Test("sub-networks of one neuron are two-layer networks")
  func oneNeuron() throws {
    for seed: UInt64 in 0..<4 {
      let program = try random(seed, width: 1)
      let patterns = program.patterns
      let twoLayer = try TwoLayerProgram(
        x: program.x, loss: program.loss, kind: .squared, λ: program.λ,
        patterns: .given(patterns.gates, for: program.x), isConstrained: true)
      let value = solve(program, tolerance: 1e-8).certificate.primal
      let other = try WorkingSetMethod(twoLayer, limits: Limits(tolerance: 1e-8)).solve().solution
      #expect(abs(value - other.certificate.primal) <= 1e-7 * max(1, value))
    }
  }

  @Test("bounds are below and objectives above, for any θ and multipliers")
  func soundness() throws {
    for seed: UInt64 in 0..<30 {
      let program = try random(seed, width: 2)
      let best = solve(program, tolerance: 1e-7).certificate
      let noise: Matrix<Double> = Philox(seed: seed, stream: 3).normalMatrix(program.samples, 1)
      var θ = program.loss.residual(at: Matrix(program.samples, 1))
      θ.add(Double(seed % 3), noise)
      var known: [TwoLayerGroup: SparseVector] = [:]
      for pattern in 0..<program.patterns.count {
        known[TwoLayerGroup(pattern: pattern, sign: 1, output: 0)] = SparseVector(
          indices: [0, 7, 4 * program.samples - 1, 4 * program.samples], values: [1, -1, 0.1, 3])
      }
      let bounds = [program.dualBound(θ: θ), program.dualBound(θ: θ, known: known)]
      #expect(bounds.allSatisfy { $0 <= best.primal * (1 + 1e-12) }, "\(seed): \(bounds), \(best)")
    }
  }

  @Test(
    "refined networks are never worse than local training, and as good as all patterns where these are known")
  func refinement() throws {
    for seed: UInt64 in 0..<6 {
      let x: Matrix<Double> = Philox(seed: seed, stream: 5).normalMatrix(8, 2)
      let y: Matrix<Double> = Philox(seed: seed, stream: 6).normalMatrix(8, 1)
      let loss = try LossKind.squared.makeLoss(targets: y)
      var refinement = ThreeLayerRefinement(
        x: x, loss: loss, kind: .squared, parameters: LossParameters(), λ: 0.1, width: 2,
        limits: Limits(tolerance: 1e-5))
      refinement.options.seed = seed
      let outcome = try refinement.run()
      let certificate = outcome.solution.certificate
      #expect(certificate.relativeGap <= 1e-5 && certificate.primal <= outcome.localObjective * (1 + 1e-12))
      guard seed < 2 else { continue }
      let all = try ThreeLayerProgram(
        x: x, loss: loss, kind: .squared, λ: 0.1, patterns: .enumerated(x, width: 2))
      let best = solve(all, tolerance: 1e-6).certificate
      #expect(best.scope == .exact && best.dual <= certificate.primal)
      #expect(certificate.primal <= best.primal * 1.01, "\(seed): \(certificate.primal), \(best)")
    }
  }

  @Test("a refined path finds the patterns of every λ, and networks as good as those found alone")
  func refinedPath() throws {
    let table = try Table.read("diabetes")
    let data = try Schema(inferredFrom: table).dataset(from: table).selectingRows(Array(0..<100))
    var settings = TrainingSettings()
    (settings.model, settings.tolerance) = (.threeLayer, 1e-3)
    let points = try path(data, settings: settings, ratios: [0.5, 0.2, 0.05]).report.points
    for (ratio, point) in zip([0.5, 0.2, 0.05], points) {
      settings.lambda = .ratio(ratio)
      let alone = try train(data, settings: settings).report
      let objective = try #require(alone.certificate?.primal)
      #expect(
        point.certificate.primal <= objective * 1.02, "\(ratio): \(point.certificate.primal), \(objective)")
    }
  }

  @Test("train and verify, for numbers and classes; a changed network or pattern is found out")
  func training() throws {
    for (name, rows) in [("diabetes", 120), ("iris", 150)] {
      let table = try Table.read(name)
      let data = try Schema(inferredFrom: table).dataset(from: table).selectingRows(Array(0..<rows))
      var settings = TrainingSettings()
      (settings.model, settings.lambda) = (.threeLayer, .ratio(0.05))
      for patterns in [PatternChoice.refine, .sampled(40)] {
        settings.patterns = patterns
        let result = try train(data, settings: settings)
        #expect(result.status == .solved && result.report.patterns?.exact == false)
        let model = try ModelFile(decoding: result.model.encoded())
        let verification = try verify(model, data: data)
        #expect(verification.agrees, "\(name): \(verification)")
        var forged = model
        let gates = try #require(model.certificate["gates"]?.matrix)
        let signs = try #require(model.certificate["signs"]?.matrix)
        forged.certificate["gates"] = Tensor(gates.selectingRows([0]))
        forged.certificate["signs"] = Tensor(signs.selectingRows([0]))
        #expect(try !verify(forged, data: data).agrees)
        guard case .dense(let hidden) = model.network.layers[0] else { continue }
        var (longer, layers) = (hidden.weights, model.network.layers)
        longer.scale(by: 1.01)
        layers[0] = .dense(try Dense(weights: longer, bias: hidden.bias.map { 1.01 * $0 }))
        forged = model
        forged.network = try Network(layers: layers)
        #expect(try !verify(forged, data: data).isFeasible)
        forged = model
        forged.certificate["signs"] = Tensor(Matrix(1, 1, storage: [2]))
        #expect(throws: VerificationError.self) { try verify(forged, data: data) }
      }
    }
  }

  @Test("a path, the same bits for any number of threads, and what the program cannot do")
  func settings() throws {
    let table = try Table.read("iris")
    let data = try Schema(inferredFrom: table).dataset(from: table)
    var settings = TrainingSettings()
    (settings.model, settings.lambda) = (.threeLayer, .ratio(0.1))
    settings.patterns = .sampled(20)
    try expectSameForAnyThreads("sub-networks") { try train(data, settings: settings).model.network }
    settings.loss = .hinge
    #expect(throws: TrainingError.lossOfModel(.hinge, .threeLayer)) { try train(data, settings: settings) }
    (settings.loss, settings.solver) = (nil, .interiorPoint)
    #expect(throws: TrainingError.solverOfModel(.interiorPoint, .threeLayer)) {
      try train(data, settings: settings)
    }
    (settings.solver, settings.patterns) = (.auto, .gates(Matrix(1, 5)))
    #expect(throws: TrainingError.self) { try train(data, settings: settings) }
    (settings.patterns, settings.outputs) = (.sampled(20), .nuclear)
    #expect(throws: TrainingError.sharedNeurons(.threeLayer)) { try train(data, settings: settings) }
    (settings.outputs, settings.patterns) = (nil, .exact)
    #expect(throws: PatternError.self) { try train(data, settings: settings) }
    (settings.patterns, settings.maxMemory) = (.refine, 1e5)
    #expect(throws: ProgramError.self) { try train(data, settings: settings) }
  }
}
