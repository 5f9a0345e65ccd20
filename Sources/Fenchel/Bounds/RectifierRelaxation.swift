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
/// These conditions alone, with F = ½Σ_σ σ(X w + t) and the penalty λτ, bound every network from below; where the neurons
/// are parted by cones of directions, each part has its own w, W and t, and tighter conditions on them (`RelaxedPiece`).
/// They are written as W = V Vᵀ, w = V u with k columns (Burer & Monteiro 2003) and the penalty (λ/2)(‖V‖² + ‖u‖²), which
/// equals λτ at its least over the scales of V and u; F_ij lies in an interval, in which the loss takes its least
/// value. Edges are rounded with a width ε; minimised by L-BFGS while ε falls. Nothing of this is a proof: the
/// bound comes from `BoundMultipliers` alone.
///
/// Cost of an evaluation: 4 n d k a piece. Held: a matrix of n × (k + 10) a piece.
package struct RectifierRelaxation {
  let x: Matrix<Double>
  /// The loss, or what replaces one with kinks: its Moreau envelope, made anew for every width ε.
  private var loss: any SmoothFunction<Double>
  /// Where each loss is least in each entry alone, ±∞ where it falls for ever.
  let minimisers: Matrix<Double>
  let λ: Double
  /// Sums over the rows of X that a sample has: F is summed, and θ stands for all rows of a sample.
  let pooling: RowSums
  /// k.
  let width: Int
  private(set) var ε = 0.03
  var pieces: [RelaxedPiece]
  /// F of the last evaluation, the points of the intervals nearest to the minimisers, and ∇ℓ there.
  private var predictions: Matrix<Double>
  private var slopes: Matrix<Double>

  /// - Parameter cones: of directions; both signs of every output have a piece for each.
  package init(
    x: Matrix<Double>, loss: any SmoothFunction<Double>, minimisers: Matrix<Double>, λ: Double,
    pooling: RowSums = .identity,
    cones: [DirectionCone] = [DirectionCone()]
  ) {
    (self.x, self.loss, self.minimisers, self.λ) = (x, loss, minimisers, λ)
    self.pooling = pooling
    let k = min(x.columns + 1, Self.mostColumns)
    width = k
    pieces = (0..<minimisers.columns).flatMap { j in
      [1.0, -1.0].flatMap { sign in
        cones.map { RelaxedPiece(output: j, sign: sign, cone: $0, x: x, width: k) }
      }
    }
    predictions = Matrix(minimisers.rows, minimisers.columns)
    slopes = predictions
  }

  /// Length of the V and u of a piece.
  var pieceLength: Int { RelaxedPiece.dimension(features: x.columns, width: width) }

  /// A random start with penalty `size`.
  package func start(seed: UInt64, size: Double) -> [Double] {
    let values: Matrix<Double> = Philox(seed: seed).normalMatrix(1, pieces.count * pieceLength)
    let norm = values.frobeniusNorm
    return values.storage.map { $0 * (2 * size / λ).squareRoot() / max(norm, 1e-300) }
  }

  /// Goes on with another width of the roundings, and a loss of that smoothness.
  package mutating func round(by ε: Double, loss: any SmoothFunction<Double>) {
    (self.ε, self.loss) = (ε, loss)
  }

  /// Multiplications of an evaluation a piece, and bytes held for it.
  static func work(_ x: Matrix<Double>) -> Double {
    4 * Double(x.count) * Double(min(x.columns + 1, mostColumns))
  }
  static func bytes(_ x: Matrix<Double>) -> Int {
    x.rows * (min(x.columns + 1, mostColumns) + 16) * MemoryLayout<Double>.size
  }

  /// The largest k.
  private static var mostColumns: Int { 14 }

  /// The objective at V and u of all pieces, one after another, and its gradient.
  package mutating func value(at point: [Double], into gradient: inout [Double]) -> Double {
    let (count, length, n, c) = (pieces.count, pieceLength, x.rows, minimisers.columns)
    let (x, ε, λ, pooling) = (x, ε, λ, pooling)
    // Two sections side by side for each of hundreds of evaluations: below some million multiplications threads only wait.
    let work = n * x.columns * width * count / 16
    pieces.withMutablePointer { pieces in
      point.withPointer { point in
        Parallel.forEach(tiles: count, work: work) {
          pieces[$0].evaluate(x, at: point + $0 * length, rounding: ε)
        }
      }
    }
    let isFree = place()
    let (lossValue, slopes) = (loss.gradient(at: predictions, into: &self.slopes), self.slopes)
    pieces.withMutablePointer { pieces in
      point.withPointer { point in
        gradient.withMutablePointer { gradient in
          Parallel.forEach(tiles: count, work: work) { tile in
            let (j, σ) = (pieces[tile].output, pieces[tile].sign)
            let θ = (0..<n).map { row in
              let k = row / pooling.size
              return isFree[k * c + j] ? 0 : -σ * slopes[k, j]
            }
            θ.withPointer {
              pieces[tile].gradient(
                of: $0, penalty: λ, x, at: point + tile * length, into: gradient + tile * length)
            }
          }
        }
      }
    }
    let squares = point.withPointer { Double.dot(point.count, $0, $0) }
    return lossValue + λ / 2 * squares
  }

  /// Puts F into its intervals; says where an interval holds a minimiser, so that its ends do not matter.
  private mutating func place() -> [Bool] {
    let (n, c) = (minimisers.rows, minimisers.columns)
    var (lower, upper) = (Matrix<Double>(n, c), Matrix<Double>(n, c))
    for piece in pieces {
      let (j, isPositive) = (piece.output, piece.sign > 0)
      let (rows, size) = (x.rows, pooling.size)
      lower.withMutablePointer { lower in
        upper.withMutablePointer { upper in
          piece.intervals.withEnds { z, lows, highs in
            for row in 0..<rows {
              let i = row / size * c + j
              let (low, high) = ((z[row] + lows[row]) / 2, (z[row] + highs[row]) / 2)
              lower[i] += isPositive ? low : -high
              upper[i] += isPositive ? high : -low
            }
          }
        }
      }
    }
    var isFree = [Bool](repeating: false, count: n * c)
    for i in 0..<n * c {
      let (best, low, high) = (minimisers.storage[i], lower.storage[i], upper.storage[i])
      isFree[i] = best >= low && best <= high
      lower.storage[i] = best < low ? low : best > high ? high : best
    }
    predictions = lower
    return isFree
  }

  /// The dual point of the last evaluation.
  var θ: Matrix<Double> {
    var result = slopes
    result.scale(by: -1)
    return result
  }

  /// The dual point and multipliers of the last evaluation.
  var multipliers: BoundMultipliers {
    let θ = θ
    let spread = pooling.adjoint(θ)
    return BoundMultipliers(θ: θ, pieces: pieces.map { $0.multipliers(θ: spread) })
  }
}
