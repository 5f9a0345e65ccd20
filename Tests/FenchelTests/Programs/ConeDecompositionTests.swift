import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Gated programs' points as points of the program with cones.
@Suite("Cone decomposition of programs") struct ProgramConeDecompositionTests {
  private func norm(_ v: [Double]) -> Double { StrictArithmetic.norm(v) }

  /// The least x_kᵀu/(‖x_k‖‖u‖) on the side of the pattern over all samples and groups of a point.
  private func leastSine(_ point: TwoLayerPoint, _ program: TwoLayerProgram) -> Double {
    var least = Double.infinity
    for (g, group) in point.groups.enumerated() {
      let u = point.coefficients.row(g)
      for k in 0..<program.samples {
        let row = program.x.row(k)
        let sine = StrictArithmetic.dot(row, u) / max(norm(row) * norm(u), 1e-300)
        least = min(least, program.patterns.bits[k, group.pattern] ? sine : -sine)
      }
    }
    return least
  }

  /// Same predictions as numbers and as networks, feasible, of least norm, with the dual point's bound.
  @discardableResult
  private func check(
    _ point: TwoLayerPoint, _ program: TwoLayerProgram, _ label: Comment
  ) throws -> DecomposedPoint {
    let found = try program.coneDecomposition(of: point)
    #expect(found.program.isConstrained && found.program.patterns == program.patterns, label)
    #expect(Set(found.point.groups).count == found.point.groups.count, label)
    #expect(found.point.coefficients.rows == found.point.groups.count, label)
    let f = try program.decode(point, hasBias: false).predict(program.x)
    let h = try found.program.decode(found.point, hasBias: false).predict(program.x)
    let size = max(f.frobeniusNorm, 1e-12)
    var difference = f
    difference.add(-1, h)
    #expect(difference.frobeniusNorm <= 1e-9 * size, label)
    #expect(leastSine(found.point, found.program) >= -1e-12, label)
    let (before, after) = (
      point.coefficients.rowNorms.reduce(0, +), found.point.coefficients.rowNorms.reduce(0, +)
    )
    #expect(after >= before * (1 - 1e-12), label)
    #expect(found.normBound <= after * (1 + 1e-12), label)
    #expect(after - found.normBound <= 1e-9 * after, label)
    let grown = program.strictObjective(at: point) + program.λ * (after - before)
    #expect(abs(found.program.strictObjective(at: found.point) - grown) <= 1e-9 * max(1, abs(grown)), label)
    let bounds = (program.certificate(at: point).dual, found.program.certificate(at: found.point))
    #expect(bounds.1.dual >= bounds.0 - 1e-9 * max(1, abs(bounds.0)), label)
    #expect(bounds.1.relativeGap >= -1e-12, label)
    return found
  }

  private func solved(_ program: TwoLayerProgram, tolerance: Double = 1e-6) throws -> TwoLayerPoint {
    try WorkingSetMethod(program, limits: Limits(tolerance: tolerance)).solve().solution.point
  }

  private func program(_ seed: UInt64, _ random: inout SplitMix64) throws -> TwoLayerProgram {
    let (n, d, c) = (2 + Int(seed % 9), 1 + Int(seed / 3 % 4), 1 + Int(seed % 2))
    let x: Matrix<Double> = random.matrix(n, d)
    let loss = try SquaredLoss<Double>(targets: random.matrix(n, c))
    let patterns: ActivationPatterns =
      d <= 3 && seed % 2 == 0 ? try .enumerated(x) : try .sampled(x, count: 12, seed: seed)
    return try TwoLayerProgram(
      x: x, loss: loss, kind: .squared, λ: [0.01, 0.1, 1][Int(seed % 3)], patterns: patterns,
      isConstrained: false)
  }

