import LinearAlgebra

/// (I + SSᵀ)⁻¹ for S = RACᵀ, of the Newton systems without the coupling of outputs: R the roots of the Hessian,
/// σM = CᵀC by group. By the identity of Woodbury,
///
///     (I + SSᵀ)⁻¹ = I − S (I + SᵀS)⁻¹ Sᵀ,
///
/// with one m × m matrix an output for m coefficients in use: cheaper than n × n where the active groups have fewer
/// free coefficients than there are samples. Making it costs nm² + m³/3 an output, applying it two products over the
/// active groups.
struct CoefficientPreconditioner<Element: Scalar>: Sendable {
  private let map: any GroupOperator<Element>
  private let groups: [Int]
  private let roots: Matrix<Element>
  /// C_r for every group: √σ times a square root of M.
  private let squareRoots: [Matrix<Element>]
  /// For each output the places of its groups, and I + SᵀS.
  private let blocks: [(members: [Int], factor: Cholesky<Element>)]

  /// nil where a matrix is not positive definite in working precision, or the time is over before one is begun.
  init?(_ step: NewtonDerivative<Element>, squareRoots: [Matrix<Element>], _ deadline: Deadline) {
    (map, groups, roots) = (step.map, step.groups, step.factor.roots)
    self.squareRoots = squareRoots
    var blocks: [(members: [Int], factor: Cholesky<Element>)] = []
    for j in 0..<step.map.outputs {
      let members = step.groups.indices.filter { step.map.output(of: step.groups[$0]) == j }
      guard !members.isEmpty else { continue }
      if deadline.hasPassed { return nil }
      let owners = members.flatMap { [Int](repeating: step.groups[$0], count: squareRoots[$0].rows) }
      let vectors = Matrix(
        owners.count, step.map.width, storage: members.flatMap { squareRoots[$0].storage })
      var t = Matrix<Element>(owners.count, owners.count)
      let weights = step.factor.roots.column(j).map { $0 * $0 }
      step.map.normalMatrix(of: owners, vectors: vectors, weights: weights, into: &t)
      for i in 0..<t.rows { t[i, i] += 1 }
      if deadline.hasPassed { return nil }
      guard let factor = try? Cholesky(t) else { return nil }
      blocks.append((members, factor))
    }
    self.blocks = blocks
  }

  /// (I + SSᵀ)⁻¹ V.
  func apply(_ v: Matrix<Element>) -> Matrix<Element> {
    var scaled = v
    scaled.multiply(by: roots)
    var g = Matrix<Element>(groups.count, map.width)
    map.applyAdjoint(scaled, to: groups, into: &g)
    let rows = g
    g.withMutablePointer { g in
      Parallel.forEach(tiles: blocks.count) { solve(blocks[$0].members, blocks[$0].factor, rows, into: g) }
    }
    map.apply(g, of: groups, into: &scaled)
    scaled.multiply(by: roots)
    var result = v
    result.add(-1, scaled)
    return result
  }

  /// The rows of a block: w_r ← C_rᵀ y_r for y = (I + SᵀS)⁻¹ (C_r g_r)_r.
  private func solve(
    _ members: [Int], _ factor: Cholesky<Element>, _ g: Matrix<Element>,
    into w: UnsafeMutablePointer<Element>
  ) {
    let d = map.width
    var y = [Element](repeating: 0, count: factor.order)
    forEachGroup(members) { r, first, c, rows in
      y.withMutablePointer { y in
        g.withPointer { g in
          Element.gemv(
            .no, m: rows, n: d, alpha: 1, a: c, lda: d, x: g + r * d, beta: 0, y: y + first)
        }
      }
    }
    y = factor.solve(y)
    forEachGroup(members) { r, first, c, rows in
      y.withPointer {
        Element.gemv(.yes, m: rows, n: d, alpha: 1, a: c, lda: d, x: $0 + first, beta: 0, y: w + r * d)
      }
    }
  }

  /// Calls `body` with the place of each group, the first of its rows in the block, C_r and its height, which may be 0.
  private func forEachGroup(
    _ members: [Int], _ body: (Int, Int, UnsafePointer<Element>, Int) -> Void
  ) {
    var first = 0
    for r in members {
      let rows = squareRoots[r].rows
      squareRoots[r].withPointer { body(r, first, $0, rows) }
      first += rows
    }
  }
}
