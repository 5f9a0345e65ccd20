import ConvexOptimization
import LinearAlgebra

/// The block of a hidden layer's outputs in a lifted model:
///
///     min_Z f(Z W + 1 bᵀ) + λ D(Z, U),   Z: n × p, one row a sample
///
/// with the fit f of the layer above, and the pre-activations U of the layer itself (mathematics: X_l and X_L; Gu, Askari
/// & El Ghaoui 2019, eqs. 14 and 16). Samples are independent of each other.
package struct OutputBlock<Element: Scalar>: MajorisedProblem {
  package let fit: LayerFit<Element>
  /// The augmented weights of the layer above, (p + 1) × q with bias where that is dense.
  let weights: Matrix<Element>
  /// How they act on Z.
  let map: LayerMap
  let hasBias: Bool
  let penalty: any LayerPenalty<Element>
  let λ: Element
  /// U: n × p.
  package let u: Matrix<Element>

  package init(
    fit: LayerFit<Element>, weights: Matrix<Element>, map: LayerMap = .dense, hasBias: Bool,
    penalty: any LayerPenalty<Element>, weight λ: Element, toward u: Matrix<Element>
  ) {
    (self.fit, self.weights, self.map, self.hasBias) = (fit, weights, map, hasBias)
    (self.penalty, self.λ, self.u) = (penalty, λ, u)
  }

  package func image(of z: Matrix<Element>) -> Matrix<Element> {
    var t = Matrix<Element>(z.rows, map.outputs(weights.columns))
    map.apply(z, weights, hasBias: hasBias, into: &t)
    return t
  }

  /// A*(G Wᵀ), the adjoint of Z ↦ A(Z) W: of a dense layer G Wᵀ.
  package func pullBack(_ gradient: Matrix<Element>) -> Matrix<Element> {
    var result = Matrix<Element>(gradient.rows, u.columns)
    map.pullBack(gradient, weights, into: &result)
    return result
  }

  /// Z ← Z + α A*(G Wᵀ).
  func addPulled(_ gradient: Matrix<Element>, scaledBy α: Element, to z: inout Matrix<Element>) {
    map.pullBack(gradient, weights, scaledBy: α, adding: true, into: &z)
  }

  package func remainder(_ z: Matrix<Element>) -> Element { λ * penalty.value(z, u) }

  /// L: a bound on the curvature of f(A(Z) W̃) in Z. Cost of an eigenvalue problem of the smaller of p and q; of a
  /// convolution that of 40 images, for an estimate with a margin.
  package func majorant() -> Element { fit.smoothness * squaredNorm }

  /// ‖Z ↦ A(Z) W‖₂².
  private var squaredNorm: Element {
    switch map {
    case .dense: return Fenchel.squaredNorm(weights, rows: u.columns)
    case .averages(let pooling):
      return Fenchel.squaredNorm(weights, rows: pooling.output.count) * Element(pooling.squaredNorm)
    case .convolution(let convolution):
      return ConvolutionOperator(convolution, weights).squaredNormEstimate() * 1.05
    }
  }

  /// prox of (λ/L) D(·, U) at Y − G/L.
  package func minimiser(
    of curvature: Element, at y: Matrix<Element>, slope: Matrix<Element>
  ) -> Matrix<Element> {
    guard curvature > 0 else {
      var z = u
      z.add(-1 / (penalty.curvature * λ), slope)
      penalty.divergence.map(&z)
      return z
    }
    var (x, z) = (y, y)
    x.add(-1 / curvature, slope)
    penalty.prox(of: x, toward: u, weight: λ / curvature, into: &z)
    return z
  }
}

extension OutputBlock {
  /// The minimiser, by Newton's method where it applies and by accelerated majorisation elsewhere; never worse than the
  /// start.
  package func solve(
    from start: Matrix<Element>, tolerance: Element, maximumSteps: Int
  ) throws -> Matrix<Element> {
    guard OutputNewton(self) != nil, start.rows > Self.panel else {
      return try solveTogether(from: start, tolerance: tolerance, maximumSteps: maximumSteps)
    }
    return solveInPanels(from: start, tolerance: tolerance, maximumSteps: maximumSteps)
  }

