import ConvexOptimization
import Fenchel
import LinearAlgebra
import Testing

/// Thousands of tiny programs, every loss, with and without cones: dual ≤ optimum ≤ primal.
struct RandomProgramTests {
  private func program(
    _ kind: LossKind, seed: UInt64, ratio: Double, isConstrained: Bool
  ) throws -> TwoLayerProgram {
    let (n, d) = (2 + Int(seed % 7), 1 + Int(seed / 7 % 3))
    let c = kind == .softmax ? 3 : 1 + Int(seed % 2)
    let x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d)
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
    let weights = (0..<n).map { 0.5 + Double($0 % 3) }
    let loss: any Loss<Double> = try kind.makeLoss(targets: y, weights: weights)
    let patterns = try ActivationPatterns.enumerated(x)
    func program(_ λ: Double) throws -> TwoLayerProgram {
      try TwoLayerProgram(
        x: x, loss: loss, kind: kind, λ: λ, patterns: patterns, isConstrained: isConstrained)
    }
    let largest = GroupPricing(try program(1)).prices(θ: minusSlopeAtZero(loss), above: 0).map(\.norm).max()
    return try program(ratio * max(largest ?? 0, 1e-3))
  }

  /// −∇ℓ(0), whose largest dual norm is λ_max.
  private func minusSlopeAtZero(_ loss: any Loss<Double>) -> Matrix<Double> {
    var slope = Matrix<Double>(loss.samples, loss.outputs)
    loss.gradient(at: Matrix(loss.samples, loss.outputs), into: &slope)
    slope.scale(by: -1)
    return slope
  }

  /// A random point of the program: with cones, multiples of the gates, which lie in their cones.
  private func randomPoint(_ program: TwoLayerProgram, seed: UInt64, scale: Double) -> TwoLayerPoint {
    let groups = program.allGroups
    var coefficients: Matrix<Double> = Philox(seed: seed, stream: 20).normalMatrix(
      groups.count, program.features)
    coefficients.scale(by: scale)
    if program.isConstrained {
      for (row, group) in groups.enumerated() {
        let factor = abs(coefficients[row, 0])
        for j in 0..<program.features {
          coefficients[row, j] = factor * program.patterns.gates[group.pattern, j]
        }
      }
    }
    return TwoLayerPoint(
      groups: groups, coefficients: coefficients, θ: Matrix(program.samples, program.outputs))
  }

  @Test(
    "The group lasso finds the optimum, from 0 and from another λ's",
    arguments: LossKind.allCases.filter { ![.hinge, .absolute, .quantile].contains($0) }, [true, false])
  func groupLassos(kind: LossKind, isConstrained: Bool) throws {
    for seed: UInt64 in 0..<60 {
      let ratio = [0.05, 0.3, 0.95][Int(seed % 3)]
      let program = try program(kind, seed: seed, ratio: ratio, isConstrained: isConstrained)
      let limits = Limits(tolerance: 1e-6, maximumIterations: 3000, certificateInterval: .max)
      func solved(from start: TwoLayerPoint?) throws -> Solution<TwoLayerPoint> {
        var solver = try TwoLayerSolver<Double>(program, tolerance: 1e-6, start: start)
        return drive(&solver, on: program, limits: limits, phase: "group lasso")
      }
      let cold = try solved(from: nil)
      #expect(cold.status == .solved, "\(kind), cones \(isConstrained), seed \(seed): \(cold.certificate)")
      let near = try self.program(kind, seed: seed, ratio: 0.8 * ratio, isConstrained: isConstrained)
      var neighbour = try TwoLayerSolver<Double>(near, tolerance: 1e-4)
      let start = drive(&neighbour, on: near, limits: limits, phase: "group lasso").point
      let warm = try solved(from: start)
      #expect(warm.status == .solved, "\(kind), cones \(isConstrained), seed \(seed): \(warm.certificate)")
      let optimum = try WorkingSetMethod(program, limits: Limits(tolerance: 1e-7)).solve().solution
        .certificate
      for certificate in [cold.certificate, warm.certificate] {
        #expect(certificate.dual <= optimum.primal + 1e-9 * max(1, abs(optimum.primal)))
        #expect(certificate.primal >= optimum.dual - 1e-9 * max(1, abs(optimum.dual)))
      }
    }
  }

  @Test(
    "dual ≤ optimum ≤ primal at any point, and equal at the end", arguments: LossKind.allCases, [true, false])
  func weakAndStrongDuality(kind: LossKind, isConstrained: Bool) throws {
    for seed: UInt64 in 0..<120 {
      let ratio = [0.01, 0.05, 0.3, 0.95, 1.5][Int(seed % 5)]
      let program = try program(kind, seed: seed, ratio: ratio, isConstrained: isConstrained)
      let solution = try WorkingSetMethod(program, limits: Limits(tolerance: 1e-7)).solve().solution
      let optimum = solution.certificate
      let name =
        "\(kind), cones \(isConstrained), seed \(seed), \(solution.status) after \(solution.iterations)"
      // With a piecewise linear loss that is nearly interpolated the Newton systems lose the last digits.
      let reached = program.loss.isPiecewiseLinear ? 2e-6 : 1e-7
      #expect(optimum.relativeGap >= -1e-12, "\(name): \(optimum)")
      #expect(optimum.relativeGap <= reached, "\(name): \(optimum)")
      let scale = 1e-9 * max(1, abs(optimum.primal))
      // Any direction as a dual point; the optimum shrunk, and random points, as primal ones.
      for stream: UInt64 in 1...3 {
        let θ: Matrix<Double> = Philox(seed: seed, stream: 10 + stream)
          .normalMatrix(program.samples, program.outputs)
        #expect(program.dualBound(θ: θ).value <= optimum.primal + scale, "\(name): dual")
        var point = solution.point
        point.coefficients.scale(by: 1 - 0.2 * Double(stream))
        #expect(program.strictObjective(at: point) >= optimum.dual - scale, "\(name): shrunk")
        point = randomPoint(program, seed: seed, scale: [1, 0.1, 0.01][Int(stream) - 1])
        #expect(program.strictObjective(at: point) >= optimum.dual - scale, "\(name): random")
      }
      let zero = program.loss.value(at: Matrix(program.samples, program.outputs))
      #expect(optimum.dual <= zero + scale, "\(name): zero")
      if ratio > 1 {
        #expect(abs(optimum.primal - zero) <= reached * max(1, zero), "\(name): W = 0 is optimal")
        let bound = program.dualBound(θ: minusSlopeAtZero(program.loss)).value
        #expect(bound >= zero - 1e-9 * max(1, zero), "\(name): −∇ℓ(0) proves it")
      }
    }
  }

  @Test("A dual point rounded to single precision bounds as well", arguments: [LossKind.softmax, .logistic])
  func roundedDualPoint(kind: LossKind) throws {
    for seed: UInt64 in 40..<80 {
      let program = try program(kind, seed: seed, ratio: 0.1, isConstrained: false)
      var f: Matrix<Double> = Philox(seed: seed, stream: 6).normalMatrix(program.samples, program.outputs)
      f.scale(by: 20)
      var θ = f
      program.loss.gradient(at: f, into: &θ)
      let exact = Matrix(θ.rows, θ.columns, storage: θ.storage.map { -$0 })
      let rounded = Matrix(θ.rows, θ.columns, storage: θ.storage.map { -Double(Float($0)) })
      let (a, b) = (program.dualBound(θ: exact).value, program.dualBound(θ: rounded).value)
      #expect(a > 0 && b >= a * (1 - 1e-5), "seed \(seed): \(a), \(b)")
    }
  }
}
