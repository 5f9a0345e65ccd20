import LinearAlgebra

/// The variables of one group of a two-layer program inside the interior-point method, and the parts of a
/// Newton step that concern this group alone.
///
/// A group has the coefficients u ∈ ℝᵈ of one activation pattern D, one sign σ and one output. It adds σ D X u
/// to the predictions of its output and λ‖u‖ to the objective, written as λt with (t, u) in the second-order
/// cone Q; with cones also s = (2D − I) X u ≥ 0. The dual variables are (λ, ζ) ∈ Q and α ≥ 0:
///
///     ζ + σ XᵀD θ + Xᵀ(2D − I) α = 0,   (t, u) ∘ (λ, ζ) = μe,   s ∘ α = μ1.
///
/// Where samples have several rows of X, D X u is summed over them, and Dθ is Sᵀθ (`RowSums`); cones have all rows.
///
/// All pointers are to storage owned by the block. A block is touched by one thread at a time.
final class ConeBlock {
  /// Rows of X.
  let rows: Int
  let pooling: RowSums
  let features: Int
  let group: TwoLayerGroup
  let isConstrained: Bool
  /// Diagonals of σD and of 2D − I, n entries each.
  let mask: UnsafeMutablePointer<Double>
  let orientation: UnsafeMutablePointer<Double>
  /// Zero rows of X bound nothing: their slack is shifted to stay at 1.
  let offset: UnsafePointer<Double>

  private(set) var scaling: SecondOrderScaling
  let u: UnsafeMutablePointer<Double>
  let ζ: UnsafeMutablePointer<Double>
  var t: Double
  /// Steps taken.
  private(set) var age = 0
  let s: UnsafeMutablePointer<Double>
  let α: UnsafeMutablePointer<Double>

  /// Lower Cholesky factor of the group's d × d Newton matrix H (without cones H has a closed inverse).
  let factor: UnsafeMutablePointer<Double>
  /// The latest direction.
  private(set) var step: Direction
  /// The predictor's term of second order: Δs∘Δα, and its counterpart in the second-order cone.
  private let secondOrder: UnsafeMutablePointer<Double>
  private let earlierSecondOrder: UnsafeMutablePointer<Double>
  private let coneSecondOrder: UnsafeMutablePointer<Double>
  private var coneSecondOrder0 = 0.0
  private let slackResidual: UnsafeMutablePointer<Double>
  private let dualResidual: UnsafeMutablePointer<Double>
  private let quotient: UnsafeMutablePointer<Double>
  let rightHandSide: UnsafeMutablePointer<Double>
  let contribution: UnsafeMutablePointer<Double>
  private let rowWork: UnsafeMutablePointer<Double>
  private var storage: [UnsafeMutablePointer<Double>] = []

  /// A direction in the variables of one group.
  struct Direction {
    var t = 0.0
    let u, ζ, s, α: UnsafeMutablePointer<Double>
  }

  init(
    group: TwoLayerGroup, patterns: BitMatrix, features: Int, isConstrained: Bool,
    pooling: RowSums, offset: UnsafePointer<Double>
  ) {
    let (n, d, bound) = (patterns.rows, features, isConstrained ? patterns.rows : 0)
    var owned: [UnsafeMutablePointer<Double>] = []
    func allocate(_ count: Int) -> UnsafeMutablePointer<Double> {
      let pointer = UnsafeMutablePointer<Double>.allocate(capacity: max(count, 1))
      pointer.initialize(repeating: 0, count: max(count, 1))
      owned.append(pointer)
      return pointer
    }
    (rows, self.pooling) = (n, pooling)
    self.features = d
    self.group = group
    self.isConstrained = isConstrained
    self.offset = offset
    (mask, orientation, contribution) = (allocate(n), allocate(bound), allocate(n))
    (u, ζ, rightHandSide, dualResidual, quotient) = (
      allocate(d), allocate(d), allocate(d), allocate(d), allocate(d)
    )
    (s, α, slackResidual, rowWork) = (allocate(bound), allocate(bound), allocate(bound), allocate(n))
    (factor, secondOrder, coneSecondOrder) = (
      allocate(isConstrained ? d * d : 0), allocate(bound), allocate(d)
    )
    earlierSecondOrder = allocate(bound)
    step = Direction(u: allocate(d), ζ: allocate(d), s: allocate(bound), α: allocate(bound))
    scaling = SecondOrderScaling(count: d, storage: allocate(3 * d))
    t = 1
    storage = owned
    for k in 0..<n {
      let isActive = patterns[k, group.pattern]
      mask[k] = isActive ? group.sign : 0
      if isConstrained { orientation[k] = isActive ? 1 : -1 }
    }
  }