  /// Samples that are solved together, small enough for the cache: some take many steps, most few.
  private static var panel: Int { 512 }

  /// The samples' problems are independent of each other.
  private func solveInPanels(
    from start: Matrix<Element>, tolerance: Element, maximumSteps: Int
  ) -> Matrix<Element> {
    var result = start
    let (n, p) = (start.rows, start.columns)
    result.withMutablePointer { target in
      Parallel.forEach(tiles: Parallel.tiles(of: Self.panel, covering: n)) { tile in
        let rows = Parallel.range(ofTile: tile, size: Self.panel, count: n)
        let from = start.selectingRows(rows)
        let block = restricted(to: rows)
        let solved =
          (try? block.solveTogether(from: from, tolerance: tolerance, maximumSteps: maximumSteps)) ?? from
        solved.withPointer { (target + rows.lowerBound * p).update(from: $0, count: solved.count) }
      }
    }
    return result
  }

  /// The block of some of the samples of a last layer.
  private func restricted(to rows: Range<Int>) -> OutputBlock {
    var fit = fit
    if case .loss(let loss) = fit { fit = .loss(loss.restricted(toSamples: ArraySlice(rows))) }
    return OutputBlock(
      fit: fit, weights: weights, map: map, hasBias: hasBias, penalty: penalty, weight: λ,
      toward: u.selectingRows(rows)
    )
  }

  private func solveTogether(
    from start: Matrix<Element>, tolerance: Element, maximumSteps: Int
  ) throws -> Matrix<Element> {
    if let newton = OutputNewton(self) {
      let z = newton.minimise(from: start, tolerance: tolerance, maximumSteps: 40)
      if value(z) <= value(start) { return z }
    }
    return try minimise(from: start, tolerance: tolerance, maximumSteps: maximumSteps)
  }

  /// One step from the forward pass, where Z = φ(U) and T is its image: a Newton step in S = T where that applies, and
  /// elsewhere φ(U − c G(L + cWᵀW)⁻¹Wᵀ), c = L/(κλ), G = ∇f(T), L its bound on curvature: Newton's step for
  /// a quadratic fit, were nothing clipped. Through averages P, PPᵀ = σI, it is σWᵀW; through a convolution a step of the
  /// majorant.
  package func singleStep(from t: Matrix<Element>, outputs z: Matrix<Element>) -> Matrix<Element> {
    if let newton = OutputNewton(self) { return newton.singleStep(from: t) }
    var gradient = t
    fit.gradient(at: t, into: &gradient)
    var share: Element = 1
    switch map {
    case .dense: break
    case .averages(let pooling): share = Element(pooling.squaredNorm)
    case .convolution:
      return minimiser(of: majorant(), at: z, slope: pullBack(gradient))
    }
    let c = fit.smoothness / (penalty.curvature * λ)
    let w = weights.firstRows(map.weightRows ?? u.columns)
    var system = gramMatrix(w, .yes)
    system.scale(by: c * share)
    for i in 0..<system.rows { system[i, i] += 1 }
    guard let factor = try? Cholesky(system) else { return z }
    let damped = factor.solve(gradient.transposed).transposed
    var result = u
    addPulled(damped, scaledBy: -1 / (penalty.curvature * λ), to: &result)
    penalty.divergence.map(&result)
    return result
  }
}

/// A bound on ‖W‖₂² for the first rows of W: the largest eigenvalue of the smaller Gram matrix, and what rounding may
/// have taken from it.
private func squaredNorm<Element: Scalar>(_ w: Matrix<Element>, rows: Int) -> Element {
  let matrix = w.firstRows(rows)
  let gram = gramMatrix(matrix, matrix.rows <= matrix.columns ? .no : .yes)
  guard let eigen = try? SymmetricEigen(gram), let largest = eigen.values.last else {
    return matrix.inner(matrix)
  }
  return largest * (1 + 64 * Element.ulpOfOne * Element(gram.rows))
}
