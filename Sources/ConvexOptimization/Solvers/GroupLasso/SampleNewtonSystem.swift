import LinearAlgebra

/// The Newton systems of proximal point subproblems over the samples,
///
///     (I + LᵀQL) t = Lᵀρ,   ΔF = ρ − Q L t,   Q = σ A M Aᵀ,   ∇²ℓ = L Lᵀ,
///
/// solved by conjugate gradients whose products need the active groups alone. The preconditioner is a
/// factorisation of the same matrix at an earlier point, without the coupling of outputs: one n × n matrix an
/// output, a Hadamard product whatever the number of groups. It is made anew, for n²(d + 2|S|) + n³/3 an output,
/// once the iterations saved pay for it: between two of them σ and the active groups change little.
struct SampleNewtonSystem<Operator: GroupOperator>: Sendable {
  typealias Element = Operator.Element
  private var factors: [Cholesky<Element>] = []
  /// Iterations of the last solution.
  private(set) var iterations = 0
  /// Relative residual to which systems are solved.
  private static var tolerance: Element { 0.02 }

  /// ΔF; nil where a factorisation fails or an iterate is not finite.
  mutating func direction(
    _ problem: RestrictedProblem<Operator>, _ stage: NewtonStage<Element>, σ: Element
  ) -> Matrix<Element>? {
    let step = NewtonDerivative(problem, stage, σ: σ)
    guard !step.groups.isEmpty else { return stage.residual }
    let patience = patience(step, problem)
    if factors.isEmpty || iterations > patience {
      guard refresh(step, problem) else { return nil }
    }
    var result = solve(step, stage, maximumIterations: 3 * patience)
    if result == nil {
      guard refresh(step, problem) else { return nil }
      result = solve(step, stage, maximumIterations: 200)
    }
    return result
  }

  /// Iterations that cost a third of a factorisation.
  private func patience(_ step: NewtonDerivative<Operator>, _ problem: RestrictedProblem<Operator>) -> Int {
    let (n, c, d) = (problem.whole.map.samples, problem.whole.map.outputs, problem.width)
    let s = step.groups.count
    let factorisation = n * n * (c * (n / 3 + d) + 2 * s)
    return min(20, max(3, factorisation / (3 * 4 * n * d * s)))
  }

  private mutating func refresh(
    _ step: NewtonDerivative<Operator>, _ problem: RestrictedProblem<Operator>
  ) -> Bool {
    let (n, c) = (problem.whole.map.samples, problem.whole.map.outputs)
    factors = []
    for j in 0..<c {
      var q = Matrix<Element>(n, n)
      step.fillGram(&q, output: j)
      scale(&q, by: step.factor.roots.column(j))
      guard let factor = try? Cholesky(q) else {
        factors = []
        return false
      }
      factors.append(factor)
    }
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

  private func precondition(_ r: Matrix<Element>) -> Matrix<Element> {
    if factors.count == 1 { return factors[0].solve(r) }
    var result = r
    for (j, factor) in factors.enumerated() {
      let column = factor.solve(r.column(j))
      for k in 0..<r.rows { result[k, j] = column[k] }
    }
    return result
  }

  /// ΔF; nil where the iterations do not suffice.
  private mutating func solve(
    _ step: NewtonDerivative<Operator>, _ stage: NewtonStage<Element>, maximumIterations: Int
  ) -> Matrix<Element>? {
    var result = stage.residual
    var r = stage.residual
    step.factor.applyTransposed(&r)
    let target = Self.tolerance * r.frobeniusNorm
    guard target > 0 else { return result }
    var z = precondition(r)
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
      z = precondition(r)
      step.factor.projectOntoRange(&z)
      let next = r.inner(z)
      p.scale(by: next / size)
      p.add(1, z)
      size = next
    }
    return nil
  }
}