  deinit { for pointer in storage { pointer.deallocate() } }

  /// ‖ζ‖, which is λ at the optimum where u is not zero.
  var dualNorm: Double { Double.norm2(features, ζ) }

  /// Number of linear inequalities.
  var inequalities: Int { isConstrained ? rows : 0 }

  /// Starts at the centre of the cones: u = ζ = 0, with slacks of the size of the data.
  func start(t initial: Double, slack: Double, λ: Double) {
    t = initial
    for k in 0..<inequalities {
      s[k] = slack
      α[k] = λ * initial / slack
    }
  }

  /// ⟨(t, u), (λ, ζ)⟩ + ⟨s, α⟩ after a step of the given length along `step`.
  func complementarity(afterStep length: Double, λ: Double) -> Double {
    var sum = (t + length * step.t) * λ
    for j in 0..<features { sum += (u[j] + length * step.u[j]) * (ζ[j] + length * step.ζ[j]) }
    for k in 0..<inequalities { sum += (s[k] + length * step.s[k]) * (α[k] + length * step.α[k]) }
    return sum
  }

  /// `contribution` ← σ S D X v, one entry a sample.
  func predict(_ v: UnsafePointer<Double>, x: UnsafePointer<Double>) {
    Double.gemv(
      .no, m: rows, n: features, alpha: 1, a: x, lda: features, x: v, beta: 0, y: contribution)
    for k in 0..<rows { contribution[k] *= mask[k] }
    if !pooling.isIdentity {
      pooling.sum(contribution, samples: rows / pooling.size, into: contribution)
    }
  }

  /// r ← r + σ XᵀD Sᵀv.
  func accumulateAdjoint(
    _ v: UnsafePointer<Double>, into r: UnsafeMutablePointer<Double>, x: UnsafePointer<Double>
  ) {
    for k in 0..<rows { rowWork[k] = mask[k] * v[k / pooling.size] }
    Double.gemv(.yes, m: rows, n: features, alpha: 1, a: x, lda: features, x: rowWork, beta: 1, y: r)
  }

  /// r ← r + Xᵀ(2D − I) v.
  private func accumulateConeAdjoint(
    _ v: UnsafePointer<Double>, into r: UnsafeMutablePointer<Double>, x: UnsafePointer<Double>
  ) {
    for k in 0..<rows { rowWork[k] = orientation[k] * v[k] }
    Double.gemv(.yes, m: rows, n: features, alpha: 1, a: x, lda: features, x: rowWork, beta: 1, y: r)
  }

  /// The residuals of feasibility at the current point, and the dual vector σXᵀDθ + Xᵀ(2D − I)α in
  /// `rightHandSide`, whose norm is ≤ λ at a feasible dual point. Returns that norm.
  func updateResiduals(θ: UnsafePointer<Double>, x: UnsafePointer<Double>) -> Double {
    rightHandSide.update(repeating: 0, count: features)
    accumulateAdjoint(θ, into: rightHandSide, x: x)
    if isConstrained {
      accumulateConeAdjoint(α, into: rightHandSide, x: x)
      Double.gemv(
        .no, m: rows, n: features, alpha: 1, a: x, lda: features, x: u, beta: 0, y: slackResidual)
      for k in 0..<rows { slackResidual[k] = orientation[k] * slackResidual[k] + offset[k] - s[k] }
    }
    for j in 0..<features { dualResidual[j] = ζ[j] + rightHandSide[j] }
    return Double.norm2(features, rightHandSide)
  }

  /// Largest |s − (2D − I)Xu|.
  var slackInfeasibility: Double {
    (0..<inequalities).reduce(0) { max($0, abs(slackResidual[$1])) }
  }

  /// Builds and factors H = η⁻²(I − κw₁w₁ᵀ) + Xᵀ diag(α/s) X. Returns false where it is not positive definite.
  func factorise(x: UnsafePointer<Double>, λ: Double) -> Bool {
    scaling.update(t: t, u: u, λ: λ, ζ: ζ)
    guard isConstrained else { return true }
    let (n, d) = (rows, features)
    withTemporary(Double.self, n * d) { scaled in
      for k in 0..<n {
        let weight = (α[k] / s[k]).squareRoot()
        let (source, target) = (x + k * d, scaled + k * d)
        for j in 0..<d { target[j] = weight * source[j] }
      }
      Double.syrk(.yes, n: d, k: n, alpha: 1, a: scaled, lda: d, beta: 0, c: factor, ldc: d)
    }
    scaling.addCurvature(to: factor, leading: d)
    return factorCholesky(d, factor)
  }

