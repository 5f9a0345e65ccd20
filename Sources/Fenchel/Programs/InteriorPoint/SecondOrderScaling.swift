import LinearAlgebra

/// Nesterov–Todd scaling of one second-order cone Q = {(t, u) : ‖u‖ ≤ t} whose dual variable is (λ, ζ) with a
/// fixed first entry λ (the dual equation of t, which every iterate satisfies).
///
/// W is the symmetric automorphism of Q with W(λ, ζ) = W⁻¹(t, u) =: l. With w = (w₀, w₁), w₀² − ‖w₁‖² = 1 and a
/// size η: W = η (w₀, w₁ᵀ; w₁, I + w₁w₁ᵀ/(1 + w₀)) and W⁻² = η⁻² (2(Jw)(Jw)ᵀ − J). Eliminating Δt leaves the
/// curvature η⁻²(I − κ w₁w₁ᵀ), κ = 2/(2w₀² − 1), in the variables u (Vandenberghe, *The CVXOPT linear and
/// quadratic cone program solvers*, 2010, §5).
struct SecondOrderScaling {
  let count: Int
  private(set) var η = 1.0
  private var w0 = 1.0
  private var l0 = 1.0
  let w1: UnsafeMutablePointer<Double>
  private let l1: UnsafeMutablePointer<Double>
  private let work: UnsafeMutablePointer<Double>
  /// The part of the step of (t, u) that does not depend on Δu.
  private var quotient0 = 0.0

  /// A scaling of a cone in 1 + count dimensions; the storage holds 3·count numbers.
  init(count: Int, storage: UnsafeMutablePointer<Double>) {
    self.count = count
    (w1, l1, work) = (storage, storage + count, storage + 2 * count)
  }

  private var κ: Double { 2 / (2 * w0 * w0 - 1) }

  /// √(t² − ‖u‖²), computed as √((t − ‖u‖)(t + ‖u‖)).
  private func determinantRoot(_ t: Double, _ u: UnsafePointer<Double>) -> Double {
    let norm = Double.norm2(count, u)
    return (max(t - norm, t * 1e-17) * (t + norm)).squareRoot()
  }

  /// The scaling of the current point.
  mutating func update(t: Double, u: UnsafePointer<Double>, λ: Double, ζ: UnsafePointer<Double>) {
    let (primal, dual) = (determinantRoot(t, u), determinantRoot(λ, ζ))
    let inner = (t * λ + Double.dot(count, u, ζ)) / (primal * dual)
    let γ = ((1 + inner) / 2).squareRoot()
    w0 = (t / primal + λ / dual) / (2 * γ)
    for j in 0..<count { w1[j] = (u[j] / primal - ζ[j] / dual) / (2 * γ) }
    w0 = (1 + Double.dot(count, w1, w1)).squareRoot()
    η = (primal / dual).squareRoot()
    l0 = scaled(λ, ζ, into: l1)
  }

  /// W(a, v): writes the vector part, returns the first entry.
  private func scaled(
    _ a: Double, _ v: UnsafePointer<Double>, into result: UnsafeMutablePointer<Double>
  ) -> Double {
    let c = Double.dot(count, w1, v)
    let along = a + c / (1 + w0)
    for j in 0..<count { result[j] = η * (v[j] + w1[j] * along) }
    return η * (w0 * a + c)
  }

  /// W⁻¹(a, v): writes the vector part, returns the first entry.
  private func unscaled(
    _ a: Double, _ v: UnsafePointer<Double>, into result: UnsafeMutablePointer<Double>
  ) -> Double {
    let c = Double.dot(count, w1, v)
    let along = a - c / (1 + w0)
    for j in 0..<count { result[j] = (v[j] - w1[j] * along) / η }
    return (w0 * a - c) / η
  }

  /// Adds η⁻²(I − κ w₁w₁ᵀ) to the lower triangle of a row-major matrix with rows `leading` entries apart.
  func addCurvature(to matrix: UnsafeMutablePointer<Double>, leading: Int) {
    let size = 1 / (η * η)
    for i in 0..<count {
      let row = matrix + i * leading
      for j in 0...i { row[j] -= size * κ * w1[i] * w1[j] }
      row[i] += size
    }
  }

