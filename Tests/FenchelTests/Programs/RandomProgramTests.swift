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
    var slope = Matrix<Double>(n, c)
    loss.gradient(at: Matrix(n, c), into: &slope)
    let λ = ratio * x.frobeniusNorm * max(slope.frobeniusNorm, 1e-3)
    return try TwoLayerProgram(
      x: x, loss: loss, kind: kind, λ: λ, patterns: patterns, isConstrained: isConstrained)
  }

  @Test("dual ≤ optimum ≤ primal, and equal at the end", arguments: LossKind.allCases, [true, false])
  func weakAndStrongDuality(kind: LossKind, isConstrained: Bool) throws {
    for seed: UInt64 in 0..<120 {
      let ratio = [0.005, 0.05, 0.3, 1.1][Int(seed % 4)]
      let program = try program(kind, seed: seed, ratio: ratio, isConstrained: isConstrained)
      let solution = try WorkingSetMethod(program, limits: Limits(tolerance: 1e-7)).solve().solution
      let optimum = solution.certificate
      let name =
        "\(kind), cones \(isConstrained), seed \(seed), \(solution.status) after \(solution.iterations)"
      // With a piecewise linear loss that is nearly interpolated the Newton systems lose the last digits.
      let reached = program.loss.isPiecewiseLinear ? 2e-6 : 1e-7
      #expect(optimum.relativeGap <= reached && optimum.relativeGap >= -1e-12, "\(name): \(optimum)")
      let scale = 1e-9 * max(1, abs(optimum.primal))
      // Any direction as a dual point, and the optimum shrunk as a primal one, stay on their sides.
      for stream: UInt64 in 1...3 {
        let θ: Matrix<Double> = Philox(seed: seed, stream: 10 + stream)
          .normalMatrix(program.samples, program.outputs)
        #expect(program.dualBound(θ: θ).value <= optimum.primal + scale, "\(name): dual")
        var point = solution.point
        for i in 0..<point.coefficients.count { point.coefficients.storage[i] *= 1 - 0.2 * Double(stream) }
        #expect(program.strictObjective(at: point) >= optimum.dual - scale, "\(name): primal")
      }
    }
  }
}
