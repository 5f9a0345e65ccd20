import LinearAlgebra

/// The Newton systems of proximal point subproblems over the samples,
///
///     (I + LᵀQL) t = Lᵀρ,   ΔF = ρ − Q L t,   Q = σ A M Aᵀ,   ∇²ℓ = L Lᵀ,
///
/// solved by conjugate gradients whose products need the active groups alone. The preconditioner is the inverse of the
/// same matrix at an earlier point, without the coupling of outputs: a factorisation over the samples, n × n for each
/// output, which is a Hadamard product whatever the number of groups, or over the coefficients in use where they are
/// fewer (`CoefficientPreconditioner`), scaled to the roots of the present Hessian. It is made anew once the iterations saved
/// pay for it: between two of them σ and the active groups change little.
struct SampleNewtonSystem<Element: Scalar>: Sendable {
  private var preconditioner: Preconditioner?
  /// The roots of the Hessian that the preconditioner was made with.
  private var roots = Matrix<Element>(0, 0)
  /// Iterations of the last solution.
  private(set) var iterations = 0
  /// Relative residual to which systems are solved.
  private static var tolerance: Element { 0.1 }
  /// The largest order of a matrix that is factorised.
  static var largestOrder: Int { 5000 }

  private enum Preconditioner {
    case samples([Cholesky<Element>])
    case coefficients(CoefficientPreconditioner<Element>)
  }

  /// ΔF; nil where a factorisation fails or would be too large, an iterate is not finite, or the time is over.
  mutating func direction(
    _ problem: RestrictedProblem<Element>, _ stage: NewtonStage<Element>, σ: Element
  ) -> Matrix<Element>? {
    let step = NewtonDerivative(problem, stage, σ: σ)
    guard !step.groups.isEmpty else { return stage.residual }
    let work = Work(step)
    if preconditioner == nil || iterations > work.patience {
      guard refresh(step, work, problem.whole.deadline) else { return nil }
    }
    var result = solve(step, stage, maximumIterations: 3 * work.patience)
    if result == nil {
      guard refresh(step, work, problem.whole.deadline) else { return nil }
      result = solve(step, stage, maximumIterations: 200)
    }
    return result
  }

  /// What the preconditioners cost, in multiplications.
  private struct Work {
    /// The largest number of coefficients in use of an output.
    let order: Int
    let usesCoefficients: Bool
    /// Iterations whose products cost an eighth of making the preconditioner, whose products are faster.
    let patience: Int

    init(_ step: NewtonDerivative<Element>) {
      let orders = (0..<step.map.outputs).map { step.freedom(ofOutput: $0) }
      order = orders.max() ?? 0
      let (n, c, d) = (Double(step.map.samples), Double(step.map.outputs), Double(step.map.width))
      let s = Double(step.groups.count)
      let updates = step.faces.isEmpty ? s : step.faces.reduce(s) { $0 + Double($1.basis.rows) }
      let samples = n * n * (c * (n / 3 + d) + s + updates)
      let coefficients = orders.reduce(0) {
        $0 + Double($1) * (n * d + Double($1) * (n / 2 + Double($1) / 3))
      }
      usesCoefficients = step.map.samples > SampleNewtonSystem.largestOrder || coefficients < samples
      let iteration = 4 * n * d * s + (usesCoefficients ? 4 * n * d * s : c * n * n)
      patience = Int(min(20, max(3, min(samples, coefficients) / (8 * iteration))))
    }
  }

