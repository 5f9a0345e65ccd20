import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// ReLU networks whose neurons feed all outputs, as a program over atoms in cones.
struct ConicNuclearProgramTests {
  private func solve(
    _ program: ConicNuclearProgram, tolerance: Double, from start: SharedNeurons? = nil
  ) -> Solution<ConicNuclearProgram.Point> {
    var solver = ConicNuclearSolver(program, tolerance: tolerance, start: start)
    let limits = Limits(tolerance: tolerance, maximumIterations: 300, certificateInterval: .max)
    return drive(&solver, on: program, limits: limits, phase: "test")
  }

  private func loss(_ kind: LossKind, _ n: Int, _ c: Int, seed: UInt64) throws -> any Loss<Double> {
    var y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, c)
    if kind == .softmax {
      for k in 0..<n { for j in 0..<c { y[k, j] = j == (k * k + Int(seed)) % c ? 1 : 0 } }
    }
    if [.logistic, .squaredHinge].contains(kind) {
      for i in 0..<y.count { y.storage[i] = y.storage[i] > 0 ? 1 : -1 }
    }
    return try kind.makeLoss(targets: y, weights: (0..<n).map { 0.5 + Double($0 % 3) })
  }

  /// A random program at a share of λ_max; pooled ones have two rows a sample.
  private func program(
    _ kind: LossKind, outputs c: Int, seed: UInt64, ratio: Double = 0.1, patterns: Int? = 12, rows: Int = 1
  ) throws -> ConicNuclearProgram {
    let (n, d) = (8 + Int(seed) * 2, patterns == nil ? 2 : 2 + Int(seed % 3))
    let x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n * rows, d)
    let loss = try loss(kind, n, c, seed: seed)
    let chosen: ActivationPatterns =
      try patterns.map { try .sampled(x, count: $0, seed: seed) } ?? .enumerated(x)
    func program(_ λ: Double) throws -> ConicNuclearProgram {
      ConicNuclearProgram(
        try TwoLayerProgram(
          x: x, loss: loss, kind: kind, λ: λ, patterns: chosen, isConstrained: true,
          pooling: RowSums(of: rows)))
    }
    return try program(ratio * program(1).largestλ())
  }

  @Test(
    "the decoded network is the program's point, of the same objective, inside its patterns",
    arguments: [LossKind.squared, .logistic, .softmax, .huber, .squaredHinge])
  func theorem(kind: LossKind) throws {
    for seed: UInt64 in 0..<4 {
      let c = [LossKind.logistic, .squaredHinge].contains(kind) ? 1 : 3
      let program = try program(kind, outputs: c, seed: seed)
      let solution = solve(program, tolerance: 1e-6)
      let certificate = solution.certificate
      #expect(
        solution.status == .solved && certificate.relativeGap <= 1e-6, "seed \(seed): \(solution.status)")
      #expect(certificate.dual <= certificate.primal, "seed \(seed)")
      let network = try program.decode(solution.point.neurons, hasBias: false)
      let f = network.predict(program.relu.x)
      var decay = 0.0
      for layer in network.layers {
        if case .dense(let dense) = layer { decay += dense.weights.storage.reduce(0) { $0 + $1 * $1 } }
      }
      let objective = program.relu.loss.value(at: f) + program.λ / 2 * decay
      #expect(abs(objective - certificate.primal) <= 1e-9 * max(1, abs(certificate.primal)), "seed \(seed)")
      // Every neuron lies in its cone, and the two layers of each are in balance.
      let x = program.relu.x
      for k in 0..<solution.point.neurons.count {
        let (i, u) = (solution.point.neurons.patterns[k], solution.point.neurons.vectors.row(k))
        for row in 0..<x.rows {
          let side = program.relu.patterns.bits[row, i] ? 1.0 : -1
          #expect(side * StrictArithmetic.dot(x.row(row), u) >= -1e-9)
        }
      }
    }
  }

  @Test("one output is the program with cones", arguments: [LossKind.squared, .logistic])
  func oneOutput(kind: LossKind) throws {
    for seed: UInt64 in 0..<5 {
      for rows in [1, 2] {
        let program = try program(kind, outputs: 1, seed: seed, rows: rows)
        let shared = solve(program, tolerance: 1e-7).certificate
        var solver = try TwoLayerSolver<Double>(program.relu, tolerance: 1e-9)
        let groups = drive(
          &solver, on: program.relu, limits: Limits(tolerance: 1e-9), phase: "groups"
        ).certificate
        let scale = max(1, abs(groups.primal))
        #expect(shared.relativeGap <= 1e-7, "seed \(seed)")
        #expect(shared.primal >= groups.dual - 1e-9 * scale && shared.dual <= groups.primal + 1e-9 * scale)
        // And so is λ_max.
        let θ = program.relu.loss.residual(at: Matrix(program.relu.samples, 1))
        let norm = GroupPricing(program.relu).largestNorm(θ: θ)
        #expect(abs(program.largestλ() - norm) <= 1e-6 * norm)
      }
    }
  }

  @Test("between the gated program and the one of separate outputs", arguments: [LossKind.squared, .softmax])
  func relations(kind: LossKind) throws {
    for seed: UInt64 in 0..<4 {
      let program = try program(kind, outputs: 3, seed: seed, ratio: 0.05)
      let relu = program.relu
      let shared = solve(program, tolerance: 1e-5).certificate
      let gated = NuclearProgram(
        try TwoLayerProgram(
          x: relu.x, loss: relu.loss, kind: kind, λ: relu.λ, patterns: relu.patterns, isConstrained: false))
      var first = try NuclearSolver<Double>(gated, tolerance: 1e-6)
      let limits = Limits(tolerance: 1e-6, maximumIterations: 20_000, certificateInterval: .max)
      let below = drive(&first, on: gated, limits: limits, phase: "gated").certificate
      var second = try TwoLayerSolver<Double>(relu, tolerance: 1e-6)
      let above = drive(&second, on: relu, limits: limits, phase: "groups").certificate
      #expect(below.dual <= shared.primal && shared.dual <= above.primal, "seed \(seed)")
    }
  }

  /// λ_max and the least objective of many trainings of wide networks on all patterns of few points: the program's optimum.
  @Test("local training finds nothing below, and the optimum", arguments: [2, 3])
  func training(outputs c: Int) throws {
    for seed: UInt64 in 0..<3 {
      let program = try program(.squared, outputs: c, seed: seed, ratio: 0.1, patterns: nil)
      let certificate = solve(program, tolerance: 1e-6).certificate
      #expect(certificate.relativeGap <= 1e-6 && certificate.scope == .exact, "seed \(seed)")
      let best = leastObjective(program, starts: 40, neurons: 12)
      #expect(certificate.dual <= best, "seed \(seed)")
      #expect(best <= certificate.primal * (1 + 1e-3), "seed \(seed): \(best) against \(certificate)")
    }
  }

  /// The least of ℓ((X W)₊ A) + (λ/2)(‖W‖² + ‖A‖²) that L-BFGS finds from random starts.
  private func leastObjective(_ program: ConicNuclearProgram, starts: UInt64, neurons m: Int) -> Double {
    let (x, loss, λ) = (program.relu.x, program.relu.loss, program.λ)
    let (d, c) = (x.columns, loss.outputs)
    var method = LBFGS(memory: 20, maximumIterations: 2000)
    method.decreaseTolerance = 1e-12
    return (0..<starts).reduce(.infinity) { best, seed in
      let start: Matrix<Double> = Philox(seed: 77 + seed, stream: 9).normalMatrix(m, d + c)
      let result = method.minimise(from: start.storage) { point, gradient in
        let (w, a) = (
          Matrix(m, d, storage: Array(point[..<(m * d)])), Matrix(m, c, storage: Array(point[(m * d)...]))
        )
        let z = matrixProduct(x, .no, w, .yes)
        var h = z
        for i in 0..<h.count { h.storage[i] = max(0, z.storage[i]) }
        var slope = Matrix<Double>(x.rows, c)
        let value = loss.gradient(at: matrixProduct(h, .no, a, .no), into: &slope)
        var back = matrixProduct(slope, .no, a, .yes)
        for i in 0..<back.count where z.storage[i] <= 0 { back.storage[i] = 0 }
        let slopes = matrixProduct(back, .yes, x, .no).storage + matrixProduct(h, .yes, slope, .no).storage
        for i in 0..<point.count { gradient[i] = slopes[i] + λ * point[i] }
        return value + λ / 2 * point.reduce(0) { $0 + $1 * $1 }
      }
      return min(best, result.value)
    }
  }

  @Test("λ_max is the largest length of a projection over all directions of the outputs")
  func largestλ() throws {
    for seed: UInt64 in 0..<6 {
      for c in [2, 3, 5, 8] {
        let program = try program(.squared, outputs: c, seed: seed, ratio: 1)
        let relu = program.relu
        let θ = relu.loss.residual(at: Matrix(relu.samples, c))
        var directions: Matrix<Double> = Philox(seed: seed, stream: 5).normalMatrix(600, c)
        directions.scaleRows(by: directions.rowNorms.map { 1 / $0 })
        if c == 2 { directions = Matrix(rows: (0..<1000).map { [Double.cosine($0), Double.sine($0)] }) }
        var most = 0.0
        for i in 0..<relu.patterns.count {
          var masked = θ
          for k in 0..<relu.x.rows where !relu.patterns.bits[k, i] { for j in 0..<c { masked[k, j] = 0 } }
          let images = matrixProduct(matrixProduct(relu.x, .yes, masked, .no), .no, directions, .yes)
          let signs = (0..<relu.x.rows).map { relu.patterns.bits[$0, i] ? 1.0 : -1 }
          let projections = NonnegativeLeastSquares(relu.x)
          for v in 0..<directions.rows {
            most = max(most, projections.solve(images.column(v), signs: signs).norm)
          }
        }
        #expect(program.λ >= most * (1 - 1e-12), "seed \(seed), \(c) outputs")
        if c == 2 { #expect(program.λ <= most * (1 + 1e-4), "seed \(seed)") }
        // Zero is optimal there, and not below.
        #expect(solve(program, tolerance: 1e-8).point.neurons.outputs.frobeniusNorm <= 1e-5)
        let less = ConicNuclearProgram(
          try TwoLayerProgram(
            x: relu.x, loss: relu.loss, kind: .squared, λ: 0.97 * most, patterns: relu.patterns,
            isConstrained: true))
        #expect(solve(less, tolerance: 1e-6).point.neurons.count > 0)
      }
    }
  }

  @Test("bounds hold for any θ, and the objective never rises")
  func validity() throws {
    for seed: UInt64 in 0..<4 {
      let program = try program(.softmax, outputs: 4, seed: seed, ratio: 0.03)
      let optimum = solve(program, tolerance: 1e-5).certificate
      var solver = ConicNuclearSolver(program, tolerance: 1e-12)
      var last = Double.infinity
      for _ in 0..<6 {
        _ = solver.step()
        let value = program.strictObjective(of: solver.point.neurons)
        #expect(value <= last * (1 + 1e-6), "seed \(seed)")
        last = value
        #expect(program.dualBound(θ: solver.point.θ) <= optimum.primal, "seed \(seed)")
      }
      for stream: UInt64 in 0..<5 {
        var θ: Matrix<Double> = Philox(seed: seed, stream: 20 + stream).normalMatrix(program.relu.samples, 4)
        θ.scale(by: 0.2)
        #expect(program.dualBound(θ: θ) <= optimum.primal, "seed \(seed)")
      }
    }
  }

  @Test(
    "λ_max holds and is near what ascents reach where G has more singular values above it than can be searched"
  )
  func manySingularValues() throws {
    let (n, d, c, p) = (800, 32, 9, 1)
    for seed: UInt64 in 0..<3 {
      let x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d)
      let θ: Matrix<Double> = Philox(seed: seed, stream: 3).normalMatrix(n, c)
      let patterns = try ActivationPatterns.sampled(x, count: p, seed: seed)
      let program = ConicNuclearProgram(
        try TwoLayerProgram(
          x: x, loss: try SquaredLoss(targets: θ), kind: .squared, λ: 1, patterns: patterns,
          isConstrained: true))
      let bound = program.largestλ()
      let projections = NonnegativeLeastSquares(x)
      var (reached, values) = (0.0, [[Double]]())
      for i in 0..<patterns.count {
        var masked = θ
        for k in 0..<n where !patterns.bits[k, i] { for j in 0..<c { masked[k, j] = 0 } }
        let images = matrixProduct(x, .yes, masked, .no)
        let signs = (0..<n).map { patterns.bits[$0, i] ? 1.0 : -1 }
        let starts: Matrix<Double> = Philox(seed: seed, stream: 4).normalMatrix(20, c)
        for row in 0..<starts.rows {
          var v = starts.row(row)
          for _ in 0..<15 {
            let u = projections.solve(matrixProduct(images, Matrix(column: v)).storage, signs: signs)
            guard u.norm > 1e-9 else { break }
            let image = matrixProduct(images, .yes, Matrix(column: u.residual), .no).storage
            reached = max(reached, StrictArithmetic.norm(image) / u.norm)
            v = image.map { $0 / StrictArithmetic.norm(image) }
          }
        }
        values.append(try SVD(images).values)
      }
      #expect(values.contains { $0.count { $0 > reached } > 6 }, "seed \(seed)")
      #expect(bound >= reached * (1 - 1e-12), "seed \(seed)")
      #expect(bound <= 1.05 * reached, "seed \(seed)")
      #expect(values.contains { $0[0] > 1.5 * bound }, "seed \(seed)")
    }
  }

  @Test("the same bits for any number of threads")
  func threads() throws {
    let program = try program(.softmax, outputs: 3, seed: 3, ratio: 0.02)
    let before = Parallel.threads
    defer { Parallel.threads = before }
    var known: (SharedNeurons, Certificate)?
    for threads in 1...3 {
      Parallel.threads = threads
      let solution = solve(program, tolerance: 1e-5)
      if let known {
        #expect(known.0 == solution.point.neurons && known.1 == solution.certificate)
      }
      known = (solution.point.neurons, solution.certificate)
    }
  }
}

extension Double {
  /// The cosine and sine of a thousandth of a turn, so many times.
  fileprivate static func cosine(_ k: Int) -> Double { rotated(k).0 }
  fileprivate static func sine(_ k: Int) -> Double { rotated(k).1 }

  private static func rotated(_ k: Int) -> (Double, Double) {
    // The rotation with tan of half the angle t: ((1 − t²), 2t)/(1 + t²), on a grid of the whole circle.
    let t = (Double(k % 500) + 0.5) / 250 - 1
    let (c, s) = ((1 - t * t) / (1 + t * t), 2 * t / (1 + t * t))
    return k < 500 ? (c, s) : (-c, -s)
  }
}
