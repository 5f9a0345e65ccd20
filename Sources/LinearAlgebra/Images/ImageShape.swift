/// Shape of an image that is one row of a matrix: all of channel 0 row by row, then channel 1, ….
public struct ImageShape: Codable, Sendable, Equatable, CustomStringConvertible {
  public var channels: Int
  public var height: Int
  public var width: Int

  public init(channels: Int, height: Int, width: Int) {
    self.channels = channels
    self.height = height
    self.width = width
  }

  public var count: Int { channels * height * width }

  /// Channels, height, width: `3 × 32 × 32`.
  public var description: String { "\(channels) × \(height) × \(width)" }
}

/// Why an operator on images does not fit them.
public enum ImageOperatorError: Error, CustomStringConvertible, Sendable, Equatable {
  /// A number that must be above 0 (`padding`: at least 0) is not.
  case number(String, Int)
  case kernel(height: Int, width: Int, padding: Int, input: ImageShape)
  case pooling(size: Int, input: ImageShape)
  /// The pooling gives images of another shape than the convolution after it takes.
  case shapes(pooled: ImageShape, taken: ImageShape)
  /// More entries than can be counted.
  case tooLarge(ImageShape)

  public var description: String {
    switch self {
    case .number(let name, let value):
      "\(name) \(value): give a whole number \(name == "padding" ? "of at least 0" : "above 0")"
    case .kernel(let height, let width, let padding, let input):
      "a kernel of \(height) × \(width) is larger than its input of \(input) with a padding of \(padding); "
        + "take a smaller kernel or more padding"
    case .pooling(let size, let input):
      "averages of \(size) × \(size) do not divide an input of \(input); take a size that divides \(input.height) "
        + "and \(input.width), or change the padding before"
    case .shapes(let pooled, let taken):
      "averages are of \(pooled), the convolution after them takes \(taken)"
    case .tooLarge(let shape):
      "images of \(shape) have too many entries; take fewer channels, smaller images or less padding"
    }
  }

  /// Throws unless all numbers are above 0, and entries no more than 2³².
  static func check(_ shape: ImageShape) throws(ImageOperatorError) {
    for (name, value) in [("channels", shape.channels), ("height", shape.height), ("width", shape.width)]
    where value < 1 { throw .number(name, value) }
    let limit = 1 << 32
    guard shape.height <= limit / shape.width, shape.channels <= limit / (shape.width * shape.height) else {
      throw .tooLarge(shape)
    }
  }
}
