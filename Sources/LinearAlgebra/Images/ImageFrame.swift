import CKernels

/// Images averaged over squares of size × size pixels, in a border of `padding` zeros: what a kernel moves over. The map is
/// linear, and its adjoint is here too. Signals, images of one row, have no border above and below.
public struct ImageFrame: Sendable, Equatable {
  public let image: ImageShape
  /// 1 where nothing is averaged.
  public let size: Int
  /// Zeros on either side.
  public let padding: Int
  /// Zeros above and below: as many, or none.
  public let verticalPadding: Int

  /// - Throws: `ImageOperatorError` where the squares do not fill the image, or a number is out of its range.
  public init(
    _ image: ImageShape, size: Int = 1, padding: Int = 0, isSignal: Bool = false
  ) throws(ImageOperatorError) {
    try ImageOperatorError.check(image)
    guard size > 0 else { throw .number("size of averages", size) }
    guard (0...(1 << 20)).contains(padding) else { throw .number("padding", padding) }
    guard image.height.isMultiple(of: size), image.width.isMultiple(of: size) else {
      throw .pooling(size: size, input: image)
    }
    (self.image, self.size, self.padding) = (image, size, padding)
    verticalPadding = isSignal ? 0 : padding
  }

  /// The averages without the border.
  public var averages: ImageShape {
    ImageShape(channels: image.channels, height: image.height / size, width: image.width / size)
  }

  /// The averages with the border.
  public var shape: ImageShape {
    let inner = averages
    return ImageShape(
      channels: inner.channels, height: inner.height + 2 * verticalPadding, width: inner.width + 2 * padding)
  }

  var cValue: fenchel_frame {
    fenchel_frame(
      channels: image.channels, height: image.height, width: image.width, size: size, above: verticalPadding,
      beside: padding)
  }
}

extension Float {
  public static func frame(
    _ image: UnsafePointer<Float>, _ frame: ImageFrame, into target: UnsafeMutablePointer<Float>
  ) {
    withUnsafePointer(to: frame.cValue) { fenchel_frame_s(image, $0, target) }
  }

  public static func addFrame(
    _ source: UnsafePointer<Float>, _ frame: ImageFrame, scale: Float, to image: UnsafeMutablePointer<Float>
  ) {
    withUnsafePointer(to: frame.cValue) { fenchel_add_frame_s(source, $0, scale, image) }
  }

  public static func gatherPatches(
    _ frame: UnsafePointer<Float>, _ convolution: Convolution, into patches: UnsafeMutablePointer<Float>
  ) {
    withUnsafePointer(to: convolution.cValue) { fenchel_gather_patches_s(frame, $0, patches) }
  }

  public static func addPatches(
    _ patches: UnsafePointer<Float>, _ convolution: Convolution, to frame: UnsafeMutablePointer<Float>
  ) {
    withUnsafePointer(to: convolution.cValue) { fenchel_add_patches_s(patches, $0, frame) }
  }
}

extension Double {
  public static func frame(
    _ image: UnsafePointer<Double>, _ frame: ImageFrame, into target: UnsafeMutablePointer<Double>
  ) {
    withUnsafePointer(to: frame.cValue) { fenchel_frame_d(image, $0, target) }
  }

  public static func addFrame(
    _ source: UnsafePointer<Double>, _ frame: ImageFrame, scale: Double,
    to image: UnsafeMutablePointer<Double>
  ) {
    withUnsafePointer(to: frame.cValue) { fenchel_add_frame_d(source, $0, scale, image) }
  }

  public static func gatherPatches(
    _ frame: UnsafePointer<Double>, _ convolution: Convolution, into patches: UnsafeMutablePointer<Double>
  ) {
    withUnsafePointer(to: convolution.cValue) { fenchel_gather_patches_d(frame, $0, patches) }
  }

  public static func addPatches(
    _ patches: UnsafePointer<Double>, _ convolution: Convolution, to frame: UnsafeMutablePointer<Double>
  ) {
    withUnsafePointer(to: convolution.cValue) { fenchel_add_patches_d(patches, $0, frame) }
  }
}
