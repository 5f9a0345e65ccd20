import ConvexOptimization
import LinearAlgebra

/// Value and gradient of the ordinary training objective of a two-layer ReLU network in its weights, laid out as
/// `NeuronPanels` says:
///
///     ℓ(F) + (λ/2) Σ_i (‖w_i‖² + a_i²),   F_j = S Σ_{i: output j} a_i (X w_i)₊,
///
/// S the sums over the rows of each sample, mostly the identity. With r = Sᵀ∇ℓ(F) and h_i = Xᵀ D_i r the gradients are
/// a_i h_i + λ w_i and w_iᵀh_i + λ a_i.
///
/// Samples are cut into tiles that depend on the sizes only; each tile has a sum of its own, and these are added in
/// the order of the tiles: the same bits for any number of threads. Memory: a byte for each sample and neuron.
/// Cost of an evaluation: 4 n d m.
package struct WeightGradient {
  package let panels: NeuronPanels
  private let x: Matrix<Double>
  private let pooling: RowSums
  private let loss: any Loss<Double>
  private let λ: Double
  private let tileSize: Int
  private let tiles: Int
  /// −1 where a row is on a neuron's active side: panels × rows × lanes for each tile.
  private var signs: [Int8]
  /// Outputs of the rows of X before they are summed, and Sᵀ∇ℓ(F).
  private var rowOutputs: Matrix<Double>
  private var slopes: Matrix<Double>
  /// h_i summed over each tile's rows.
  private var images: [Double]

  package init(
    x: Matrix<Double>, loss: any Loss<Double>, λ: Double, panels: NeuronPanels, pooling: RowSums = .identity
  ) {
    (self.x, self.loss, self.λ, self.panels, self.pooling) = (x, loss, λ, panels, pooling)
    tileSize = Self.tileSize(x, width: panels.width)
    tiles = Parallel.tiles(of: tileSize, covering: x.rows)
    signs = [Int8](repeating: 0, count: x.rows * panels.width)
    rowOutputs = Matrix(x.rows, loss.outputs)
    slopes = rowOutputs
    images = [Double](repeating: 0, count: max(tiles, 1) * panels.width * x.columns)
  }

  private static func tileSize(_ x: Matrix<Double>, width: Int) -> Int {
    x.count * width < 400_000 ? max(x.rows, 1) : max(128, (x.rows + 127) / 128 * 8)
  }

  /// Bytes that it takes for neurons on so many lanes, beside X: signs, images, predictions and slopes.
  static func bytes(_ x: Matrix<Double>, outputs: Int, width: Int) -> Int {
    let tiles = max(1, Parallel.tiles(of: tileSize(x, width: width), covering: x.rows))
    return x.rows * width + MemoryLayout<Double>.size * (tiles * width * x.columns + 2 * x.rows * outputs)
  }

  /// The objective at `weights`; its gradient goes into an array as long as them.
  package mutating func value(at weights: [Double], into gradient: inout [Double]) -> Double {
    forward(weights)
    let predictions = pooling(rowOutputs)
    var gradientOfLoss = Matrix<Double>(loss.samples, loss.outputs)
    let lossValue = loss.gradient(at: predictions, into: &gradientOfLoss)
    slopes = pooling.adjoint(gradientOfLoss)
    backward()
    addTiles()
    finish(weights, &gradient)
    let squares = weights.withPointer { Double.dot(weights.count, $0, $0) }
    return lossValue + λ / 2 * squares
  }

  private mutating func forward(_ weights: [Double]) {
    let (d, c, n, size, layout) = (x.columns, loss.outputs, x.rows, tileSize, panels)
    let (x, tiles) = (x, tiles)
    signs.withMutablePointer { signs in
      withPointers(x, x, &rowOutputs.storage) { x, _, f in
        weights.withPointer { w in
          layout.outputs.withPointer { outputs in
            Parallel.forEach(tiles: tiles) { tile in
              let rows = Parallel.range(ofTile: tile, size: size, count: n)
              RectifiedProducts.forward(
                x: x + rows.lowerBound * d, n: rows.count, d: d, vectors: w, scales: w + layout.width * d,
                outputs: outputs, panels: layout.panels, c: c, predictions: f + rows.lowerBound * c,
                signs: signs + rows.lowerBound * layout.width)
            }
          }
        }
      }
    }
  }

  private mutating func backward() {
    let (d, c, n, size, layout) = (x.columns, loss.outputs, x.rows, tileSize, panels)
    let (x, tiles, slopes, signs) = (x, tiles, slopes, signs)
    withPointers(x, slopes, &images) { x, r, images in
      signs.withPointer { signs in
        layout.outputs.withPointer { outputs in
          Parallel.forEach(tiles: tiles) { tile in
            let rows = Parallel.range(ofTile: tile, size: size, count: n)
            RectifiedProducts.backward(
              x: x + rows.lowerBound * d, n: rows.count, d: d, slopes: r + rows.lowerBound * c,
              outputs: outputs,
              panels: layout.panels, c: c, signs: signs + rows.lowerBound * layout.width,
              images: images + tile * layout.width * d)
          }
        }
      }
    }
  }

  /// Adds the images of all tiles to those of the first.
  private mutating func addTiles() {
    let (length, tiles) = (panels.width * x.columns, tiles)
    images.withMutablePointer { images in
      for tile in 1..<max(tiles, 1) { Double.axpy(length, 1, images + tile * length, images) }
    }
  }

  /// ∂w = a h + λ w and ∂a = wᵀh + λ a, lane by lane.
  private func finish(_ weights: [Double], _ gradient: inout [Double]) {
    let (d, width, lanes) = (x.columns, panels.width, RectifiedProducts.lanes)
    gradient.withMutablePointer { gradient in
      weights.withPointer { weights in
        images.withPointer { images in
          let (a, slope) = (weights + width * d, gradient + width * d)
          for l in 0..<width { slope[l] = λ * a[l] }
          for panel in 0..<panels.panels {
            let (a, slope) = (a + panel * lanes, slope + panel * lanes)
            for j in 0..<d {
              let row = (panel * d + j) * lanes
              for l in 0..<lanes {
                let (w, h) = (weights[row + l], images[row + l])
                gradient[row + l] = a[l] * h + λ * w
                slope[l] += w * h
              }
            }
          }
        }
      }
    }
  }
}
