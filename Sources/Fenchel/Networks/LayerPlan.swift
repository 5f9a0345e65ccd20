import LinearAlgebra

/// The hidden layers of a network before its data are known: convolutions, averages and dense layers in order. Each but the
/// averages is followed by the activation; the last layer, dense with as many outputs as the targets have, follows by itself.
public struct LayerPlan: Codable, Sendable, Equatable {
  /// As text `convolution 6 5x5 stride 1 padding 0` with the channels that come out and the kernel, `pooling 2`, `dense 120`.
  public enum Step: Sendable, Equatable {
    case convolution(channels: Int, height: Int, width: Int, stride: Int = 1, padding: Int = 0)
    /// Averages over squares of this side.
    case pooling(Int)
    case dense(Int)

    var name: String {
      switch self {
      case .convolution: "convolution"
      case .pooling: "pooling"
      case .dense: "dense"
      }
    }
  }

  public var steps: [Step]
  /// Images are put in the middle of squares of this side, zeros around them, before the first convolution.
  public var side: Int?
  /// Shape of the images where the data do not say it.
  public var image: ImageShape?

  public init(steps: [Step], side: Int? = nil, image: ImageShape? = nil) {
    (self.steps, self.side, self.image) = (steps, side, image)
  }

  /// LeNet-5 as Gu, Askari & El Ghaoui (2019) train it, after LeCun, Bottou, Bengio & Haffner (1998): two convolutions of
  /// 5 × 5, averages over 2 × 2 after each, dense layers of 120 and 84, on images of 32 × 32.
  public static let leNet5 = LayerPlan(
    steps: [
      .convolution(channels: 6, height: 5, width: 5), .pooling(2),
      .convolution(channels: 16, height: 5, width: 5), .pooling(2), .dense(120), .dense(84),
    ], side: 32)

  /// Plans by the names of the command line.
  public static let named = ["lenet-5": leNet5]

  /// Dense layers of some widths.
  public static func dense(_ widths: [Int]) -> LayerPlan { LayerPlan(steps: widths.map { .dense($0) }) }

  /// Layers with weights before the last.
  public var hiddenLayers: Int {
    steps.count { if case .pooling = $0 { false } else { true } }
  }

  /// Whether a layer is a convolution.
  public var hasConvolutions: Bool {
    steps.contains { if case .convolution = $0 { true } else { false } }
  }

  /// The layers for data of d features, images or not, and c outputs.
  ///
  /// - Throws: `LayerPlanError`, which names the layer; `FeedForwardError.width` for a dense layer without outputs.
  func layers(inputs d: Int, outputs c: Int, image: ImageShape?) throws -> [LayerShape] {
    var builder = try Builder(inputs: d, image: image, self)
    for (index, step) in steps.enumerated() { try builder.add(step, at: index) }
    try builder.add(.dense(c), at: steps.count)
    return builder.layers
  }

  /// A network of these layers with Xavier's weights and biases of 0.1, for data of d features and c outputs.
  ///
  /// - Throws: `LayerPlanError`, `FeedForwardError.width`.
  public func network<Element: Scalar>(
    inputs d: Int, outputs c: Int, image: ImageShape?, activation: Activation = .relu,
    initialiser: Initialiser = .xavier, bias: Double = 0.1, seed: UInt64
  ) throws -> FeedForward<Element> {
    try initialiser.feedForward(
      layers(inputs: d, outputs: c, image: image),
      activations: [Activation](repeating: activation, count: hiddenLayers), hasBias: true, bias: bias,
      seed: seed)
  }

  /// What is built from the first layer to the last.
  private struct Builder {
    var layers: [LayerShape] = []
    private var width: Int
    /// Shape of what comes in, nil for rows that are no images.
    private var image: ImageShape?
    private var pooling = 1
    private var border = 0
    private let steps: [Step]

    init(inputs d: Int, image known: ImageShape?, _ plan: LayerPlan) throws {
      (width, steps) = (d, plan.steps)
      let needsImages = steps.contains { if case .dense = $0 { false } else { true } } || plan.side != nil
      image = needsImages ? plan.image ?? known : nil
      guard needsImages else { return }
      guard let image else { throw LayerPlanError.noImages(features: d) }
      guard image.count == d, known == nil || known == image else {
        throw LayerPlanError.image(image, features: d, known: known)
      }
      guard let side = plan.side else { return }
      guard case .convolution? = steps.first else { throw LayerPlanError.side(side, image) }
      let missing = side - image.height
      guard image.height == image.width, missing >= 0, missing.isMultiple(of: 2) else {
        throw LayerPlanError.side(side, image)
      }
      border = missing / 2
    }

