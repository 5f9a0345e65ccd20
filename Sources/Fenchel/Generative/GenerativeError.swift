/// Why no generator can be trained as asked. Each is one line.
public enum GenerativeError: Error, CustomStringConvertible, Sendable, Equatable {
  /// β that is negative or no number.
  case beta(Double)
  /// β at or above σ_max², which leaves a generator nothing to put out.
  case nothingLeft(β: Double, largest: Double, size: Int)
  /// Sizes that do not rise, or none.
  case sizes([Int])
  /// Fewer than two images, or images that are all equal.
  case images(source: String, String)
  /// More memory than the limit.
  case memory(bytes: Int, limit: Int)
  /// Samples that take more memory than the limit.
  case pictures(count: Int, bytes: Int, limit: Int)
  /// Dimensions of noise below 1, or above the number of images.
  case noise(Int, images: Int)

  public var description: String {
    switch self {
    case .beta(let β): "β = \(β): give a finite number of at least 0"
    case .nothingLeft(let β, let largest, let size):
      "β = \(β) is not below σ_max² = \(largest) of the images at \(size) × \(size), so that the generator gives nothing but "
        + "their mean; take a smaller β"
    case .sizes(let sizes):
      "the sizes \(sizes.map(String.init).joined(separator: ",")) do not rise from above 0"
    case .images(let source, let what): "\(printable(source)): \(what)"
    case .memory(let bytes, let limit):
      "training the generator needs \(memorySize(bytes, .up)), the limit is \(memorySize(limit, .down)); take smaller sizes or "
        + "fewer images"
    case .pictures(let count, let bytes, let limit):
      "\(counted(count, "sample")) of the generator need \(memorySize(bytes, .up)), the limit is "
        + "\(memorySize(limit, .down)); take fewer"
    case .noise(let dimensions, let images):
      "noise of \(counted(dimensions, "dimension")) for \(counted(images, "image")): give at least 1 and fewer than images"
    }
  }
}
