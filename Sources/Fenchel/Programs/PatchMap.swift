import LinearAlgebra

/// Convolution with pooling over all positions as a map of the data (Ergen & Pilanci 2021, *Implicit convex regularizers of CNN
/// architectures*). A network
///
///     f(X) = S Σ_j (P w_j)₊ v_jᵀ,   P: nK × h the K patches of each input, with a column of ones for a bias,
///
/// S the sums or averages over the K patches, is one of a plain network on the rows of P whose outputs are summed: with the
/// penalty (λ/2) Σ (‖w_j‖² + ‖v_j‖²) all of the two-layer program holds over the activation patterns of P. There are at
/// most 2 Σ_{k<h} C(nK − 1, k) of them, whatever the size of the inputs. Averages are sums over P/K.
///
/// Of gated networks the same holds for 1[P g > 0] P w in place of (P w)₊. Held: all patches, in Double.
public struct PatchMap: FeatureMap {
  /// Of one filter.
  public let convolution: Convolution
  public let mode: PoolingMode
  public let hasBias: Bool
  /// P: nK × h, or P/K; in sample order, with the constant of the bias last.
  public let data: Matrix<Double>
  public let pooling: RowSums

  /// The map for inputs X: n × d.
  ///
  /// - Parameter copies: times that they are held at once.
  /// - Throws: `PatchError` where X has no such patches, or all copies take more than `maximumBytes`.
  public init(
    _ x: Matrix<Double>, image: ImageShape?, _ settings: PatchSettings, hasBias: Bool,
    copies: Double = 3, maximumBytes: Int = .max
  ) throws(PatchError) {
    convolution = try settings.convolution(features: x.columns, image: image)
    (mode, self.hasBias) = (settings.pooling, hasBias)
    let (rows, columns) = (x.rows * convolution.positions, convolution.patchLength + (hasBias ? 1 : 0))
    let bytes = copies * Double(rows) * Double(columns) * 8
    guard bytes <= Double(maximumBytes) else {
      throw .memory(rows: rows, columns: columns, needed: Int(min(bytes, 1e18)), limit: maximumBytes)
    }
    pooling = RowSums(of: convolution.positions)
    data = convolution.patches(
      x, hasBias: hasBias, dividedBy: mode == .average ? Double(convolution.positions) : 1)
  }

  init(_ problem: TrainingProblem, _ settings: TrainingSettings) throws(PatchError) {
    try self.init(
      problem.inputs, image: problem.schema.imageShape, settings.convolution ?? PatchSettings(),
      hasBias: problem.hasBias, copies: Self.copies(settings), maximumBytes: settings.memoryLimit)
  }

  /// Times that the patches are kept: here, and by a solver in its precision; with cones by these and a bound.
  private static func copies(_ settings: TrainingSettings) -> Double {
    if settings.model.hasCones { return 3 }
    return settings.precision == .float ? 1.5 : 2
  }

  /// The convolutional network on X of a two-layer network on the patches, ReLU or gated, without biases in its first layer.
  public func decode(_ network: Network) throws -> Network {
    switch network.twoLayerForm {
    case .relu(let hidden, let output): try decode(hidden, output)
    case .gated(let gated):
      try Network(layers: [
        .gatedConvolution(
          GatedConvolution(
            geometry(filters: gated.gates.rows),
            Gated(gates: gated.gates, weights: gated.weights, hasBias: hasBias), mode: mode))
      ])
    case .polynomial, nil: network
    }
  }

  private func decode(_ hidden: Dense, _ output: Dense) throws -> Network {
    let (h, filters) = (convolution.patchLength, hidden.weights.columns)
    let bias = hasBias ? hidden.weights.row(h) : [Double](repeating: 0, count: filters)
    return try Network(layers: [
      .convolution(
        ConvolutionLayer(geometry(filters: filters), weights: hidden.weights.firstRows(h), bias: bias)),
      .relu,
      .pooling(GlobalPooling(channels: filters, positions: convolution.positions, mode: mode)),
      .dense(output),
    ])
  }

  /// The convolution with so many filters.
  private func geometry(filters: Int) throws -> Convolution {
    try Convolution(
      convolution.input, filters: filters, kernelHeight: convolution.kernelHeight,
      kernelWidth: convolution.kernelWidth, stride: convolution.stride, padding: convolution.padding,
      isSignal: convolution.isSignal)
  }

  /// The network on the patches of a convolutional network on X; nil for networks of another form, other patches, and
  /// biases where there are none.
  public func encode(_ network: Network) -> Network? {
    if network.layers.count == 1, case .gatedConvolution(let layer) = network.layers[0] {
      return encode(layer)
    }
    guard network.layers.count == 4, case .convolution(let layer) = network.layers[0],
      case .relu = network.layers[1], case .pooling(let own) = network.layers[2],
      case .dense(let output) = network.layers[3]
    else { return nil }
    guard hasPatches(of: layer.convolution), own.positions == convolution.positions, own.mode == mode,
      hasBias || layer.bias.allSatisfy({ $0 == 0 })
    else { return nil }
    let weights = layer.weights
    let rows = Matrix(
      weights.rows + (hasBias ? 1 : 0), weights.columns,
      storage: weights.storage + (hasBias ? layer.bias : []))
    guard let hidden = try? Dense(weights: rows) else { return nil }
    return try? Network(hidden: hidden, output: output)
  }

  private func encode(_ layer: GatedConvolution) -> Network? {
    guard hasPatches(of: layer.convolution), layer.mode == mode, layer.gated.hasBias == hasBias else {
      return nil
    }
    let (gates, weights) = (layer.gated.gates, layer.gated.weights)
    return (try? Gated(gates: gates, weights: weights, hasBias: false)).flatMap {
      try? Network(layers: [.gated($0)])
    }
  }

  /// Whether another convolution cuts inputs into these patches.
  private func hasPatches(of other: Convolution) -> Bool {
    other.frame == convolution.frame && other.kernelHeight == convolution.kernelHeight
      && other.kernelWidth == convolution.kernelWidth && other.stride == convolution.stride
  }

  /// Gates on patches, with or without a last coordinate for the bias.
  func encode(gates: Matrix<Double>) throws(PatternError) -> Matrix<Double> {
    let h = convolution.patchLength
    guard gates.columns == h || gates.columns == data.columns else {
      throw .width(gates: gates.columns, features: data.columns)
    }
    var result = Matrix<Double>(gates.rows, data.columns)
    for i in 0..<gates.rows { for j in 0..<gates.columns { result[i, j] = gates[i, j] } }
    return result
  }
}