  /// v ← (η⁻²(I − κ w₁w₁ᵀ))⁻¹ v = η²(I + 2 w₁w₁ᵀ) v.
  func solve(_ v: UnsafeMutablePointer<Double>) {
    let c = 2 * Double.dot(count, w1, v)
    for j in 0..<count { v[j] = η * η * (v[j] + c * w1[j]) }
  }

  /// (W⁻¹(Δt, Δu)) ∘ (W(0, Δζ)), the term of second order of a predictor step: writes the vector part into
  /// `product` and returns the first entry.
  func secondOrder(
    Δt: Double, Δu: UnsafePointer<Double>, Δζ: UnsafePointer<Double>,
    into product: UnsafeMutablePointer<Double>
  ) -> Double {
    let a = unscaled(Δt, Δu, into: work)
    let b = scaled(0, Δζ, into: product)
    let first = a * b + Double.dot(count, work, product)
    for j in 0..<count { product[j] = a * product[j] + b * work[j] }
    return first
  }

  /// Right-hand side of the cone's linearised complementarity l ∘ (W⁻¹Δx + WΔz) = −l∘l − (c₀, c) + σμe, with
  /// Δt eliminated: writes the vector that Δζ is made of before Δu is known.
  mutating func targetStep(
    centring σμ: Double, correction c0: Double, _ c: UnsafePointer<Double>,
    into quotient: UnsafeMutablePointer<Double>
  ) {
    let target0 = σμ - c0 - l0 * l0 - Double.dot(count, l1, l1)
    for j in 0..<count { work[j] = -c[j] - 2 * l0 * l1[j] }
    let norm = Double.norm2(count, l1)
    let determinant = max((l0 - norm) * (l0 + norm), l0 * l0 * 1e-30)
    let r0 = (l0 * target0 - Double.dot(count, l1, work)) / determinant
    for j in 0..<count { work[j] = (work[j] - l1[j] * r0) / l0 }
    quotient0 = unscaled(r0, work, into: quotient)
    let along = 2 * w0 / (2 * w0 * w0 - 1) * quotient0
    for j in 0..<count { quotient[j] += along * w1[j] }
  }

  /// Δζ = quotient − η⁻²(I − κ w₁w₁ᵀ)Δu, and Δt, once Δu is known.
  func completeStep(
    Δu: UnsafePointer<Double>, quotient: UnsafePointer<Double>, Δζ: UnsafeMutablePointer<Double>
  ) -> Double {
    let c = Double.dot(count, w1, Δu)
    let size = 1 / (η * η)
    for j in 0..<count { Δζ[j] = quotient[j] - size * (Δu[j] - κ * w1[j] * c) }
    return (quotient0 * η * η + 2 * w0 * c) / (2 * w0 * w0 - 1)
  }

  /// The largest a ≥ 0 with (t + aΔt, u + aΔu) ∈ Q, for (t, u) inside Q.
  static func maximalStep(
    _ t: Double, _ u: UnsafePointer<Double>, _ Δt: Double, _ Δu: UnsafePointer<Double>, count: Int
  ) -> Double {
    let norm = Double.norm2(count, u)
    let c = (t - norm) * (t + norm)
    let halfB = t * Δt - Double.dot(count, u, Δu)
    let a = Δt * Δt - Double.dot(count, Δu, Δu)
    var limit = Δt < 0 ? -t / Δt : Double.infinity
    let discriminant = halfB * halfB - a * c
    if a < 0 || (halfB < 0 && discriminant > 0) {
      let root = max(discriminant, 0).squareRoot()
      // The smaller positive root of a x² + 2 halfB x + c, in the form without cancellation.
      let q = halfB >= 0 ? -(halfB + root) : root - halfB
      for candidate in [c / q, q / a] where candidate > 0 { limit = min(limit, candidate) }
    }
    return limit
  }
}
