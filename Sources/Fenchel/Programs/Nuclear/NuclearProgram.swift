import ConvexOptimization
import LinearAlgebra

/// The convex program of a two-layer gated ReLU network whose neurons feed all outputs (Sahiner, Ergen, Pauly & Pilanci
/// 2021, *Vector-output ReLU neural network problems are copositive programs*, without their cones):
///
///     min ℓ(F) + λ Σ_i ‖W_i‖_*,   F = Σ_i D_i X W_i,   W_i: d × c.
///
/// It equals the training of networks f(x) = Σ_m 1[xᵀg_{i(m)} > 0] (xᵀw_m) v_mᵀ with the penalty (λ/2) Σ (‖w_m‖² + ‖v_m‖²):
/// the singular value decomposition of W_i holds the neurons of gate i, ‖W_i‖_* is their penalty at its best balance. With
/// one output it is the group lasso.
///
/// Points are those of the gated program, whose groups are the columns of the W_i.
public struct NuclearProgram: Sendable {
  /// The program over the same patterns without shared neurons.
  public let gated: TwoLayerProgram

  /// The program of a gated program without cones.
  public init(_ gated: TwoLayerProgram) {
    precondition(!gated.isConstrained, "a program without cones; with them it is ConicNuclearProgram")
    self.gated = gated
  }

  public var λ: Double { gated.λ }

  /// λ_max: W = 0 is optimal exactly for λ ≥ max_i σ_max(XᵀD_i∇ℓ(0)). Or 0 where that may be rounding.
  public func largestλ() -> Double {
    let θ = gated.loss.residual(at: Matrix(gated.samples, gated.outputs))
    let strict = StrictDual(x: gated.x, patterns: gated.patterns.bits, θ: gated.pooling.adjoint(θ))
    let rounding = StrictArithmetic.norm(strict.roundingOfProducts())
    let norm = dualNorm(θ: θ)
    return norm > rounding ? norm : 0
  }
}

extension NuclearProgram: Certifiable {
  /// The certificate at a point: ℓ(F) + λ Σ‖W_i‖_* above, the best multiple of θ with σ_max(XᵀD_iθ) ≤ λ for every pattern
  /// below, both in plain Double arithmetic. Cost n d (m + P c).
  public func certificate(at point: TwoLayerPoint) -> Certificate {
    Certificate(
      primal: strictObjective(at: point), dual: dualBound(θ: point.θ),
      scope: gated.patterns.isExact ? .exact : .restricted)
  }

  /// ℓ(F) + λ Σ_i ‖W_i‖_*.
  public func strictObjective(at point: TwoLayerPoint) -> Double {
    let f = StrictPrimal(x: gated.x, pooling: gated.pooling).predictions(
      point, patterns: gated.patterns.bits, isConstrained: false, outputs: gated.outputs)
    let members = Dictionary(grouping: point.groups.indices) { point.groups[$0].pattern }
    var penalty = CompensatedSum()
    for pattern in members.keys.sorted() {
      penalty += StrictNuclearNorm.upperBound(of: point.coefficients.selectingRows(members[pattern] ?? []))
    }
    return gated.strictLoss.value(at: f) + λ * penalty.value
  }

  /// The lower bound on the program's optimum that θ gives.
  public func dualBound(θ: Matrix<Double>) -> Double {
    let θ = gated.strictLoss.feasibleDirection(θ)
    let norm = dualNorm(θ: θ)
    let limit = θ.largestScale(norm: norm, λ: λ, features: gated.features)
    return gated.strictLoss.bestScale(θ, upTo: limit).value
  }

  /// max_i σ_max(XᵀD_iθ), an upper bound that rounding of the singular values cannot break.
  func dualNorm(θ: Matrix<Double>) -> Double {
    let strict = StrictDual(x: gated.x, patterns: gated.patterns.bits, θ: gated.pooling.adjoint(θ))
    var norms = [Double](repeating: 0, count: gated.patterns.count)
    norms.withMutablePointer { norms in
      Parallel.forEach(tiles: gated.patterns.count) { i in
        norms[i] = StrictNuclearNorm.largestSingularValue(of: strict.images(pattern: i))
      }
    }
    return norms.reduce(0, max)
  }
}
