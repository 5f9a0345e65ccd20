import ConvexOptimization
import LinearAlgebra

/// A feed-forward network in the making, X_{l+1} = φ_l(X_l W_l + 1 b_lᵀ) with the output X_L W_L + 1 b_Lᵀ: what methods
/// that train layer by layer change, in their own precision.
public struct FeedForward<Element: Scalar>: Sendable, Equatable {
  /// (W_l; b_lᵀ) for l = 0 … L: (d_l + 1) × d_{l+1} with the bias as the last row, or d_l × d_{l+1} without.
  public var weights: [Matrix<Element>]
  /// φ_0 … φ_{L−1} of the hidden layers.
  public let activations: [Activation]
  public let hasBias: Bool

  /// - Throws: `FeedForwardError` where there is not one activation less than there are weights, a layer has no
  ///   entries, or neighbours do not fit.
  public init(weights: [Matrix<Element>], activations: [Activation], hasBias: Bool = true) throws {
    guard weights.count == activations.count + 1 else {
      throw FeedForwardError.activations(activations.count, layers: weights.count)
    }
    let constant = hasBias ? 1 : 0
    for (index, w) in weights.enumerated() {
      guard w.rows > constant, w.columns > 0 else { throw FeedForwardError.width(layer: index) }
      guard index == 0 || w.rows - constant == weights[index - 1].columns else {
        throw FeedForwardError.mismatch(
          layer: index, inputs: w.rows - constant, outputsBefore: weights[index - 1].columns)
      }
    }
    self.weights = weights
    self.activations = activations
    self.hasBias = hasBias
  }

  /// The layers of a trained network, to go on from.
  ///
  /// - Throws: `FeedForwardError.form` unless dense layers and activations alternate, dense ones first and last.
  public init(_ network: Network, hasBias: Bool = true) throws {
    var (weights, activations): ([Matrix<Element>], [Activation]) = ([], [])
    for (index, layer) in network.layers.enumerated() {
      switch layer {
      case .dense(let dense) where index.isMultiple(of: 2):
        weights.append(Self.augmented(dense, hasBias: hasBias).converted(to: Element.self))
      case .activation(let activation) where !index.isMultiple(of: 2): activations.append(activation)
      default: throw FeedForwardError.form(layer: index)
      }
    }
    try self.init(weights: weights, activations: activations, hasBias: hasBias)
  }

  private static func augmented(_ dense: Dense, hasBias: Bool) -> Matrix<Double> {
    guard hasBias else { return dense.weights }
    return Matrix(
      dense.weights.rows + 1, dense.weights.columns, storage: dense.weights.storage + dense.bias)
  }

  /// d_0, …, d_{L+1}: the widths of the input, the hidden layers and the output.
  public var widths: [Int] {
    weights.map { $0.rows - (hasBias ? 1 : 0) } + [weights[weights.count - 1].columns]
  }

  /// The network as a plain value.
  ///
  /// - Throws: `NetworkError.notFinite` where a weight is NaN or infinite.
  public func network() throws -> Network {
    var layers: [Layer] = []
    for (index, w) in weights.enumerated() {
      let wide = w.converted(to: Double.self)
      let inputs = widths[index]
      let matrix = wide.firstRows(inputs)
      let bias = hasBias ? wide.row(inputs) : [Double](repeating: 0, count: w.columns)
      layers.append(.dense(try Dense(weights: matrix, bias: bias)))
      if index < activations.count { layers.append(.activation(activations[index])) }
    }
    return try Network(layers: layers)
  }

  /// U ← X W_l + 1 b_lᵀ for X: n × d_l. Cost 2n d_l d_{l+1}.
  public func preactivate(_ x: Matrix<Element>, layer l: Int, into u: inout Matrix<Element>) {
    affine(x, weights[l], hasBias: hasBias, into: &u)
  }

  /// f(X): n × d_{L+1}. Cost 2n times the number of weights.
  public func output(_ x: Matrix<Element>) -> Matrix<Element> {
    var input = x
    for l in weights.indices {
      var u = Matrix<Element>(x.rows, weights[l].columns)
      preactivate(input, layer: l, into: &u)
      if l < activations.count { activations[l].divergence(Element.self).map(&u) }
      input = u
    }
    return input
  }
}

/// U ← X W + 1 bᵀ for X: n × d and the augmented W, whose last row is b where there is a bias. Cost 2nd times the
/// columns of W.
func affine<Element: Scalar>(
  _ x: Matrix<Element>, _ w: Matrix<Element>, hasBias: Bool, into u: inout Matrix<Element>
) {
  let (n, d, p) = (x.rows, x.columns, w.columns)
  precondition(w.rows == d + (hasBias ? 1 : 0), "\(w.rows) rows of weights for \(d) inputs")
  precondition(u.rows == n && u.columns == p, "a result of another shape")
  withPointers(x, w, &u.storage) { x, w, u in
    if hasBias {
      for k in 0..<n { (u + k * p).update(from: w + d * p, count: p) }
    }
    Parallel.gemm(
      .no, .no, m: n, n: p, k: d, alpha: 1, a: x, lda: max(d, 1), b: w, ldb: p, beta: hasBias ? 1 : 0, c: u,
      ldc: p)
  }
}

/// What keeps weights from being a feed-forward network. Layers are counted from 0.
public enum FeedForwardError: Error, CustomStringConvertible, Sendable, Equatable {
  case activations(Int, layers: Int)
  case width(layer: Int)
  case mismatch(layer: Int, inputs: Int, outputsBefore: Int)
  case form(layer: Int)

  public var description: String {
    switch self {
    case .activations(let count, let layers):
      "\(count) activations for \(layers) layers of weights; give one for each hidden layer, \(layers - 1)"
    case .width(let layer): "layer \(layer) has no inputs or no outputs"
    case .mismatch(let layer, let inputs, let outputs):
      "layer \(layer) takes \(inputs) inputs, the layer before gives \(outputs)"
    case .form(let layer):
      "layer \(layer) of the network to start from is not one of dense layers with activations between them"
    }
  }
}
