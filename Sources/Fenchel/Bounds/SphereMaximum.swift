import LinearAlgebra

/// max_{‖w‖ = 1} bᵀw + wᵀQ w ≤ ρ + ¼ bᵀ(ρI − Q)⁻¹b for every ρ above the eigenvalues of Q, with equality at the best ρ
/// (Lagrangian duality of the trust region problem).
package struct SphereMaximum {
  private let linear: [Double]
  private let quadratic: Matrix<Double>

  /// b and the symmetric Q.
  package init(linear: [Double], quadratic: Matrix<Double>) {
    (self.linear, self.quadratic) = (linear, quadratic)
  }

  /// A bound that rounding cannot break, +∞ where there is none in Double: ρ from eigenvalues, the proof that ρI − Q
  /// is positive definite by a Cholesky factorisation with a shift above its rounding, the quadratic form from an
  /// approximate solution v and its residual r: bᵀM⁻¹b ≤ bᵀv + vᵀr + ‖r‖²/λ_min(M).
  package var upperBound: Double {
    let size = linear.reduce(quadratic.storage.reduce(0) { max($0, abs($1)) }) { max($0, abs($1)) }
    guard size.isFinite, linear.allSatisfy({ !$0.isNaN }), quadratic.storage.allSatisfy({ !$0.isNaN })
    else { return .infinity }
    guard size > 0 else { return 0 }
    // Entries that vanish beside the largest only leave a tiny room.
    let scale = StrictArithmetic.inversePower(size)
    var scaled = quadratic
    scaled.scale(by: scale)
    let problem = SphereMaximum(linear: linear.map { scale * $0 }, quadratic: scaled)
    guard let ρ = problem.multiplier, let bound = problem.bound(ρ) else { return .infinity }
    return (bound + 1e-290) / scale
  }

  /// Another such bound, to a few units in the last place of ‖Q‖ + ‖b‖ where `upperBound` gives way by some 1e-9 of it near
  /// bᵀv = 0 for the top eigenvector v: ρ + μ for [ρI − Q, −½b; −½bᵀ, μ] ⪰ 0, which a shifted Cholesky factorisation
  /// proves. Cost d³ a few times.
  package var sharpUpperBound: Double { sharpUpperBound(at: nil) }

  /// The same from multipliers that are known to be good; without them an eigendecomposition finds them. Cost d³/3 for each
  /// try of the factorisation, and some 9 d³ without multipliers.
  package func sharpUpperBound(at known: SphereMultipliers?) -> Double {
    let spread = self.spread
    guard spread.isFinite else { return .infinity }
    guard spread > 0 else { return 0 }
    guard let multipliers = known ?? self.multipliers else { return .infinity }
    let (ρ, μ, d) = (multipliers.ρ, multipliers.μ, linear.count)
    var form = Matrix<Double>(d + 1, d + 1)
    for a in 0..<d {
      for b in 0..<d { form[a, b] = -quadratic[a, b] }
      (form[a, d], form[d, a]) = (-linear[a] / 2, -linear[a] / 2)
    }
    let trace = (0..<d).reduce(μ) { $0 + abs(ρ - quadratic[$1, $1]) }
    // What a factorisation that ends may have rounded (Higham 2002, thm 10.7), the diagonal included.
    let relative = 8 * Double(d + 4) * Double.ulpOfOne
    // A slack below its own rounding proves nothing.
    var slack = max(8 * Double.ulpOfOne * spread, 1.25 * relative * (trace + abs(ρ)))
    while slack <= spread {
      let rounding = relative * (trace + Double(d + 2) * slack + abs(ρ))
      var shifted = form
      for a in 0..<d { shifted[a, a] += ρ + slack - rounding }
      shifted[d, d] = μ + slack - rounding
      if PlainCholesky(shifted) != nil { return (ρ + μ + 2 * slack) + 4 * Double.ulpOfOne * (abs(ρ) + μ) }
      slack *= 4
    }
    return .infinity
  }

  /// The maximum as Double finds it, without proof.
  package var estimate: Double {
    guard spread > 0, let multipliers else { return 0 }
    return multipliers.ρ + multipliers.μ
  }

  /// ‖Q‖ + ‖b‖.
  private var spread: Double { StrictArithmetic.norm(quadratic.storage) + StrictArithmetic.norm(linear) }

  /// ρ and μ = ¼ bᵀ(ρI − Q)⁻¹b at the best ρ, by bisection between the bounds that the top eigenvector and all of b give.
  package var multipliers: SphereMultipliers? {
    guard let eigen = try? SymmetricEigen(quadratic), let top = eigen.values.last else { return nil }
    let parts = linear.indices.map { StrictArithmetic.dot(eigen.vectorsTransposed.row($0), linear) / 2 }
    let gaps = eigen.values.map { top - $0 }
    let least = spread * Double.ulpOfOne
    /// With s = ρ − top: Σ parts²/(s + gap)^power.
    func sum(_ s: Double, _ power: Int) -> Double {
      zip(parts, gaps).reduce(0) { total, term in
        guard term.0 != 0 else { return total }
        let quotient = term.0 / (s + term.1)
        return total + (power == 2 ? quotient * quotient : quotient * term.0)
      }
    }
    var (low, high) = (least, max(2 * least, StrictArithmetic.norm(parts)))
    if sum(low, 2) <= 1 { return SphereMultipliers(ρ: top + low, μ: sum(low, 1)) }
    for _ in 0..<200 {
      let middle = low + (high - low) / 2
      guard middle > low, middle < high else { break }
      if sum(middle, 2) > 1 { low = middle } else { high = middle }
    }
    return SphereMultipliers(ρ: top + high, μ: sum(high, 1))
  }

  /// The best ρ.
  private var multiplier: Double? {
    guard let eigen = try? SymmetricEigen(quadratic) else { return nil }
    let (values, d) = (eigen.values, linear.count)
    let top = values.last ?? 0
    let size = StrictArithmetic.norm(linear)
    let spread = max(abs(values.first ?? 0), abs(top), size)
    guard spread > 0 else { return 0 }
    let parts = (0..<d).map { StrictArithmetic.dot(eigen.vectorsTransposed.row($0), linear) }
    func excess(_ ρ: Double) -> Double {
      var sum = 0.0
      for (part, value) in zip(parts, values) { sum += part * part / ((ρ - value) * (ρ - value)) }
      return sum / 4 - 1
    }
    var (low, high) = (top + 4e-9 * Double(d) * spread, top + max(size, 1e-8 * Double(d) * spread))
    if excess(low) <= 0 { return low }
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if excess(middle) > 0 { low = middle } else { high = middle }
    }
    return high
  }

  private func bound(_ ρ: Double) -> Double? {
    let (d, u) = (linear.count, Double.ulpOfOne / 2)
    var m = quadratic
    var trace = 0.0
    for a in 0..<d {
      for b in 0..<d { m[a, b] = -m[a, b] }
      m[a, a] += ρ
      trace += abs(m[a, a])
    }
    // What the diagonal and a factorisation that ends may have rounded (Higham 2002, thm 10.7), and λ_min besides.
    let rounding = 4 * Double(d + 4) * u * (trace + abs(ρ))
    let least = 1e-9 * trace
    var shifted = m
    for a in 0..<d { shifted[a, a] -= rounding + least }
    guard let factor = PlainCholesky(shifted) else { return nil }
    let v = factor.solve(linear)
    var (form, residualSquare) = (CompensatedSum(), 0.0)
    for a in 0..<d {
      var r = CompensatedSum()
      r += linear[a]
      for b in 0..<d { r.add(-m[a, b], times: v[b]) }
      form.add(linear[a], times: v[a])
      form.add(v[a], times: r.value)
      residualSquare += r.value * r.value * (1 + 1e-10) + 1e-300
    }
    let value = ρ + 0.25 * (form.value + 2 * residualSquare / least)
    return value + 1e-14 * (abs(ρ) + abs(form.value)) + rounding
  }
}

/// ρ of the constraint ‖w‖² = 1, and the μ that [ρI − Q, −½b; −½bᵀ, μ] ⪰ 0 needs.
package struct SphereMultipliers: Sendable {
  /// At least the largest eigenvalue of Q.
  var ρ: Double
  /// ¼ bᵀ(ρI − Q)⁻¹b.
  var μ: Double
}