  @Test("optimal and random points of hundreds of tiny programs", arguments: 0..<30 as Range<UInt64>)
  func random(block: UInt64) throws {
    for seed in 10 * block..<10 * block + 10 {
      var random = SplitMix64(seed: seed)
      let program = try program(seed, &random)
      try check(solved(program), program, "seed \(seed)")
      let groups = program.allGroups
      var coefficients: Matrix<Double> = random.matrix(groups.count, program.features)
      for j in 0..<program.features { coefficients[0, j] = 0 }
      let point = TwoLayerPoint(
        groups: groups, coefficients: coefficients, θ: Matrix(program.samples, program.outputs))
      let found = try check(point, program, "seed \(seed), random")
      #expect(!found.point.groups.contains { $0.pattern == 0 && $0.output == 0 }, "zero groups stay away")
      let again = try found.program.coneDecomposition(of: found.point)
      #expect(
        again.point.coefficients == found.point.coefficients && again.point.groups == found.point.groups)
    }
  }

  @Test("gates are in their cones: they stay whole, with the sign of their multiple")
  func members() throws {
    var random = SplitMix64(seed: 4)
    let program = try program(5, &random)
    let groups = (0..<program.patterns.count).map { TwoLayerGroup(pattern: $0, sign: 1, output: 1) }
    for sign in [1.0, -1] {
      var coefficients = program.patterns.gates
      coefficients.scale(by: sign)
      let point = TwoLayerPoint(
        groups: groups, coefficients: coefficients, θ: Matrix(program.samples, program.outputs))
      let found = try check(point, program, "sign \(sign)")
      #expect(found.point.coefficients == program.patterns.gates)
      #expect(found.point.groups.allSatisfy { $0.sign == sign && $0.output == 1 })
      #expect(found.point.groups.map(\.pattern) == groups.map(\.pattern))
    }
  }

  @Test(
    "the norms that CVXPY with Clarabel finds for the gated optima",
    arguments: [
      ("02a_gated_sq_scalar", LossKind.squared, 52.6258583), ("02b_gated_sq_vector", .squared, 62.9220054),
      ("02c_gated_logistic", .logistic, 73.2069065),
    ])
  func oracle(name: String, kind: LossKind, expected: Double) throws {
    let program = try OracleTests.Oracle(name).program(kind, isConstrained: false)
    let found = try check(solved(program, tolerance: 1e-10), program, "\(name)")
    let norm = found.point.coefficients.rowNorms.reduce(0, +)
    #expect(abs(norm - expected) <= 1e-4 * expected, "\(name): \(norm)")
  }

  @Test("the program with cones can start there")
  func start() throws {
    let program = try OracleTests.Oracle("02a_gated_sq_scalar").program(.squared, isConstrained: false)
    let found = try program.coneDecomposition(of: solved(program))
    var solver = try TwoLayerSolver<Double>(found.program, tolerance: 1e-6, start: found.point)
    let limits = Limits(tolerance: 1e-6, maximumIterations: 1000, certificateInterval: .max)
    let solution = drive(&solver, on: found.program, limits: limits, phase: "group lasso")
    #expect(solution.status == .solved)
    #expect(solution.certificate.primal <= found.program.strictObjective(at: found.point))
  }

  @Test("a cone without interior is an error that names the group")
  func withoutInterior() throws {
    let x = Matrix(rows: [[1.0, 0], [-1, 0], [0, 1]])
    let patterns = try ActivationPatterns.given(Matrix(rows: [[1.0, 1], [0, 1]]), for: x)
    let program = try TwoLayerProgram(
      x: x, loss: SquaredLoss(targets: Matrix<Double>(3, 1)), kind: .squared, λ: 1, patterns: patterns,
      isConstrained: false)
    func point(_ w: [Double]) -> TwoLayerPoint {
      let groups = (0..<2).map { TwoLayerGroup(pattern: $0, sign: 1, output: 0) }
      return TwoLayerPoint(groups: groups, coefficients: Matrix(rows: [[2, -1], w]), θ: Matrix(3, 1))
    }
    let error = ProgramError.noConeDecomposition(TwoLayerGroup(pattern: 1, sign: 1, output: 0))
    #expect(throws: error) { try program.coneDecomposition(of: point([1, 1])) }
    #expect(error.description.contains("pattern 1 into output 0"))
    try check(point([0, -1]), program, "in the span")  // u₁ = 0 is all that K forbids
  }

  @Test("the same bits for any number of threads")
  func threads() throws {
    var random = SplitMix64(seed: 8)
    let program = try program(8, &random)
    let groups = program.allGroups
    let point = TwoLayerPoint(
      groups: groups, coefficients: random.matrix(groups.count, program.features),
      θ: Matrix(program.samples, program.outputs))
    try expectSameForAnyThreads("decomposition") {
      try program.coneDecomposition(of: point).point.coefficients
    }
  }
}
