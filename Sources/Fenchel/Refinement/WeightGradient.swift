import ConvexOptimization
import LinearAlgebra

/// Value and gradient of the ordinary training objective of a two-layer ReLU network in its weights
/// (w_1, …, w_m, a_1, …, a_m), neuron i feeding output `outputs[i]`.
///
/// Samples are cut into a fixed number of tiles; each tile adds to a gradient of its own, and these are added in
/// the order of the tiles: the same bits for any number of threads.
struct WeightGradient {
  private let x: Matrix<Double>
  private let loss: any Loss<Double>
  private let λ: Double
  private let outputs: [Int]
  private let tileSize: Int
  private let tiles: Int
  /// X Wᵀ, then ∂/∂Z: n × m.
  private var activations: [Double]
  private var predictions: Matrix<Double>
  private var slopes: Matrix<Double>
  private var partial: [Double]

  init(x: Matrix<Double>, loss: any Loss<Double>, λ: Double, outputs: [Int]) {
    (self.x, self.loss, self.λ, self.outputs) = (x, loss, λ, outputs)
    tileSize = max(256, (x.rows + 15) / 16)
    tiles = Parallel.tiles(of: tileSize, covering: x.rows)
    activations = [Double](repeating: 0, count: x.rows * outputs.count)
    predictions = Matrix(x.rows, loss.outputs)
    slopes = predictions
    partial = [Double](repeating: 0, count: tiles * outputs.count * (x.columns + 1))
  }

  /// The objective at `weights`; its gradient goes into an array as long as them.
  mutating func value(at weights: [Double], into gradient: inout [Double]) -> Double {
    forward(weights)
    let lossValue = loss.gradient(at: predictions, into: &slopes)
    backward(weights)
    var squares = 0.0
    let length = weights.count
    gradient.withMutablePointer { gradient in
      weights.withPointer { weights in
        squares = Double.dot(length, weights, weights)
        for i in 0..<length { gradient[i] = λ * weights[i] }
        partial.withPointer { partial in
          for tile in 0..<tiles { Double.axpy(length, 1, partial + tile * length, gradient) }
        }
      }
    }
    return lossValue + λ / 2 * squares
  }

  private mutating func forward(_ weights: [Double]) {
    let (d, m, c, n, size) = (x.columns, outputs.count, loss.outputs, x.rows, tileSize)
    let (outputs, tiles, x) = (outputs, tiles, x)
    activations.withMutablePointer { z in
      withPointers(x, Matrix<Double>(0, 0), &predictions.storage) { x, _, f in
        weights.withPointer { w in
          outputs.withPointer { output in
            Parallel.forEach(tiles: tiles, work: n * d * m) { tile in
              let rows = Parallel.range(ofTile: tile, size: size, count: n)
              let z = z + rows.lowerBound * m
              Double.gemm(
                .no, .yes, m: rows.count, n: m, k: d, alpha: 1, a: x + rows.lowerBound * d, lda: max(d, 1),
                b: w, ldb: max(d, 1), beta: 0, c: z, ldc: max(m, 1))
              let a = w + m * d
              for k in 0..<rows.count {
                let (row, prediction) = (z + k * m, f + (rows.lowerBound + k) * c)
                prediction.update(repeating: 0, count: c)
                for i in 0..<m { prediction[output[i]] += a[i] * max(row[i], 0) }
              }
            }
          }
        }
      }
    }
  }

  private mutating func backward(_ weights: [Double]) {
    let (d, m, c, n, size) = (x.columns, outputs.count, loss.outputs, x.rows, tileSize)
    let (outputs, tiles, x) = (outputs, tiles, x)
    activations.withMutablePointer { z in
      withPointers(x, slopes, &partial) { x, r, partial in
        weights.withPointer { w in
          outputs.withPointer { output in
            Parallel.forEach(tiles: tiles, work: n * d * m) { tile in
              let rows = Parallel.range(ofTile: tile, size: size, count: n)
              let gradient = partial + tile * m * (d + 1)
              let (a, gradientA) = (w + m * d, gradient + m * d)
              let z = z + rows.lowerBound * m
              gradientA.update(repeating: 0, count: m)
              for k in 0..<rows.count {
                let (row, slope) = (z + k * m, r + (rows.lowerBound + k) * c)
                for i in 0..<m {
                  let s = slope[output[i]]
                  let isActive = row[i] > 0
                  gradientA[i] += isActive ? s * row[i] : 0
                  row[i] = isActive ? s * a[i] : 0
                }
              }
              Double.gemm(
                .yes, .no, m: m, n: d, k: rows.count, alpha: 1, a: z, lda: max(m, 1),
                b: x + rows.lowerBound * d, ldb: max(d, 1), beta: 0, c: gradient, ldc: max(d, 1))
            }
          }
        }
      }
    }
  }
}
