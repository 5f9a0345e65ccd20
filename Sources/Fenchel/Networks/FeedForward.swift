import ConvexOptimization
import LinearAlgebra

/// A feed-forward network in the making, X_{l+1} = φ_l(A_l(X_l) W̃_l) with the output A_L(X_L) W̃_L: what methods that train
/// layer by layer change, in their own precision. Of dense layers A(X) W̃ = X W + 1 bᵀ; others convolve or average images.
public struct FeedForward<Element: Scalar>: Sendable, Equatable {
  /// W̃_l = (W_l; b_lᵀ) for l = 0 … L: of a dense layer (d_l + 1) × d_{l+1} with the bias as the last row, or d_l × d_{l+1}
  /// without; of a convolution one column a filter.
  public var weights: [Matrix<Element>]
  /// A_0 … A_L.
  public let maps: [LayerMap]
  /// φ_0 … φ_{L−1} of the hidden layers.
  public let activations: [Activation]
  public let hasBias: Bool

  /// - Parameter maps: one a layer; all are dense where none are given.
  /// - Throws: `FeedForwardError` where there is not one activation less than there are weights, a layer has no
  ///   entries, neighbours do not fit, or weights are of another shape than their map.
  public init(
    weights: [Matrix<Element>], maps: [LayerMap]? = nil, activations: [Activation], hasBias: Bool = true
  ) throws {
    guard weights.count == activations.count + 1 else {
      throw FeedForwardError.activations(activations.count, layers: weights.count)
    }
    let maps = maps ?? [LayerMap](repeating: .dense, count: weights.count)
    guard maps.count == weights.count else {
      throw FeedForwardError.maps(maps.count, layers: weights.count)
    }
    let constant = hasBias ? 1 : 0
    var before: Int?
    for (index, w) in weights.enumerated() {
      guard w.rows > constant, w.columns > 0 else { throw FeedForwardError.width(layer: index) }
      let inputs = maps[index].inputs(w.rows - constant)
      guard before == nil || inputs == before else {
        throw FeedForwardError.mismatch(layer: index, inputs: inputs, outputsBefore: before ?? 0)
      }
      try Self.check(w, maps[index], constant, layer: index)
      before = maps[index].outputs(w.columns)
    }
    self.weights = weights
    self.maps = maps
    self.activations = activations
    self.hasBias = hasBias
  }

  private static func check(
    _ w: Matrix<Element>, _ map: LayerMap, _ constant: Int, layer: Int
  ) throws(FeedForwardError) {
    let rows = map.weightRows ?? w.rows - constant
    var columns = w.columns
    if case .convolution(let convolution) = map { columns = convolution.filters }
    guard w.rows - constant == rows, w.columns == columns else {
      throw .weights(
        layer: layer, rows: w.rows - constant, columns: w.columns, neededRows: rows, neededColumns: columns)
    }
  }

  /// d_0, …, d_{L+1}: the widths of the input, the hidden layers and the output.
  public var widths: [Int] {
    let constant = hasBias ? 1 : 0
    return weights.indices.map { maps[$0].inputs(weights[$0].rows - constant) } + [
      outputs(ofLayer: weights.count - 1)
    ]
  }

  /// d_{l+1}.
  public func outputs(ofLayer l: Int) -> Int { maps[l].outputs(weights[l].columns) }

  /// Whether every layer is dense, without averages before it.
  public var isDense: Bool { maps.allSatisfy { $0 == .dense } }

  /// - Throws: `FeedForwardError.denseOnly` for a method that trains dense layers only.
  func requireDense(for method: String) throws(FeedForwardError) {
    if let layer = maps.firstIndex(where: { $0 != .dense }) { throw .denseOnly(method, layer: layer) }
  }

  /// U ← A_l(X) W̃_l for X: n × d_l. Cost 2n d_l d_{l+1} of a dense layer.
  public func preactivate(_ x: Matrix<Element>, layer l: Int, into u: inout Matrix<Element>) {
    maps[l].apply(x, weights[l], hasBias: hasBias, into: &u)
  }

  /// U_l for X: n × d_l.
  func preactivations(_ x: Matrix<Element>, layer l: Int) -> Matrix<Element> {
    var u = Matrix<Element>(x.rows, outputs(ofLayer: l))
    preactivate(x, layer: l, into: &u)
    return u
  }

  /// f(X): n × d_{L+1}. Cost 2n times the number of weights.
  public func output(_ x: Matrix<Element>) -> Matrix<Element> {
    var input = x
    for l in weights.indices {
      var u = preactivations(input, layer: l)
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
  case maps(Int, layers: Int)
  case mismatch(layer: Int, inputs: Int, outputsBefore: Int)
  /// Weights are of another shape than the layer's convolution or averages need.
  case weights(layer: Int, rows: Int, columns: Int, neededRows: Int, neededColumns: Int)
  case form(layer: Int)
  case denseOnly(String, layer: Int)

  public var description: String {
    switch self {
    case .activations(let count, let layers):
      "\(count) activations for \(layers) layers of weights; give one for each hidden layer, \(layers - 1)"
    case .width(let layer): "layer \(layer) has no inputs or no outputs"
    case .mismatch(let layer, let inputs, let outputs):
      "layer \(layer) takes \(inputs) inputs, the layer before gives \(outputs)"
    case .maps(let count, let layers): "\(count) maps for \(layers) layers of weights; give one for each"
    case .weights(let layer, let rows, let columns, let neededRows, let neededColumns):
      "layer \(layer) has \(rows) × \(columns) weights, its inputs and filters need \(neededRows) × \(neededColumns)"
    case .form(let layer):
      "layer \(layer) of the network to start from is not one of dense layers, convolutions and averages with activations "
        + "after all weights but the last"
    case .denseOnly(let method, let layer):
      "\(method) trains dense layers only, and layer \(layer) is none; take --model fenchel or mlp"
    }
  }
}
