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
  /// The augmented weights of the layer above, (p + 1) × q with bias.
  let weights: Matrix<Element>
  let hasBias: Bool
  let penalty: any LayerPenalty<Element>
  let λ: Element
  /// U: n × p.
  package let u: Matrix<Element>
  /// A bound on the curvature of f(Z W + 1 bᵀ) in Z.
  private let curvature: Element

  package init(
    fit: LayerFit<Element>, weights: Matrix<Element>, hasBias: Bool, penalty: any LayerPenalty<Element>,
    weight λ: Element, toward u: Matrix<Element>
  ) {
    (self.fit, self.weights, self.hasBias) = (fit, weights, hasBias)
    (self.penalty, self.λ, self.u) = (penalty, λ, u)
    curvature = fit.smoothness * squaredNorm(weights, rows: u.columns)
  }

  package func image(of z: Matrix<Element>) -> Matrix<Element> {
    var t = Matrix<Element>(z.rows, weights.columns)
    affine(z, weights, hasBias: hasBias, into: &t)
    return t
  }

  /// G Wᵀ.
  package func pullBack(_ gradient: Matrix<Element>) -> Matrix<Element> {
    var result = Matrix<Element>(gradient.rows, u.columns)
    let (n, p, q) = (u.rows, u.columns, weights.columns)
    withPointers(gradient, weights, &result.storage) { g, w, z in
      Parallel.gemm(
        .no, .yes, m: n, n: p, k: q, alpha: 1, a: g, lda: q, b: w, ldb: q, beta: 0, c: z, ldc: p)
    }
    return result
  }

  package func remainder(_ z: Matrix<Element>) -> Element { λ * penalty.value(z, u) }

  /// prox of (λ/L) D(·, U) at Y − G/L.
  package func majorantMinimiser(at y: Matrix<Element>, slope: Matrix<Element>) -> Matrix<Element> {
    guard curvature > 0 else {
      var (argument, z) = (u, u)
      penalty.shift(&argument, weight: λ, against: slope)
      penalty.divergence.activate(argument, into: &z)
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
  package func solve(from start: Matrix<Element>, tolerance: Element, maximumSteps: Int) -> Matrix<Element> {
    if let newton = OutputNewton(self) {
      let z = newton.minimise(from: start, tolerance: tolerance, maximumSteps: 40)
      if value(z) <= value(start) { return z }
    }
    return minimise(from: start, tolerance: tolerance, maximumSteps: maximumSteps)
  }
}

/// A bound on ‖W‖₂² for the first rows of W: the largest eigenvalue of the smaller Gram matrix, and what rounding may
/// have taken from it.
private func squaredNorm<Element: Scalar>(_ w: Matrix<Element>, rows: Int) -> Element {
  let matrix = rows == w.rows ? w : Matrix(rows, w.columns, storage: Array(w.storage[..<(rows * w.columns)]))
  let gram = gramMatrix(matrix, matrix.rows <= matrix.columns ? .no : .yes)
  guard let eigen = try? SymmetricEigen(gram), let largest = eigen.values.last else {
    return matrix.inner(matrix)
  }
  return largest * (1 + 64 * Element.ulpOfOne * Element(gram.rows))
}
