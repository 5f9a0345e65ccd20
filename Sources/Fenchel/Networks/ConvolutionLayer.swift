import LinearAlgebra

/// The convolution of images with filters and a bias a filter, images in the rows of X channel by channel.
public struct ConvolutionLayer: LayerContent, Equatable {
  static let kind = "convolution"
  public var kind: String { Self.kind }
  /// Shapes, without averages.
  public let convolution: Convolution
  /// W: (input channels · kernel) × filters.
  public let weights: Matrix<Double>
  /// b: one entry a filter.
  public let bias: [Double]

  /// - Throws: `NetworkError.shape` where weights or biases do not fit the convolution.
  public init(_ convolution: Convolution, weights: Matrix<Double>, bias: [Double]) throws {
    try self.init(convolution, weights: weights, bias: bias, index: 0)
  }

  private init(_ convolution: Convolution, weights: Matrix<Double>, bias: [Double], index: Int) throws {
    guard convolution.pooling == 1 else {
      throw NetworkError.shape(index, "averages are a layer of their own")
    }
    guard weights.rows == convolution.patchLength, weights.columns == convolution.filters else {
      throw NetworkError.shape(
        index,
        "\(weights.rows) × \(weights.columns) weights for \(convolution.filters) filters of \(convolution.patchLength)"
      )
    }
    guard bias.count == weights.columns else {
      throw NetworkError.shape(index, "\(bias.count) biases for \(weights.columns) filters")
    }
    (self.convolution, self.weights, self.bias) = (convolution, weights, bias)
  }

  public var inputs: Int? { convolution.input.count }
  public var outputs: Int? { convolution.output.count }
  public var parameters: Int { weights.count + bias.count }

  public func apply(to x: Matrix<Double>) -> Matrix<Double> {
    var result = Matrix<Double>(x.rows, convolution.output.count)
    let all = Matrix(weights.rows + 1, weights.columns, storage: weights.storage + bias)
    let n = x.rows
    withPointers(x, all, &result.storage) { x, w, u in
      convolution.apply(x, w, hasBias: true, 0..<n, into: u)
    }
    return result
  }

  /// The convolution with averages before it.
  ///
  /// - Throws: `NetworkError.shape` where these give images of another shape.
  func convolution(after pooling: AveragePooling?, index: Int) throws -> Convolution {
    guard let pooling else { return convolution }
    guard pooling.output == convolution.input else {
      throw NetworkError.shape(
        index, "takes images of \(convolution.input), the averages before give \(pooling.output)")
    }
    return try Convolution(
      pooling.input, pooling: pooling.size, filters: convolution.filters,
      kernelHeight: convolution.kernelHeight, kernelWidth: convolution.kernelWidth,
      stride: convolution.stride, padding: convolution.padding, isSignal: convolution.isSignal)
  }

  public var attributes: [String: Int] { convolution.attributes }

  /// `weight` is filters × channels × height × width.
  public var tensors: [String: Tensor] {
    [
      "weight": Tensor(
        shape: [
          convolution.filters, convolution.input.channels, convolution.kernelHeight, convolution.kernelWidth,
        ], .float64(weights.transposed.storage)),
      "bias": Tensor(shape: [bias.count], .float64(bias)),
    ]
  }

  init(from parts: LayerParts) throws {
    let weight = try parts.doubles("weight", extents: 4)
    let bias = try parts.doubles("bias", extents: 1)
    let shape = weight.shape
    try self.init(
      Convolution(from: parts, channels: shape[1], filters: shape[0], kernel: (shape[2], shape[3])),
      weights: Matrix(shape[0], shape[1] * shape[2] * shape[3], storage: weight.values).transposed,
      bias: bias.values, index: parts.index)
  }
}

extension Convolution {
  /// What a file keeps beside the shape of the filters.
  var attributes: [String: Int] {
    var attributes = [
      "height": input.height, "width": input.width, "stride": stride, "padding": padding,
    ]
    if isSignal { attributes["signal"] = 1 }
    return attributes
  }

  /// - Throws: `NetworkError` where an attribute is missing, or the kernel does not fit.
  init(from parts: LayerParts, channels: Int, filters: Int, kernel: (height: Int, width: Int)) throws {
    do {
      try self.init(
        ImageShape(channels: channels, height: parts.attribute("height"), width: parts.attribute("width")),
        filters: filters, kernelHeight: kernel.height, kernelWidth: kernel.width,
        stride: parts.attribute("stride"), padding: parts.attribute("padding"),
        isSignal: parts.attributes["signal"] == 1)
    } catch let error as ImageOperatorError { throw NetworkError.shape(parts.index, error.description) }
  }
}

/// Averages of images are a layer without weights.
extension AveragePooling: LayerContent {
  static let kind = "average-pooling"
  public var kind: String { Self.kind }
  public var inputs: Int? { input.count }
  public var outputs: Int? { output.count }
  public var parameters: Int { 0 }
  public func apply(to x: Matrix<Double>) -> Matrix<Double> { averages(x) }

  public var attributes: [String: Int] {
    ["channels": input.channels, "height": input.height, "width": input.width, "size": size]
  }

  public var tensors: [String: Tensor] { [:] }

  init(from parts: LayerParts) throws {
    do {
      try self.init(
        ImageShape(
          channels: parts.attribute("channels"), height: parts.attribute("height"),
          width: parts.attribute("width")), size: parts.attribute("size"))
    } catch let error as ImageOperatorError { throw NetworkError.shape(parts.index, error.description) }
  }
}
