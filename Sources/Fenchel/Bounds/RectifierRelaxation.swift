import ConvexOptimization
import LinearAlgebra

/// A relaxation of training over two-layer ReLU networks of any width, whose minimiser knows a dual point and the
/// multipliers of a lower bound.
///
/// The neurons of a sign and output, w₁, w₂, …, enter the network through X Σ w_m and the |x_iᵀw_m| alone. With
/// τ = Σ‖w_m‖, w = Σ w_m, W = Σ w_m w_mᵀ/‖w_m‖ the matrix [τ wᵀ; w W] is positive semidefinite, tr W = τ, and
///
///     t_i = Σ_m |x_iᵀw_m|,   max(|x_iᵀw|, x_iᵀW x_i/‖x_i‖) ≤ t_i ≤ √(τ x_iᵀW x_i).
///
/// These conditions alone, with F = ½Σ_σ σ(X w + t) and the penalty λτ, bound every network from below. They are
/// written as W = V Vᵀ, w = V u with k columns (Burer & Monteiro 2003) and the penalty (λ/2)(‖V‖² + ‖u‖²), which
/// equals λτ at its least over the scales of V and u; F_ij lies in an interval, in which the loss takes its least
/// value. Edges are rounded with a width ε; minimised by L-BFGS while ε falls. Nothing of this is a proof: the
/// bound comes from `BoundMultipliers` alone.
///
/// Cost of an evaluation: 8 n d k c. Held: 2c matrices of n × k.
package struct RectifierRelaxation {
  let x: Matrix<Double>
  /// The loss, or what replaces one with kinks: its Moreau envelope, made anew for every width ε.
  private var loss: any SmoothFunction<Double>
  /// Where each loss is least in each entry alone, ±∞ where it falls for ever.
  let minimisers: Matrix<Double>
  let λ: Double
  /// k.
  let width: Int
  private let inverseNorms: [Double]
  private(set) var ε = 0.03
  private var blocks: [Block]
  private var predictions: Matrix<Double>
  private var slopes: Matrix<Double>
  /// −1, 0, 1: F_ij is the lower end of its interval, inside or the upper end.
  private var places: [Int8]

  /// What belongs to the neurons of an output and sign.
  private struct Block {
    /// (X V)ᵀ: k × n.
    var images: Matrix<Double>
    /// Five rows of n numbers: X w, √(x_iᵀW x_i), the lower ends of t, their slopes in |x_iᵀw|, and those of |x_iᵀw|
    /// in x_iᵀw, all as they are rounded.
    var samples: Matrix<Double>
    /// ‖V‖, ‖u‖.
    var (vectorNorm, weightNorm) = (0.0, 0.0)

    init(samples n: Int, width k: Int) {
      images = Matrix(k, n)
      samples = Matrix(5, n)
    }
  }

  package init(x: Matrix<Double>, loss: any SmoothFunction<Double>, minimisers: Matrix<Double>, λ: Double) {
    (self.x, self.loss, self.minimisers, self.λ) = (x, loss, minimisers, λ)
    width = min(x.columns + 1, Self.mostColumns)
    inverseNorms = x.rowNorms.map { $0 > 0 ? 1 / $0 : 0 }
    let c = minimisers.columns
    blocks = [Block](repeating: Block(samples: x.rows, width: width), count: 2 * c)
    predictions = Matrix(x.rows, c)
    slopes = predictions
    places = [Int8](repeating: 0, count: predictions.count)
  }

  private var blockLength: Int { width * (x.columns + 1) }
  /// Length of the vector of all V and u.
  var dimension: Int { blocks.count * blockLength }

  /// A random start with penalty `size`.
  package func start(seed: UInt64, size: Double) -> [Double] {
    let values: Matrix<Double> = Philox(seed: seed).normalMatrix(1, dimension)
    let norm = values.frobeniusNorm
    return values.storage.map { $0 * (2 * size / λ).squareRoot() / max(norm, 1e-300) }
  }

  /// Goes on with another width of the roundings, and a loss of that smoothness.
  package mutating func round(by ε: Double, loss: any SmoothFunction<Double>) {
    (self.ε, self.loss) = (ε, loss)
  }

  /// Multiplications of an evaluation, and bytes held.
  static func work(_ x: Matrix<Double>, outputs c: Int) -> Double {
    8 * Double(x.count) * Double(min(x.columns + 1, mostColumns) * c)
  }
  static func bytes(_ x: Matrix<Double>, outputs c: Int) -> Int {
    2 * c * x.rows * (min(x.columns + 1, mostColumns) + 5) * MemoryLayout<Double>.size
  }

  /// The largest k.
  private static var mostColumns: Int { 14 }

  /// The objective at V and u of all blocks, and its gradient.
  package mutating func value(at point: [Double], into gradient: inout [Double]) -> Double {
    let count = blocks.count
    let (n, length) = (x.rows, blockLength)
    let work = n * x.columns * width * count
    var own = [Block]()
    swap(&own, &blocks)
    own.withMutablePointer { own in
      point.withPointer { point in
        Parallel.forEach(tiles: count, work: work) { forward(&own[$0], point + $0 * length) }
      }
    }
    swap(&own, &blocks)
    placePredictions()
    let lossValue = loss.gradient(at: predictions, into: &slopes)
    swap(&own, &blocks)
    own.withMutablePointer { own in
      point.withPointer { point in
        gradient.withMutablePointer { gradient in
          Parallel.forEach(tiles: count, work: work) {
            backward(
              &own[$0], output: $0 / 2, sign: $0 % 2 == 0 ? 1 : -1, point + $0 * length,
              gradient + $0 * length)
          }
        }
      }
    }
    swap(&own, &blocks)
    let squares = point.withPointer { Double.dot(point.count, $0, $0) }
    return lossValue + λ / 2 * squares
  }

  private func forward(_ block: inout Block, _ v: UnsafePointer<Double>) {
    let (n, d, k, ε) = (x.rows, x.columns, width, ε)
    let u = v + k * d
    (block.vectorNorm, block.weightNorm) = (Double.norm2(k * d, v), Double.norm2(k, u))
    let (ν, ratio) = (block.weightNorm, block.weightNorm / max(block.vectorNorm, 1e-150))
    block.images.withMutablePointer { g in
      withPointers(x, x, &block.samples.storage) { x, _, z in
        let (q, low, share, slope) = (z + n, z + 2 * n, z + 3 * n, z + 4 * n)
        Double.gemm(.no, .yes, m: k, n: n, k: d, alpha: 1, a: v, lda: d, b: x, ldb: d, beta: 0, c: g, ldc: n)
        Double.gemv(.yes, m: k, n: n, alpha: 1, a: g, lda: n, x: u, beta: 0, y: z)
        q.update(repeating: 1e-300, count: n)
        for l in 0..<k {
          let row = g + l * n
          for i in 0..<n { q[i] += row[i] * row[i] }
        }
        inverseNorms.withPointer { inverse in
          for i in 0..<n {
            let root = q[i].squareRoot()
            let edge = ε * root * ν + 1e-300
            let rounded = (z[i] * z[i] + edge * edge).squareRoot()
            let (a, b) = (rounded - edge, q[i] * ratio * inverse[i])
            let gap = a - b
            let width = (gap * gap + edge * edge).squareRoot()
            q[i] = root
            low[i] = (a + b + width - edge) / 2
            share[i] = (1 + gap / width) / 2
            slope[i] = z[i] / rounded
          }
        }
      }
    }
  }

  /// F: the points of the intervals nearest to the minimisers.
  private mutating func placePredictions() {
    let c = minimisers.columns
    let (n, minimisers) = (x.rows, minimisers)
    var (f, places) = (predictions, [Int8]())
    swap(&places, &self.places)
    for j in 0..<c {
      let (νPlus, νMinus) = (blocks[2 * j].weightNorm, blocks[2 * j + 1].weightNorm)
      withPointers(blocks[2 * j].samples, blocks[2 * j + 1].samples, &f.storage) { plus, minus, f in
        for i in 0..<n {
          let difference = plus[i] - minus[i]
          let lower = 0.5 * (difference + plus[2 * n + i] - minus[n + i] * νMinus)
          let upper = 0.5 * (difference + plus[n + i] * νPlus - minus[2 * n + i])
          let best = minimisers[i, j]
          let place = best < lower ? -1 : best > upper ? 1 : 0
          places[i * c + j] = Int8(place)
          f[i * c + j] = place < 0 ? lower : place > 0 ? upper : best
        }
      }
    }
    (self.places, predictions) = (places, f)
  }

  private func backward(
    _ block: inout Block, output j: Int, sign σ: Double, _ v: UnsafePointer<Double>,
    _ gradient: UnsafeMutablePointer<Double>
  ) {
    let (n, d, k, c) = (x.rows, x.columns, width, minimisers.columns)
    let u = v + k * d
    let (ν, size) = (block.weightNorm, max(block.vectorNorm, 1e-150))
    var (growth, shrink) = (0.0, 0.0)
    withTemporary(Double.self, 2 * n) { dz in
      let m = dz + n
      withPointers(x, block.samples, &block.images.storage) { x, samples, g in
        for i in 0..<n {
          let (place, r) = (places[i * c + j], σ * slopes[i, j] / 2)
          let isHigh = (place > 0) == (σ > 0)
          let (whole, high, low) = place == 0 ? (0, 0, 0) : (r, isHigh ? r : 0, isHigh ? 0 : r)
          let (q, share, slope) = (samples[n + i], samples[3 * n + i], samples[4 * n + i])
          // The widths of both roundings are ε times the upper end.
          let spread = 2 * share - 1
          let blur =
            share * ((1 - slope * slope).squareRoot() - 1) + ((1 - spread * spread).squareRoot() - 1) / 2
          let upper = high + low * ε * blur
          let ratio = low * (1 - share) * inverseNorms[i] / size
          dz[i] = whole + low * share * slope
          m[i] = ν * (upper / q + 2 * ratio)
          growth += q * (upper + ratio * q)
          shrink += ratio * q * q * ν / (size * size)
        }
        Double.gemv(.no, m: k, n: n, alpha: 1, a: g, lda: n, x: dz, beta: 0, y: gradient + k * d)
        for l in 0..<k {
          gradient[k * d + l] += u[l] * (λ + growth / max(ν, 1e-150))
          let (row, factor) = (g + l * n, u[l])
          for i in 0..<n { row[i] = row[i] * m[i] + factor * dz[i] }
        }
        Double.gemm(
          .no, .no, m: k, n: d, k: n, alpha: 1, a: g, lda: n, b: x, ldb: d, beta: 0, c: gradient, ldc: d)
      }
    }
    Double.axpy(k * d, λ - shrink, v, gradient)
  }

  /// The dual point and multipliers of the last evaluation.
  func multipliers() -> BoundMultipliers {
    let (n, c) = (x.rows, minimisers.columns)
    var result = BoundMultipliers(samples: n, outputs: c)
    for j in 0..<c {
      for i in 0..<n {
        let θ = -slopes[i, j]
        result.θ[i, j] = θ
        let (rising, falling) =
          θ > 0 ? (blocks[2 * j], blocks[2 * j + 1]) : (blocks[2 * j + 1], blocks[2 * j])
        result.widths[i, j] = rising.samples[1, i] / max(rising.vectorNorm, 1e-300)
        result.slopes[i, j] = falling.samples[3, i] * falling.samples[4, i]
        result.curvatures[i, j] = 1 - falling.samples[3, i]
      }
    }
    return result
  }
}
