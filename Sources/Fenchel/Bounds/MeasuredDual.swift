import ConvexOptimization
import LinearAlgebra

/// A dual point Θ, a feasible direction of its loss, with upper bounds U_j on max_{‖w‖ ≤ 1} |Σ_i θ_ij (x_iᵀw)₊|: what lower
/// bounds over networks of any width are made of.
struct MeasuredDual {
  /// Θ: n × c.
  var θ: Matrix<Double>
  /// U_j.
  var lengths: [Double]

  /// The largest −ℓ*(−tΘ) with tU_j ≤ λ for every output j, each with a t of its own where the loss is a sum over them: a bound
  /// over networks whose neurons each feed one output.
  func value(_ loss: StrictLoss, λ: Double) -> Double {
    guard lengths.allSatisfy(\.isFinite) else { return -.infinity }
    guard loss.isSeparable, θ.columns > 1 else {
      return loss.bestScale(θ, upTo: Self.limit(λ, lengths.max() ?? 0)).value
    }
    return values(loss, lengths.map { _ in λ }).reduce(into: CompensatedSum()) { $0 += $1 }.value
  }

  /// The same with ‖(t_j U_j)_j‖ ≤ λ: a bound over networks whose neurons feed any outputs.
  ///
  /// A neuron w with the outputs' weights v adds Σ_j v_j θ_jᵀ(Xw)₊ ≤ ‖v‖ ‖w‖ ‖(U_j)‖ to the dual's constraint. In other words:
  /// the penalty λ‖v‖ is at least Σ_j λ_j |v_j| for all λ_j with ‖(λ_j)‖ = λ, and each output then has a bound of its own. They
  /// are taken equal, and then in proportion to what each output gains by its own. Weak: where neurons are worth sharing
  /// among c outputs, some 1/√c of the optimum.
  func sharedValue(_ loss: StrictLoss, λ: Double) -> Double {
    guard lengths.allSatisfy(\.isFinite) else { return -.infinity }
    let c = θ.columns
    guard loss.isSeparable else {
      return loss.bestScale(θ, upTo: Self.limit(λ, StrictArithmetic.norm(lengths))).value
    }
    let even = [Double](repeating: λ / Double(c).squareRoot() * (1 - 4 * Double.ulpOfOne), count: c)
    let (whole, less) = (values(loss, even), values(loss, even.map { 0.99 * $0 }))
    let gains = zip(whole, less).map { max(0, $0 - $1) }
    let norm = StrictArithmetic.norm(gains)
    let sum = whole.reduce(into: CompensatedSum()) { $0 += $1 }.value
    guard norm > 0, norm.isFinite else { return sum }
    let shares = gains.map { λ * ($0 / norm) * (1 - 8 * Double.ulpOfOne) }
    return max(sum, values(loss, shares).reduce(into: CompensatedSum()) { $0 += $1 }.value)
  }

  /// What each output adds with tU_j ≤ λ_j.
  private func values(_ loss: StrictLoss, _ λ: [Double]) -> [Double] {
    lengths.indices.map { j in
      loss.restricted(toOutput: j).bestScale(Matrix(column: θ.column(j)), upTo: Self.limit(λ[j], lengths[j]))
        .value
    }
  }

  /// The largest t with tU ≤ λ, less what its rounding may add; 0 where U is no number.
  private static func limit(_ λ: Double, _ length: Double) -> Double {
    if length.isNaN { return 0 }
    return length > 0 ? λ / length * (1 - 4 * Double.ulpOfOne) : 1e300
  }
}

extension StrictLoss {
  /// Whether a sum over outputs, so that the bounds of the outputs add up.
  fileprivate var isSeparable: Bool { kind != .softmax }

  fileprivate func restricted(toOutput j: Int) -> StrictLoss {
    StrictLoss(
      kind: kind, parameters: parameters, targets: Matrix(column: targets.column(j)), weights: weights)
  }
}