    mutating func add(_ step: Step, at index: Int) throws {
      switch step {
      case .pooling(let size):
        guard let image else { throw LayerPlanError.afterDense(index, step.name) }
        try located(index, step) { () throws(ImageOperatorError) in
          guard (1...(1 << 20)).contains(size) else { throw .number("size of averages", size) }
          _ = try AveragePooling(image, size: pooling * size)
        }
        pooling *= size
      case .convolution(let channels, let height, let width, let stride, let padding):
        guard let image else { throw LayerPlanError.afterDense(index, step.name) }
        let convolution = try located(index, step) { () throws(ImageOperatorError) in
          guard padding >= 0, padding <= 1 << 20 else { throw .number("padding", padding) }
          return try Convolution(
            image, pooling: pooling, filters: channels, kernelHeight: height, kernelWidth: width,
            stride: stride, padding: padding + border)
        }
        append(.convolution(convolution), rows: convolution.patchLength, columns: channels)
        (self.image, pooling, border) = (convolution.output, 1, 0)
        self.width = convolution.output.count
      case .dense(let outputs):
        guard outputs > 0 else { throw FeedForwardError.width(layer: layers.count) }
        if let image, pooling > 1 {
          let averages = try located(index, step) { () throws(ImageOperatorError) in
            try AveragePooling(image, size: pooling)
          }
          append(.averages(averages), rows: averages.output.count, columns: outputs)
        } else {
          append(.dense, rows: width, columns: outputs)
        }
        (image, pooling, width) = (nil, 1, outputs)
      }
    }

    private mutating func append(_ map: LayerMap, rows: Int, columns: Int) {
      layers.append(LayerShape(map: map, rows: rows, columns: columns))
    }

    private func located<R>(
      _ index: Int, _ step: Step, _ body: () throws(ImageOperatorError) -> R
    ) throws(LayerPlanError) -> R {
      do { return try body() } catch { throw .layer(index, step.name, error) }
    }
  }
}

/// A layer's map and the shape of its weights W, without the bias.
struct LayerShape: Equatable {
  var map: LayerMap
  var rows: Int
  var columns: Int

  /// Entries that go into an output, and outputs that an input goes into, where it stands far from the border: what
  /// initialisers scale by.
  var fans: (in: Int, out: Int) {
    guard case .convolution(let convolution) = map else { return (rows, columns) }
    return (rows, columns * convolution.kernelHeight * convolution.kernelWidth)
  }

  /// d_{l+1}.
  var outputs: Int { map.outputs(columns) }
}

/// Why the layers of a plan do not fit the data or each other. Layers are counted from 0 in the cases, from 1 in the
/// descriptions, averages too.
public enum LayerPlanError: Error, CustomStringConvertible, Sendable, Equatable {
  case layer(Int, String, ImageOperatorError)
  case afterDense(Int, String)
  case noImages(features: Int)
  case image(ImageShape, features: Int, known: ImageShape?)
  case side(Int, ImageShape)

  public var description: String {
    switch self {
    case .layer(let index, let name, let error): "layer \(index + 1) (\(name)): \(error)"
    case .afterDense(let index, let name):
      "layer \(index + 1) (\(name)) takes images, and the dense layer before it gives none; put it before all dense layers"
    case .noImages(let features):
      "convolutions need images, and the data are rows of \(features) features; say their shape in the architecture "
        + "file, such as image: 1x28x28"
    case .image(let shape, let features, let known?) where shape.count == features:
      "the architecture speaks of images of \(shape), the data of \(known); leave out the line image:"
    case .image(let shape, let features, _):
      "images of \(shape) have \(shape.count) pixels, the data \(features) features; give the shape that they have"
    case .side(let side, let image):
      "images of \(image) cannot be put in the middle of \(side) × \(side) before a first convolution; take images that "
        + "are square, no larger, and smaller by an even number, and begin with a convolution"
    }
  }
}