  /// v ← H⁻¹ v.
  func solveFactor(_ v: UnsafeMutablePointer<Double>) {
    guard isConstrained else { return scaling.solve(v) }
    Double.trsm(.no, m: features, n: 1, l: factor, ldl: features, b: v, ldb: 1)
    Double.trsm(.yes, m: features, n: 1, l: factor, ldl: features, b: v, ldb: 1)
  }

  /// The right-hand side b of H Δu − σXᵀD Δθ = b, for complementarity targets σμ less the second-order term.
  func updateRightHandSide(centring σμ: Double, x: UnsafePointer<Double>) {
    scaling.targetStep(centring: σμ, correction: coneSecondOrder0, coneSecondOrder, into: quotient)
    for j in 0..<features { rightHandSide[j] = dualResidual[j] + quotient[j] }
    guard isConstrained else { return }
    for k in 0..<rows {
      step.α[k] = σμ - secondOrder[k] - α[k] * s[k]
      step.s[k] = (step.α[k] - α[k] * slackResidual[k]) / s[k]
    }
    accumulateConeAdjoint(step.s, into: rightHandSide, x: x)
  }

  /// `contribution` ← σ D X H⁻¹ b.
  func predictRightHandSide(x: UnsafePointer<Double>) {
    step.u.update(from: rightHandSide, count: features)
    solveFactor(step.u)
    predict(step.u, x: x)
  }

  /// The whole direction, from Δθ: Δu = H⁻¹(b + σXᵀDΔθ), then Δt, Δζ, Δs, Δα.
  func completeStep(Δθ: UnsafePointer<Double>, x: UnsafePointer<Double>) {
    step.u.update(from: rightHandSide, count: features)
    accumulateAdjoint(Δθ, into: step.u, x: x)
    solveFactor(step.u)
    step.t = scaling.completeStep(Δu: step.u, quotient: quotient, Δζ: step.ζ)
    guard isConstrained else { return }
    Double.gemv(
      .no, m: rows, n: features, alpha: 1, a: x, lda: features, x: step.u, beta: 0, y: rowWork)
    for k in 0..<rows {
      let Δs = orientation[k] * rowWork[k] + slackResidual[k]
      step.α[k] = (step.α[k] - α[k] * Δs) / s[k]
      step.s[k] = Δs
    }
  }

  /// Keeps the second-order term of the predictor's direction for the corrector; `clear` forgets it.
  func keepSecondOrder() {
    coneSecondOrder0 = scaling.secondOrder(Δt: step.t, Δu: step.u, Δζ: step.ζ, into: coneSecondOrder)
    for k in 0..<inequalities { secondOrder[k] = step.s[k] * step.α[k] }
  }

  /// Adds to the second-order term what brings the products sα after a step of the given length along `step`
  /// back to between a tenth and ten times `target`; `restoreSecondOrder` takes the last correction back.
  func correctCentrality(afterStep length: Double, target: Double) {
    for k in 0..<inequalities {
      earlierSecondOrder[k] = secondOrder[k]
      let product = (s[k] + length * step.s[k]) * (α[k] + length * step.α[k])
      let correction = min(max(product, 0.1 * target), 10 * target) - product
      secondOrder[k] -= max(correction, -10 * target)
    }
  }

  func restoreSecondOrder() { secondOrder.update(from: earlierSecondOrder, count: inequalities) }

  func clearSecondOrder() {
    coneSecondOrder0 = 0
    coneSecondOrder.update(repeating: 0, count: features)
    secondOrder.update(repeating: 0, count: inequalities)
  }

  /// Largest step along `step` that stays in the cones.
  func maximalStep(λ: Double) -> Double {
    var length = SecondOrderScaling.maximalStep(t, u, step.t, step.u, count: features)
    length = min(length, SecondOrderScaling.maximalStep(λ, ζ, 0, step.ζ, count: features))
    for k in 0..<inequalities {
      if step.s[k] < 0 { length = min(length, -s[k] / step.s[k]) }
      if step.α[k] < 0 { length = min(length, -α[k] / step.α[k]) }
    }
    return length
  }

  /// Moves along `step`.
  func advance(by length: Double) {
    age += 1
    t += length * step.t
    Double.axpy(features, length, step.u, u)
    Double.axpy(features, length, step.ζ, ζ)
    Double.axpy(inequalities, length, step.s, s)
    Double.axpy(inequalities, length, step.α, α)
  }
}
