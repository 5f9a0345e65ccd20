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
/// Held: all patches, in Double.
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
  /// - Throws: `PatchError` where X has no such patches, or they take more than `maximumBytes` with what is made of them.
  public init(
    _ x: Matrix<Double>, image: ImageShape?, _ settings: PatchSettings, hasBias: Bool,
    maximumBytes: Int = .max
  ) throws(PatchError) {
    convolution = try settings.convolution(features: x.columns, image: image)
    (mode, self.hasBias) = (settings.pooling, hasBias)
    let (rows, columns) = (x.rows * convolution.positions, convolution.patchLength + (hasBias ? 1 : 0))
    let bytes = Self.copies * Double(rows) * Double(columns) * 8
    guard bytes <= Double(maximumBytes) else {
      throw .memory(rows: rows, columns: columns, needed: Int(min(bytes, 1e18)), limit: maximumBytes)
    }
    pooling = RowSums(of: convolution.positions)
    data = convolution.patches(
      x, hasBias: hasBias, dividedBy: mode == .average ? Double(convolution.positions) : 1)
  }

  /// Times that a solver, the cones and a bound keep the patches.
  private static var copies: Double { 3 }

  init(_ problem: TrainingProblem, _ settings: TrainingSettings) throws(PatchError) {
    try self.init(
      problem.inputs, image: problem.schema.imageShape, settings.convolution ?? PatchSettings(),
      hasBias: problem.hasBias, maximumBytes: settings.memoryLimit)
  }

  /// The convolutional network on X of a two-layer ReLU network on the patches without biases in its hidden layer.
  public func decode(_ network: Network) throws -> Network {
    guard case .relu(let hidden, let output) = network.twoLayerForm else { return network }
    let (h, filters) = (convolution.patchLength, hidden.weights.columns)
    let all = try Convolution(
      convolution.input, filters: filters, kernelHeight: convolution.kernelHeight,
      kernelWidth: convolution.kernelWidth, stride: convolution.stride, padding: convolution.padding,
      isSignal: convolution.isSignal)
    let bias = hasBias ? hidden.weights.row(h) : [Double](repeating: 0, count: filters)
    return try Network(layers: [
      .convolution(ConvolutionLayer(all, weights: hidden.weights.firstRows(h), bias: bias)), .relu,
      .pooling(GlobalPooling(channels: filters, positions: convolution.positions, mode: mode)),
      .dense(output),
    ])
  }

  /// The network on the patches of a convolutional network on X; nil for networks of another form, other patches, and
  /// biases where there are none.
  public func encode(_ network: Network) -> Network? {
    guard network.layers.count == 4, case .convolution(let layer) = network.layers[0],
      case .relu = network.layers[1], case .pooling(let own) = network.layers[2],
      case .dense(let output) = network.layers[3]
    else { return nil }
    let all = layer.convolution
    guard all.frame == convolution.frame, all.kernelHeight == convolution.kernelHeight,
      all.kernelWidth == convolution.kernelWidth, all.stride == convolution.stride,
      own.positions == all.positions, own.mode == mode, hasBias || layer.bias.allSatisfy({ $0 == 0 })
    else { return nil }
    let weights = layer.weights
    let rows = Matrix(
      weights.rows + (hasBias ? 1 : 0), weights.columns,
      storage: weights.storage + (hasBias ? layer.bias : []))
    guard let hidden = try? Dense(weights: rows) else { return nil }
    return try? Network(hidden: hidden, output: output)
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
