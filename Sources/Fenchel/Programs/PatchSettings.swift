import LinearAlgebra

/// How a two-layer convolutional network cuts its inputs into patches, and what becomes of their outputs.
public struct PatchSettings: Codable, Sendable, Equatable {
  /// Rows of the kernel; nil for as many as columns over images, one over signals.
  public var kernelHeight: Int?
  /// Columns of the kernel, or its length over signals.
  public var kernelWidth = 3
  public var stride = 1
  /// Zeros around images, or before and after signals: of scaled data the mean.
  public var padding = 0
  /// Channels of the inputs, which a row has one after another; nil for those of the images, or one.
  public var channels: Int?
  public var pooling = PoolingMode.sum

  public init() {}

  /// - Throws: `PatchError` for numbers that no data can fit.
  public func check() throws(PatchError) {
    for (name, value) in [("kernel", kernelHeight ?? 1), ("kernel", kernelWidth), ("stride", stride)]
    where !(1...(1 << 20)).contains(value) { throw .number(name, value, least: 1) }
    if let channels, !(1...(1 << 20)).contains(channels) { throw .number("channels", channels, least: 1) }
    guard (0...(1 << 20)).contains(padding) else { throw .number("padding", padding, least: 0) }
    guard padding < kernelWidth else { throw .padding(padding, kernel: kernelWidth) }
  }

  /// Images or signals of d features, whose shape the data may know.
  ///
  /// - Throws: `PatchError` where the channels fit neither.
  func shape(features d: Int, image: ImageShape?) throws(PatchError) -> ImageShape {
    if let image {
      guard channels == nil || channels == image.channels else {
        throw .channels(channels ?? 1, image: image)
      }
      return image
    }
    let count = channels ?? 1
    guard count > 0, d.isMultiple(of: count), d >= count else { throw .signal(features: d, channels: count) }
    return ImageShape(channels: count, height: 1, width: d / count)
  }

  /// The convolution of rows of d features with some filters.
  ///
  /// - Throws: `PatchError` where the kernel, its moves or the channels do not fit.
  func convolution(features d: Int, image: ImageShape?, filters: Int = 1) throws(PatchError) -> Convolution {
    try check()
    let shape = try shape(features: d, image: image)
    let isSignal = image == nil
    if isSignal, let kernelHeight, kernelHeight != 1 {
      throw .kernelOfSignal(kernelHeight, kernelWidth, features: d)
    }
    let height = isSignal ? 1 : kernelHeight ?? kernelWidth
    guard isSignal || padding < height else { throw .padding(padding, kernel: height) }
    do {
      return try Convolution(
        shape, filters: filters, kernelHeight: height, kernelWidth: kernelWidth, stride: stride,
        padding: padding, isSignal: isSignal)
    } catch {
      throw .convolution(error, isSignal: isSignal)
    }
  }
}

/// Why inputs have no such patches.
public enum PatchError: Error, CustomStringConvertible, Sendable, Equatable {
  case number(String, Int, least: Int)
  case padding(Int, kernel: Int)
  case channels(Int, image: ImageShape)
  case signal(features: Int, channels: Int)
  case kernelOfSignal(Int, Int, features: Int)
  case convolution(ImageOperatorError, isSignal: Bool)
  case memory(rows: Int, columns: Int, needed: Int, limit: Int)

  public var description: String {
    switch self {
    case .number(let name, let value, let least):
      "--\(name) \(value) must be a whole number from \(least) to \(1 << 20)"
    case .padding(let padding, let kernel):
      "--padding \(padding) leaves patches of zeros alone under a kernel of \(kernel); give less than \(kernel)"
    case .channels(let channels, let image):
      "--channels \(channels) are not those of images of \(image); leave the option out, or give \(image.channels)"
    case .signal(let features, let channels):
      "rows of \(features) features are no signals of \(channels) channels; give --channels that divide \(features)"
    case .kernelOfSignal(let height, let width, let features):
      "--kernel \(height)x\(width) is for images, and the rows of \(features) features are signals; give --kernel \(width)"
    case .convolution(.kernel(_, let width, let padding, let input), isSignal: true):
      "--kernel \(width) is longer than signals of \(input.width) with a padding of \(padding); take a shorter kernel"
    case .convolution(let error, _): error.description
    case .memory(let rows, let columns, let needed, let limit):
      "\(rows) patches of \(columns) numbers need \(memorySize(needed, .up)), the limit is \(memorySize(limit, .down)): take "
        + "a larger --stride, fewer samples, or raise --max-memory"
    }
  }
}
