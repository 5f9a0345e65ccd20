import LinearAlgebra

/// The gated ReLU network under a kernel: the sum, or the average, of a gated layer's outputs over the K patches x_k of an
/// image or signal,
///
///     f_j(x) = Σ_k Σ_i 1[x̃_kᵀg_i > 0] x̃_kᵀw_{i,j}.
public struct GatedConvolution: LayerContent, Equatable {
  static let kind = "gated-convolution"
  public var kind: String { Self.kind }
  /// Shapes of inputs and patches; its filters are the gates.
  public let convolution: Convolution
  /// What every patch goes through.
  public let gated: Gated
  public let mode: PoolingMode

  /// - Throws: `NetworkError.shape` where the gates are not those of patches.
  public init(_ convolution: Convolution, _ gated: Gated, mode: PoolingMode) throws {
    try self.init(convolution, gated, mode: mode, index: 0)
  }

  private init(_ convolution: Convolution, _ gated: Gated, mode: PoolingMode, index: Int) throws {
    guard convolution.pooling == 1 else {
      throw NetworkError.shape(index, "averages are a layer of their own")
    }
    guard gated.inputs == convolution.patchLength, gated.gates.rows == convolution.filters else {
      throw NetworkError.shape(
        index,
        "\(gated.gates.rows) gates of \(gated.inputs ?? 0) entries for \(convolution.filters) filters of "
          + "\(convolution.patchLength)")
    }
    (self.convolution, self.gated, self.mode) = (convolution, gated, mode)
  }

  public var inputs: Int? { convolution.input.count }
  public var outputs: Int? { gated.outputs }
  public var parameters: Int { gated.parameters }

  /// One image after another, and so many of its patches at once that the outputs of all gates stay below a million.
  public func apply(to x: Matrix<Double>) -> Matrix<Double> {
    let (d, c, patches) = (x.columns, gated.weights.rows / gated.gates.rows, convolution.positions)
    let size = max(1, (1 << 20) / (gated.gates.rows * (c + 1)))
    let scale = mode == .average ? 1 / Double(patches) : 1
    var result = Matrix<Double>(x.rows, c)
    for k in 0..<x.rows {
      let image = Matrix(1, d, storage: Array(x.storage[k * d..<(k + 1) * d]))
      let all = convolution.patches(image, hasBias: false)
      for first in stride(from: 0, to: patches, by: size) {
        let f = gated.apply(to: all.selectingRows(Array(first..<min(first + size, patches))))
        for r in 0..<f.rows { for j in 0..<c { result[k, j] += scale * f[r, j] } }
      }
    }
    return result
  }

  public var attributes: [String: Int] {
    let own = [
      "channels": convolution.input.channels, "kernel-height": convolution.kernelHeight,
      "kernel-width": convolution.kernelWidth, "averages": mode == .average ? 1 : 0,
    ]
    return own.merging(convolution.attributes) { own, _ in own }.merging(gated.attributes) { own, _ in own }
  }

  public var tensors: [String: Tensor] { gated.tensors }

  init(from parts: LayerParts) throws {
    let gated = try Gated(from: parts)
    try self.init(
      Convolution(
        from: parts, channels: parts.attribute("channels"), filters: gated.gates.rows,
        kernel: (parts.attribute("kernel-height"), parts.attribute("kernel-width"))),
      gated, mode: parts.attribute("averages") == 1 ? .average : .sum, index: parts.index)
  }
}
