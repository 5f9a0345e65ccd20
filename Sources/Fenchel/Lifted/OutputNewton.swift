import ConvexOptimization
import LinearAlgebra

/// Newton's method for a block of outputs, min_Z f(Z W + 1 bᵀ) + λ D(Z, U), where φ acts entry by entry and the layer
/// above, the last one, is narrow.
///
/// At the optimum Z = φ(U − ∇f(S) Wᵀ/(κλ)) with S = Z W + 1 bᵀ: for each sample q equations in the row s of S,
///
///     F(s) = s − φ(u − W∇f(s)/(κλ)) W − b = 0,   J = I + (κλ)⁻¹ WᵀD W ∇²f(s),   D = diag φ′
///
/// with WᵀDW of all samples by one product of the slopes with the column products of W. Cost a step 2np(q²/2 + 2q) + nq³.
struct OutputNewton<Element: Scalar> {
  let block: OutputBlock<Element>
  private let loss: any Loss<Element>
  /// w_ia w_ib for a ≥ b: p × q(q+1)/2.
  private let products: Matrix<Element>

  /// The widest layer above for which this pays.
  static var widest: Int { 32 }

  /// Nil where φ does not act entry by entry, or the layer above is not the last one, or too wide.
  init?(_ block: OutputBlock<Element>) {
    guard case .loss(let loss) = block.fit, block.map == .dense, block.weights.columns <= Self.widest,
      block.penalty.divergence.isEntrywise
    else { return nil }
    (self.block, self.loss) = (block, loss)
    products = columnProducts(block.weights, rows: block.u.columns)
  }

  /// Newton's steps from S = image of `start`, each row halving its steps until its residual ‖F‖∞ falls.
  func minimise(from start: Matrix<Element>, tolerance: Element, maximumSteps: Int) -> Matrix<Element> {
    var s = block.image(of: start)
    var trial = evaluate(s)
    var search = RowwiseSearch(from: s)
    for _ in 0..<maximumSteps {
      if search.record(trial.residual, at: s, tolerance: tolerance) { break }
      s = search.next(newtonDirection(trial, at: s))
      trial = evaluate(s)
    }
    return trial.outputs
  }

  /// One full step from S = T: what the outputs become when each layer is visited once.
  func singleStep(from t: Matrix<Element>) -> Matrix<Element> {
    var s = t
    s.add(1, newtonDirection(evaluate(t), at: t))
    return outputs(at: s)
  }

  /// The outputs and F at some S.
  private struct Trial {
    var outputs: Matrix<Element>
    var residual: Matrix<Element>
  }

  /// φ(U − ∇f(S)Wᵀ/(κλ)).
  private func outputs(at s: Matrix<Element>) -> Matrix<Element> {
    var gradient = s
    loss.gradient(at: s, into: &gradient)
    var z = block.u
    block.addPulled(gradient, scaledBy: -1 / (block.penalty.curvature * block.λ), to: &z)
    block.penalty.divergence.map(&z)
    return z
  }

  private func evaluate(_ s: Matrix<Element>) -> Trial {
    let z = outputs(at: s)
    var residual = block.image(of: z)
    residual.scale(by: -1)
    residual.add(1, s)
    return Trial(outputs: z, residual: residual)
  }

  /// −J⁻¹F, row by row.
  private func newtonDirection(_ trial: Trial, at s: Matrix<Element>) -> Matrix<Element> {
    let hessian = loss.hessianFactor(at: s)
    let curvatures = matrixProduct(block.penalty.divergence.slopes(at: trial.outputs), products)
    let q = s.columns
    var direction = trial.residual
    let τ = 1 / (block.penalty.curvature * block.λ)
    withPointers(curvatures, hessian.roots, &direction.storage) { a, roots, δ in
      (hessian.units ?? hessian.roots).withPointer { units in
        let size = 64
        Parallel.forEach(tiles: Parallel.tiles(of: size, covering: s.rows), work: s.rows * q * q * q) {
          tile in
          let rows = Parallel.range(ofTile: tile, size: size, count: s.rows)
          RowSystems(
            order: q, scale: τ, curvatures: a, roots: roots, units: hessian.units == nil ? nil : units
          ).solve(rows, δ)
        }
      }
    }
    direction.scale(by: -1)
    return direction
  }
}

/// The systems (I + τ A_k R(I − uuᵀ)R) x = b, one a row, of a small order q.
private struct RowSystems<Element: Scalar> {
  let order: Int
  let scale: Element
  /// The lower triangles of A_k, packed by rows.
  let curvatures: UnsafePointer<Element>
  let roots: UnsafePointer<Element>
  let units: UnsafePointer<Element>?

  /// Solves the systems of some rows in place, by elimination with pivots.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func solve(_ rows: Range<Int>, _ b: UnsafeMutablePointer<Element>) {
    let q = order
    withTemporary(Element.self, q * q) { matrix in
      for k in rows {
        let (a, r) = (curvatures + k * (q * (q + 1) / 2), roots + k * q)
        fill(matrix, a, r, units.map { $0 + k * q })
        eliminate(matrix, b + k * q)
      }
    }
  }

  /// M = I + τ A R(I − uuᵀ)R.
  @inline(__always)
  private func fill(
    _ m: UnsafeMutablePointer<Element>, _ a: UnsafePointer<Element>, _ r: UnsafePointer<Element>,
    _ u: UnsafePointer<Element>?
  ) {
    let q = order
    for i in 0..<q {
      let row = m + i * q
      for j in 0..<q { row[j] = scale * a[i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i] * r[j] }
      var along: Element = 0
      if let u { for j in 0..<q { along += row[j] * u[j] } }
      for j in 0..<q { row[j] = (row[j] - along * (u?[j] ?? 0)) * r[j] }
      row[i] += 1
    }
  }

  @inline(__always)
  private func eliminate(_ m: UnsafeMutablePointer<Element>, _ b: UnsafeMutablePointer<Element>) {
    let q = order
    for p in 0..<q {
      var pivot = p
      for i in p + 1..<max(q, p + 1) where abs(m[i * q + p]) > abs(m[pivot * q + p]) { pivot = i }
      if pivot != p {
        for j in p..<q { (m[p * q + j], m[pivot * q + j]) = (m[pivot * q + j], m[p * q + j]) }
        (b[p], b[pivot]) = (b[pivot], b[p])
      }
      let reciprocal = 1 / m[p * q + p]
      for i in p + 1..<max(q, p + 1) {
        let factor = m[i * q + p] * reciprocal
        guard factor != 0 else { continue }
        for j in p + 1..<max(q, p + 1) { m[i * q + j] -= factor * m[p * q + j] }
        b[i] -= factor * b[p]
      }
    }
    for p in stride(from: q - 1, through: 0, by: -1) {
      var sum = b[p]
      for j in p + 1..<max(q, p + 1) { sum -= m[p * q + j] * b[j] }
      b[p] = sum / m[p * q + p]
    }
  }
}

/// w_ia w_ib, a ≥ b, for the first rows i of W.
@specialized(where Element == Double)
@specialized(where Element == Float)
private func columnProducts<Element: Scalar>(_ w: Matrix<Element>, rows: Int) -> Matrix<Element> {
  let q = w.columns
  var result = Matrix<Element>(rows, q * (q + 1) / 2)
  withPointers(w, w, &result.storage) { w, _, products in
    var next = products
    for i in 0..<rows {
      let row = w + i * q
      for a in 0..<q {
        for b in 0...a { next[b] = row[a] * row[b] }
        next += a + 1
      }
    }
  }
  return result
}
