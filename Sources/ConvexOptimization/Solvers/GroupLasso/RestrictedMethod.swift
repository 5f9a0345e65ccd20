import LinearAlgebra

/// A group lasso problem restricted to a working set of groups, as an inner method sees it.
struct RestrictedProblem<Element: Scalar>: Sendable {
  let whole: GroupLassoProblem<Element>
  /// The working set, ascending.
  let groups: [Int]
  /// λ, at times larger than that of the whole problem.
  let λ: Element

  var loss: any Loss<Element> { whole.loss }
  var metric: CoordinateMetric<Element>? { whole.metric }
  var width: Int { whole.map.width }

  /// F ← A W for the rows of W that are not zero.
  func predictions(_ w: Matrix<Element>, norms: [Element], into f: inout Matrix<Element>) {
    let support = norms.indices.filter { norms[$0] > 0 }
    if support.count == groups.count {
      whole.map.apply(w, of: groups, into: &f)
    } else {
      whole.map.apply(w.selectingRows(support), of: support.map { groups[$0] }, into: &f)
    }
  }

  /// Row r of W ← the prox of τλ‖·‖ at z_r, in the metric of the whole problem; without one (1 − τλ/‖p_r‖)₊ p_r with p_r = z_r,
  /// or its projection onto the cone of r. `projections` are the starts of these, and become what was found. Returns ‖w_r‖ for
  /// every row.
  func prox(
    _ z: Matrix<Element>, step τ: Element, into w: inout Matrix<Element>,
    projections: inout [ConeProjection<Element>?]
  ) -> [Element] {
    if let metric { return prox(z, step: τ, in: metric, into: &w) }
    let (d, threshold) = (width, τ * λ)
    w = z
    var norms =
      whole.cones?.project(&w, ontoConesOf: groups, threshold: threshold, from: &projections) ?? z.rowNorms
    w.withMutablePointer { w in
      for r in norms.indices {
        let row = w + r * d
        if norms[r] > threshold {
          Element.scale(d, 1 - threshold / norms[r], row)
          norms[r] -= threshold
        } else {
          row.update(repeating: 0, count: d)
          norms[r] = 0
        }
      }
    }
    return norms
  }

  private func prox(
    _ z: Matrix<Element>, step τ: Element, in metric: CoordinateMetric<Element>, into w: inout Matrix<Element>
  ) -> [Element] {
    let (d, tile) = (width, 64)
    var norms = [Element](repeating: 0, count: z.rows)
    withPointers(z, z, &w.storage) { z, _, w in
      norms.withMutablePointer { norms in
        Parallel.forEach(tiles: Parallel.tiles(of: tile, covering: groups.count)) { index in
          for r in Parallel.range(ofTile: index, size: tile, count: groups.count) {
            norms[r] = metric.prox(z + r * d, step: τ, λ: λ, into: w + r * d)
          }
        }
      }
    }
    return norms
  }
}

/// Where an inner method stands: a primal point of the restricted problem and a dual one, not yet scaled.
struct RestrictedIterate<Element: Scalar>: Sendable {
  /// W: one row for each group of the working set, and the norms of its rows.
  var coefficients: Matrix<Element>
  var coefficientNorms: [Element]
  /// F = A W.
  var predictions: Matrix<Element>
  /// θ = −∇ℓ at some predictions, and A_rᵀθ for each group of the working set.
  var θ: Matrix<Element>
  var adjoint: Matrix<Element>
  /// With cones: the last projections of points near the coefficients.
  var projections: [ConeProjection<Element>?]

  /// The point W = 0 with the working set's rows.
  init(groups: Int, width: Int, samples: Int, outputs: Int) {
    coefficients = Matrix(groups, width)
    coefficientNorms = [Element](repeating: 0, count: groups)
    predictions = Matrix(samples, outputs)
    θ = Matrix(samples, outputs)
    adjoint = Matrix(groups, width)
    projections = [ConeProjection<Element>?](repeating: nil, count: groups)
  }
}

/// A method for the restricted problem, one iteration at a time.
protocol RestrictedMethod<Element> {
  associatedtype Element: Scalar
  var iterate: RestrictedIterate<Element> { get }
  mutating func step() -> StepOutcome
}
