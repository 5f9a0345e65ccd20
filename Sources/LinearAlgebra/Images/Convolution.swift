import CKernels

/// The convolution of images with filters, the weights W: (input channels · kernel) × filters and, where there is one, a bias
/// b: what a layer of a convolutional network does before its activation,
///
///     U_f(i, j) = b_f + Σ_c Σ_{a,b} W_{(c,a,b),f} Y_c(i·stride + a, j·stride + b),
///
/// with Y the images X, averaged over squares first where `pooling` is above 1, in a border of `padding` zeros. In the order
/// of machine learning, where the kernel is not turned round. Linear in X and in W, which its products use:
///
///     U = A(X) W̃,   A(X): the patches of X with a column of ones, W̃ = (W; bᵀ)
///
/// Patches are made for one image at a time, never for all of them. Images are rows of matrices.
public struct Convolution: Sendable, Equatable {
  /// X as the kernel sees it.
  public let frame: ImageFrame
  /// Channels of U.
  public let filters: Int
  public let kernelHeight, kernelWidth: Int
  public let stride: Int

  /// - Parameter isSignal: whether the images are signals, of one row, which `padding` extends on either side only.
  /// - Throws: `ImageOperatorError` where the kernel is larger than its input, the averages do not fill the image, or a
  ///   number is out of its range.
  public init(
    _ input: ImageShape, pooling: Int = 1, filters: Int, kernelHeight: Int, kernelWidth: Int,
    stride: Int = 1, padding: Int = 0, isSignal: Bool = false
  ) throws(ImageOperatorError) {
    frame = try ImageFrame(input, size: pooling, padding: padding, isSignal: isSignal)
    for (name, value) in [
      ("filters", filters), ("height of the kernel", kernelHeight), ("width of the kernel", kernelWidth),
      ("stride", stride),
    ] where value < 1 { throw .number(name, value) }
    let shape = frame.shape
    guard kernelHeight <= shape.height, kernelWidth <= shape.width else {
      throw .kernel(height: kernelHeight, width: kernelWidth, padding: padding, input: frame.averages)
    }
    (self.filters, self.kernelHeight, self.kernelWidth, self.stride) = (
      filters, kernelHeight, kernelWidth, stride
    )
    try ImageOperatorError.check(shape)
    try ImageOperatorError.check(output)
    try ImageOperatorError.check(
      ImageShape(channels: patchLength, height: output.height, width: output.width))
  }

  public var input: ImageShape { frame.image }
  public var pooling: Int { frame.size }
  public var padding: Int { frame.padding }
  /// Whether the padding is on either side only.
  public var isSignal: Bool { frame.verticalPadding < frame.padding }

  /// Shape of U.
  public var output: ImageShape {
    let shape = frame.shape
    return ImageShape(
      channels: filters, height: (shape.height - kernelHeight) / stride + 1,
      width: (shape.width - kernelWidth) / stride + 1)
  }

  /// Weights of a filter, without its bias.
  public var patchLength: Int { input.channels * kernelHeight * kernelWidth }

  /// Positions of the kernel.
  public var positions: Int { output.height * output.width }

  /// Parts in which sums over images are made, whatever the number of threads.
  package static var parts: Int { 16 }

  var cValue: fenchel_kernel {
    let (shape, output) = (frame.shape, output)
    return fenchel_kernel(
      channels: shape.channels, down: shape.height, across: shape.width, height: kernelHeight,
      width: kernelWidth, stride: stride, rows: output.height, columns: output.width)
  }
}
