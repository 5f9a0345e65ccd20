import ConvexOptimization
import Fenchel
import LinearAlgebra

/// A network with a polynomial activation, trained by gradients on its own weights:
///
///     ℓ(Σ_j α_j σ(X w_j)) + λ Σ_j |α_j|,   ‖w_j‖ = 1,   σ(t) = a t² + b t + c.
///
/// A step goes against the slope of the loss; then |α_j| shrinks by λ's share, and w_j is taken back to norm one.
struct PolynomialDescent: DescentModel {
  private let data: RegressionSamples
  private let loss: SquaredLoss<Double>
  private let λ: Double
  private let activation: Polynomial
  /// W: d × m.
  private(set) var w: Matrix<Double>
  /// α: m × 1.
  private(set) var α: Matrix<Double>

  /// Directions of N(0, I) and α ~ N(0, 1/m).
  init(
    _ data: RegressionSamples, λ: Double, activation: Polynomial, neurons m: Int, seed: UInt64
  ) throws {
    (self.data, self.λ, self.activation) = (data, λ, activation)
    loss = try data.loss
    w = Philox(seed: seed, stream: 0).normalMatrix(data.x.columns, m)
    α = Philox(seed: seed, stream: 1).normalMatrix(m, 1)
    α.scale(by: 1 / Double(m).squareRoot())
    normalise()
  }

  var samples: Int { data.count }

  var objective: Double {
    let f = matrixProduct(activation.apply(to: matrixProduct(data.x, w)), α)
    return loss.value(at: f) + λ * α.storage.reduce(0) { $0 + abs($1) }
  }

  mutating func step(on batch: ArraySlice<Int>, rate: Double) throws {
    let x = data.x.selectingRows(batch)
    var t = matrixProduct(x, w)
    let h = activation.apply(to: t)
    let f = matrixProduct(h, α)
    var slope = Matrix<Double>(batch.count, 1)
    _ = loss.restricted(toSamples: batch).gradient(at: f, into: &slope)
    // (r αᵀ) ∘ σ′(XW), in the place of XW.
    for k in 0..<t.rows {
      for j in 0..<t.columns {
        t[k, j] = slope[k, 0] * α[j, 0] * (2 * activation.a * t[k, j] + activation.b)
      }
    }
    let step = -rate / Double(batch.count)
    addProduct(h, .yes, slope, to: &α, alpha: step)
    addProduct(x, .yes, t, to: &w, alpha: step)
    let threshold = rate * λ / Double(samples)
    for j in 0..<α.rows {
      let size = abs(α[j, 0]) - threshold
      α[j, 0] = size > 0 ? (α[j, 0] > 0 ? size : -size) : 0
    }
    normalise()
  }

  private mutating func normalise() {
    for j in 0..<w.columns {
      let column = w.column(j)
      let norm = column.reduce(0) { $0 + $1 * $1 }.squareRoot()
      if norm > 0 { w.setColumn(j, column.map { $0 / norm }) }
    }
  }
}
