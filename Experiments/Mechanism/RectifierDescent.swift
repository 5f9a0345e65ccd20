import ConvexOptimization
import Fenchel
import LinearAlgebra

/// The ReLU network of a convex program, trained by gradients on its own weights: the same network, the same objective.
///
///     two layers          ℓ(Σ_j (X w_j)₊ v_j) + (λ/2) Σ_j (‖w_j‖² + v_j²)
///     parallel, three     ℓ(Σ_k ((X W_k)₊ w1_k)₊ w2_k) + (λ/2) Σ_k (‖w1_k‖² + w2_k²),   first layers of norm one at most
///
/// of one output. The constant column of a bias is one of X. After each step first layers beyond norm one are taken back
/// to it, so that every objective on the way is one of a network that the program speaks of.
struct RectifierDescent: DescentModel {
  private(set) var network: FeedForward<Double>
  private let x: Matrix<Double>
  private let loss: any Loss<Double>
  private let λ: Double
  private let form: Form
  private var backpropagation: Backpropagation<Double>
  private var gradient: [Matrix<Double>]

  private enum Form {
    case twoLayer
    case parallel(neurons: Int, SubnetworkNorm)
  }

  /// `neurons` neurons, w ~ N(0, 1/d) and v ~ N(0, 1/m).
  static func twoLayer(
    x: Matrix<Double>, loss: any Loss<Double>, λ: Double, neurons m: Int, seed: UInt64
  ) throws -> RectifierDescent {
    let shapes = [(x.columns, m), (m, 1)]
    return try RectifierDescent(x: x, loss: loss, λ: λ, weights: normal(shapes, seed), form: .twoLayer)
  }

  /// `count` sub-networks of m neurons, weights of a layer ~ N(0, 1/inputs), first layers of norm one.
  static func parallel(
    x: Matrix<Double>, loss: any Loss<Double>, λ: Double, subnetworks count: Int, neurons m: Int,
    norm: SubnetworkNorm, seed: UInt64
  ) throws -> RectifierDescent {
    var weights = normal([(x.columns, count * m), (count * m, count), (count, 1)], seed)
    weights[1].scale(by: Double(count).squareRoot())  // a sub-network has m inputs here, not all
    var model = try RectifierDescent(
      x: x, loss: loss, λ: λ, weights: weights, form: .parallel(neurons: m, norm))
    mask(&model.network.weights[1], neurons: m)
    model.normalise(always: true)
    return model
  }

  private init(
    x: Matrix<Double>, loss: any Loss<Double>, λ: Double, weights: [Matrix<Double>], form: Form
  ) throws {
    (self.x, self.loss, self.λ, self.form) = (x, loss, λ, form)
    network = try FeedForward(
      weights: weights, activations: [Activation](repeating: .relu, count: weights.count - 1), hasBias: false)
    backpropagation = try Backpropagation(network.activations)
    gradient = weights
  }

  private static func normal(_ shapes: [(Int, Int)], _ seed: UInt64) -> [Matrix<Double>] {
    shapes.enumerated().map { layer, shape in
      var w: Matrix<Double> = Philox(seed: seed, stream: UInt64(layer)).normalMatrix(shape.0, shape.1)
      w.scale(by: 1 / Double(shape.0).squareRoot())
      return w
    }
  }

  var samples: Int { x.rows }

  /// Layers that weight decay acts on.
  private var decayed: Range<Int> {
    if case .parallel = form { return 1..<network.weights.count }
    return 0..<network.weights.count
  }

  var objective: Double {
    let squares = network.weights[decayed].reduce(0) { $0 + $1.inner($1) }
    return loss.value(at: network.output(x)) + λ / 2 * squares
  }

  mutating func step(on batch: ArraySlice<Int>, rate: Double) throws {
    backpropagation.gradient(
      of: network, x.selectingRows(batch), loss: loss.restricted(toSamples: batch),
      scale: 1 / Double(batch.count), into: &gradient)
    if case .parallel(let m, _) = form { Self.mask(&gradient[1], neurons: m) }
    for l in decayed { gradient[l].add(λ / Double(samples), network.weights[l]) }
    for l in gradient.indices { network.weights[l].add(-rate, gradient[l]) }
    normalise()
  }

  /// Keeps of a second layer what is of a sub-network: neuron j feeds number j/m.
  private static func mask(_ w: inout Matrix<Double>, neurons m: Int) {
    for j in 0..<w.rows { for k in 0..<w.columns where j / m != k { w[j, k] = 0 } }
  }

  /// First layers of norm one at most, or of norm one.
  private mutating func normalise(always: Bool = false) {
    guard case .parallel(let m, let norm) = form else { return }
    let (w, size) = (network.weights[0], norm == .unit ? 1 : m)
    for first in stride(from: 0, to: w.columns, by: size) {
      var square = 0.0
      for i in 0..<w.rows { for j in first..<first + size { square += w[i, j] * w[i, j] } }
      guard always || square > 1, square > 0 else { continue }
      let scale = 1 / square.squareRoot()
      for i in 0..<w.rows { for j in first..<first + size { network.weights[0][i, j] = w[i, j] * scale } }
    }
  }
}