  private mutating func refresh(
    _ step: NewtonDerivative<Element>, _ work: Work, _ deadline: Deadline
  ) -> Bool {
    preconditioner = nil
    roots = step.factor.roots
    if work.usesCoefficients {
      guard work.order <= Self.largestOrder else { return false }
      preconditioner = CoefficientPreconditioner(
        step, squareRoots: step.squareRoots(), deadline
      )
      .map { .coefficients($0) }
      return preconditioner != nil
    }
    let (n, c) = (step.map.samples, step.map.outputs)
    var factors: [Cholesky<Element>] = []
    for j in 0..<c {
      if deadline.hasPassed { return false }
      var q = Matrix<Element>(n, n)
      step.fillGram(&q, output: j)
      scale(&q, by: step.factor.roots.column(j))
      guard let factor = try? Cholesky(q) else { return false }
      factors.append(factor)
    }
    preconditioner = .samples(factors)
    return true
  }

  /// Q ← I + diag(root) Q diag(root), in the lower triangle.
  private func scale(_ q: inout Matrix<Element>, by root: [Element]) {
    let n = q.rows
    q.withMutablePointer { q in
      root.withPointer { root in
        Parallel.forEach(tiles: Parallel.tiles(of: 128, covering: n), work: n * n) { tile in
          for k in Parallel.range(ofTile: tile, size: 128, count: n) {
            let row = q + k * n
            Element.multiply(k + 1, root, row)
            Element.scale(k + 1, root[k], row)
            row[k] += 1
          }
        }
      }
    }
  }

  /// z = (I − S² + S P⁻¹ S) r, with P the preconditioner's matrix and S the present roots over those that it was made with,
  /// 1 at most. Where roots shrink, z shrinks with them: ΔF has r and z divided by them.
  private func precondition(_ r: Matrix<Element>, _ shares: Matrix<Element>) -> Matrix<Element> {
    var inner = r
    inner.multiply(by: shares)
    var z = applyInverse(inner)
    z.add(-1, inner)
    z.multiply(by: shares)
    z.add(1, r)
    return z
  }

  /// S.
  private func shares(of factor: HessianFactor<Element>) -> Matrix<Element> {
    var result = factor.roots
    let count = result.count
    roots.withPointer { old in
      result.withMutablePointer { new in
        for i in 0..<count { new[i] = new[i] < old[i] ? new[i] / old[i] : 1 }
      }
    }
    return result
  }

  private func applyInverse(_ r: Matrix<Element>) -> Matrix<Element> {
    switch preconditioner {
    case nil: return r
    case .coefficients(let preconditioner): return preconditioner.apply(r)
    case .samples(let factors):
      if factors.count == 1 { return factors[0].solve(r) }
      var columns = (0..<factors.count).map { r.column($0) }
      columns.withMutablePointer { columns in
        Parallel.forEach(tiles: factors.count) { columns[$0] = factors[$0].solve(columns[$0]) }
      }
      var result = r
      for (j, column) in columns.enumerated() { result.setColumn(j, column) }
      return result
    }
  }

  /// ΔF; nil where the iterations do not suffice.
  private mutating func solve(
    _ step: NewtonDerivative<Element>, _ stage: NewtonStage<Element>, maximumIterations: Int
  ) -> Matrix<Element>? {
    var result = stage.residual
    var r = stage.residual
    step.factor.applyTransposed(&r)
    let target = Self.tolerance * r.frobeniusNorm
    guard target > 0 else { return result }
    let shares = shares(of: step.factor)
    var z = precondition(r, shares)
    step.factor.projectOntoRange(&z)
    var p = z
    var size = r.inner(z)
    for iteration in 1...maximumIterations {
      var product = p
      step.factor.apply(&product)
      product = step.applyQ(product)
      let image = product
      step.factor.applyTransposed(&product)
      product.add(1, p)
      let α = size / p.inner(product)
      guard α.isFinite, α > 0 else { return nil }
      result.add(-α, image)
      r.add(-α, product)
      iterations = iteration
      if r.frobeniusNorm <= target {
        step.factor.subtractQuotient(r, from: &result)
        return result
      }
      z = precondition(r, shares)
      step.factor.projectOntoRange(&z)
      let next = r.inner(z)
      p.scale(by: next / size)
      p.add(1, z)
      size = next
    }
    return nil
  }
}
