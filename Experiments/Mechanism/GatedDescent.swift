import ConvexOptimization
import Fenchel
import LinearAlgebra

/// Images as a gated network's outputs are linear in: (1[x̃ᵀg_1 > 0] x̃, …, 1[x̃ᵀg_P > 0] x̃) with x̃ = (x, 1), made batch by
/// batch.
struct GatedSamples: SampleSource {
  private var inner: MemorySamples<Float>
  /// P × (d + 1).
  private let gates: Matrix<Float>
  private var gathered = Matrix<Float>(0, 0)

  init(_ inner: MemorySamples<Float>, gates: Matrix<Float>) { (self.inner, self.gates) = (inner, gates) }

  var samples: Int { inner.samples }
  var features: Int { gates.count }
  var outputs: Int { inner.outputs }
  var mass: Double { inner.mass }

  mutating func batch(_ samples: ArraySlice<Int>) -> Batch<Float> {
    let batch = inner.batch(samples)
    let (n, d, p) = (batch.x.rows, gates.columns, gates.rows)
    var x = Matrix<Float>(n, d, fill: 1)
    batch.x.withPointer { plain in
      x.withMutablePointer { x in
        for k in 0..<n {
          let row = x + k * d
          row.update(from: plain + k * (d - 1), count: d - 1)
        }
      }
    }
    let signs = matrixProduct(x, .no, gates, .yes)
    if gathered.rows != n { gathered = Matrix(n, p * d) }
    withPointers(x, signs, &gathered.storage) { x, signs, z in
      for k in 0..<n {
        for i in 0..<p {
          let block = z + (k * p + i) * d
          if signs[k * p + i] > 0 {
            block.update(from: x + k * d, count: d)
          } else {
            block.update(repeating: 0, count: d)
          }
        }
      }
    }
    return Batch(x: gathered, loss: batch.loss, mass: batch.mass)
  }
}

/// Adam on the objective of the gated program itself, as the papers train theirs: the mean loss of a batch and λ/n Σ‖w_ij‖, with
/// a subgradient where a group is zero.
struct GatedDescent: BatchMethod {
  /// λ/n.
  private let penalty: Float
  /// Entries of a group.
  private let width: Int
  private var rule = Adam<Float>()
  private var backpropagation: Backpropagation<Float>
  private var gradient: [Matrix<Float>]
  private var previous: [Matrix<Float>]

  init(for network: FeedForward<Float>, groupWidth: Int, penalty: Double) throws {
    (width, self.penalty) = (groupWidth, Float(penalty))
    backpropagation = try Backpropagation(network.activations)
    (gradient, previous) = (network.weights, network.weights)
  }

  mutating func step(
    _ network: inout FeedForward<Float>, on batch: Batch<Float>, learningRate: Double
  ) -> BatchStep {
    let mean = backpropagation.gradient(
      of: network, batch.x, loss: batch.loss, scale: Float(1 / batch.mass), into: &gradient)
    let loss = Double(mean) * batch.mass
    guard mean.isFinite else { return BatchStep(loss: loss, outcome: .failed) }
    addPenaltySlope(of: network.weights[0])
    let isFinite = rule.update(
      &network.weights, previous: &previous, gradient: gradient, learningRate: learningRate)
    if !isFinite { swap(&network.weights, &previous) }
    return BatchStep(loss: loss, outcome: isFinite ? .advanced : .failed)
  }

  private mutating func addPenaltySlope(of w: Matrix<Float>) {
    let (c, size, penalty) = (w.columns, width * w.columns, penalty)
    let groups = w.rows / width
    let width = width
    w.withPointer { all in
      gradient[0].withMutablePointer { slopes in
        var factors = [Float](repeating: 0, count: c)
        for i in 0..<groups {
          let (w, slope) = (all + i * size, slopes + i * size)
          for j in 0..<c { factors[j] = 0 }
          for t in 0..<width { for j in 0..<c { factors[j] += w[t * c + j] * w[t * c + j] } }
          for j in 0..<c { factors[j] = factors[j] > 0 ? penalty / factors[j].squareRoot() : 0 }
          for t in 0..<width { for j in 0..<c { slope[t * c + j] += factors[j] * w[t * c + j] } }
        }
      }
    }
  }

  mutating func transfer(_ state: inout StateTransfer) throws { try state.carry("rule", &rule) }
}
