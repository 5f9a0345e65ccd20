import ConvexOptimization
import LinearAlgebra

/// The program of parallel sub-networks with its cones turned into a penalty (Ergen & Pilanci 2021, appendix A.1, eq. (16)):
///
///     min ℓ(F) + λ Σ_g ‖u_g‖ + ρ Σ_g Σ_k (−R_g u_g)_k₊,
///     max_θ −ℓ*(−θ)   subject to   ‖A_gᵀθ + R_gᵀα_g‖ ≤ λ for some 0 ≤ α_g ≤ ρ,
///
/// with the map A_g and the rows R_g of the cone of each group. Whoever lies in the cones pays no hinge: the optimum is never
/// above that of `ThreeLayerProgram` over the same patterns, and equals it where ρ is at least the largest multiplier there.
/// Points may lie outside of the cones, where F is not what their sub-networks give: their value is that of no network.
public struct PenalisedProgram: Sendable {
  /// The program with cones.
  public let program: ThreeLayerProgram
  public let ρ: Double

  /// Throws where ρ is not positive and finite.
  public init(_ program: ThreeLayerProgram, ρ: Double) throws(ProgramError) {
    guard ρ > 0, ρ.isFinite else { throw .penaltyWeight(ρ) }
    (self.program, self.ρ) = (program, ρ)
  }

  /// ρ where nothing is said: this share of the largest slope of the loss at zero, the most that a sample can ask for there.
  public static var defaultShare: Double { 0.03 }

  /// The value at a point and its violation Σ_g Σ_k (−R_g u_g)_k₊, by compensated sums. Cost 2ndm for each group.
  public func value(at point: ThreeLayerPoint) -> (value: Double, violation: Double) {
    let (d, m, c, patterns) = (program.features, program.width, program.outputs, program.patterns)
    let sums = withPointers(program.x, point.coefficients) { x, u in
      compensatedRows(program.samples, outputs: c + 1) { rows, sums in
        for (g, group) in point.groups.enumerated() {
          let b = group.pattern
          for (offset, k) in rows.enumerated() {
            var (input, passing) = (CompensatedSum(), 0)
            for j in 0..<m {
              let z = StrictArithmetic.dot(d, x + k * d, u + (g * m + j) * d)
              let isActive = patterns.first[b * m + j, k]
              sums[offset * (c + 1) + c] += max(isActive ? -z : z, 0)
              guard isActive else { continue }
              input += patterns.signs[b, j] * z
              passing += 1
            }
            let isOn = patterns.second[b, k]
            if isOn { sums[offset * (c + 1) + group.output] += group.sign * input.value }
            if passing > 1 { sums[offset * (c + 1) + c] += max(isOn ? -input.value : input.value, 0) }
          }
        }
      }
    }
    var (f, violation, penalty) = (Matrix<Double>(sums.rows, c), CompensatedSum(), CompensatedSum())
    for k in 0..<sums.rows {
      for o in 0..<c { f[k, o] = sums[k, o] }
      violation += sums[k, c]
    }
    for g in point.groups.indices { penalty += StrictDual.norm(point.coefficients.row(g)) }
    let value = program.strictLoss.value(at: f) + program.λ * penalty.value + ρ * violation.value
    return (value, violation.value)
  }

  /// The lower bounds on the optimum that θ and multipliers α ≥ 0 give: of this program, where their multiple keeps α ≤ ρ, and of
  /// the program with cones, which needs no more than α ≥ 0. Cost 2ndm for each group, and of each multiplier md.
  public func bounds(at point: ThreeLayerPoint) -> (penalised: Double, cones: Double) {
    let largest = point.multipliers.values.reduce(0) { $1.values.reduce($0, max) }
    return (
      program.dualBound(
        θ: point.θ, shownBy: point.multipliers, scale: largest > 0 ? ρ / largest : .infinity),
      program.dualBound(θ: point.θ, shownBy: point.multipliers)
    )
  }

  /// Solves the program to the tolerance, or until limits end it. The certificate is of this program, not of the one with
  /// cones: bound ≤ optimum ≤ value.
  public func solve(limits: Limits, progress: ProgressHandler? = nil) -> Solution<ThreeLayerPoint> {
    let began = ContinuousClock().now
    var method = PenalisedMethod(self)
    let status = method.run(limits, deadline: limits.deadline) { method in
      progress?(
        Progress(
          phase: "penalised program", iteration: method.iterations,
          seconds: began.duration(to: ContinuousClock().now).seconds, estimatedGap: method.relativeGap))
    }
    let point = method.point
    return Solution(
      point: point,
      certificate: Certificate(
        primal: value(at: point).value, dual: bounds(at: point).penalised, scope: .restricted),
      status: status, iterations: method.iterations,
      seconds: began.duration(to: ContinuousClock().now).seconds)
  }
}
