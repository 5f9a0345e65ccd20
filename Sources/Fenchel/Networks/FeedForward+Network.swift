import LinearAlgebra

extension FeedForward {
  /// The layers of a trained network, to go on from.
  ///
  /// - Throws: `FeedForwardError.form` unless layers with weights and activations alternate, ones with weights first and last,
  ///   and averages stand before layers with weights.
  public init(_ network: Network, hasBias: Bool = true) throws {
    var (weights, maps, activations): ([Matrix<Element>], [LayerMap], [Activation]) = ([], [], [])
    var pooling: AveragePooling?
    for (index, layer) in network.layers.enumerated() {
      let isDue = weights.count == activations.count
      switch layer {
      case .averages(let averages) where isDue && pooling == nil: pooling = averages
      case .dense(let dense) where isDue:
        maps.append(pooling.map { .averages($0) } ?? .dense)
        weights.append(Self.augmented(dense.weights, dense.bias, hasBias))
        pooling = nil
      case .convolution(let layer) where isDue:
        maps.append(.convolution(try layer.convolution(after: pooling, index: index)))
        weights.append(Self.augmented(layer.weights, layer.bias, hasBias))
        pooling = nil
      case .activation(let activation) where !isDue: activations.append(activation)
      default: throw FeedForwardError.form(layer: index)
      }
    }
    guard pooling == nil, weights.count == activations.count + 1 else {
      throw FeedForwardError.form(layer: network.layers.count - 1)
    }
    try self.init(weights: weights, maps: maps, activations: activations, hasBias: hasBias)
  }

  private static func augmented(_ w: Matrix<Double>, _ bias: [Double], _ hasBias: Bool) -> Matrix<Element> {
    guard hasBias else { return w.converted(to: Element.self) }
    return Matrix(w.rows + 1, w.columns, storage: w.storage + bias).converted(to: Element.self)
  }

  /// The network as a plain value.
  ///
  /// - Throws: `NetworkError.notFinite` where a weight is NaN or infinite.
  public func network() throws -> Network {
    var layers: [Layer] = []
    for (index, w) in weights.enumerated() {
      let wide = w.converted(to: Double.self)
      let rows = w.rows - (hasBias ? 1 : 0)
      let (matrix, bias) = (
        wide.firstRows(rows), hasBias ? wide.row(rows) : [Double](repeating: 0, count: w.columns)
      )
      layers += try Self.layers(maps[index], matrix, bias)
      if index < activations.count { layers.append(.activation(activations[index])) }
    }
    return try Network(layers: layers)
  }

  private static func layers(_ map: LayerMap, _ w: Matrix<Double>, _ bias: [Double]) throws -> [Layer] {
    switch map {
    case .dense: return [.dense(try Dense(weights: w, bias: bias))]
    case .averages(let pooling): return [.averages(pooling), .dense(try Dense(weights: w, bias: bias))]
    case .convolution(let all):
      let layer = Layer.convolution(try ConvolutionLayer(try all.withoutAverages, weights: w, bias: bias))
      guard all.pooling > 1 else { return [layer] }
      return [.averages(try AveragePooling(all.input, size: all.pooling)), layer]
    }
  }
}

extension Convolution {
  /// The convolution of the averages alone.
  var withoutAverages: Convolution {
    get throws {
      try Convolution(
        frame.averages, filters: filters, kernelHeight: kernelHeight, kernelWidth: kernelWidth,
        stride: stride, padding: padding, isSignal: isSignal)
    }
  }
}
