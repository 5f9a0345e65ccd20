import LinearAlgebra

/// The sums or averages of every channel over all positions: images, channel by channel, ↦ one number a channel.
public struct GlobalPooling: LayerContent, Equatable {
  static let kind = "global-pooling"
  public var kind: String { Self.kind }
  public let channels: Int
  public let positions: Int
  public let mode: PoolingMode

  /// - Throws: `NetworkError.shape` for counts below 1, or images that cannot be counted.
  public init(channels: Int, positions: Int, mode: PoolingMode) throws {
    try self.init(channels: channels, positions: positions, mode: mode, index: 0)
  }

  private init(channels: Int, positions: Int, mode: PoolingMode, index: Int) throws {
    guard channels > 0, positions > 0, channels <= (1 << 40) / positions else {
      throw NetworkError.shape(index, "pools \(channels) channels of \(positions) positions")
    }
    (self.channels, self.positions, self.mode) = (channels, positions, mode)
  }

  public var inputs: Int? { channels * positions }
  public var outputs: Int? { channels }
  public var parameters: Int { 0 }

  public func apply(to x: Matrix<Double>) -> Matrix<Double> {
    let (count, entries) = (mode == .average ? Double(positions) : 1, x.rows * channels)
    var result = Matrix<Double>(x.rows, channels)
    withPointers(x, x, &result.storage) { x, _, y in
      for i in 0..<entries {
        var sum = 0.0
        for p in 0..<positions { sum += x[i * positions + p] }
        y[i] = sum / count
      }
    }
    return result
  }

  public var attributes: [String: Int] {
    ["channels": channels, "positions": positions, "averages": mode == .average ? 1 : 0]
  }

  public var tensors: [String: Tensor] { [:] }

  init(from parts: LayerParts) throws {
    try self.init(
      channels: parts.attribute("channels"), positions: parts.attribute("positions"),
      mode: parts.attribute("averages") == 1 ? .average : .sum, index: parts.index)
  }
}

/// What becomes of the outputs of all positions.
public enum PoolingMode: String, Codable, Sendable, CaseIterable {
  case sum, average
}
