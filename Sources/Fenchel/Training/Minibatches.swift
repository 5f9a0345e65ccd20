import LinearAlgebra

/// The order in which training meets its samples: in every epoch each once, in batches of a size, shuffled by the seed
/// and the number of the epoch alone. So a run that stops can go on at any batch without having drawn the ones before.
public struct Minibatches: Sendable, Equatable {
  public let samples: Int
  public let batchSize: Int
  public let seed: UInt64

  /// The batch size is cut to the number of samples.
  public init(samples: Int, batchSize: Int, seed: UInt64) {
    precondition(samples > 0 && batchSize > 0, "batches of no samples")
    self.samples = samples
    self.batchSize = min(batchSize, samples)
    self.seed = seed
  }

  /// Batches in an epoch: as few as the batch size allows, of the same size, or one sample less.
  public var count: Int { (samples + batchSize - 1) / batchSize }

  /// Streams of the seed that epochs draw from begin here, far from those of initial weights.
  private static let firstStream: UInt64 = 1 << 32

  /// The samples of every batch of an epoch, in order. Cost: the number of samples.
  public func epoch(_ epoch: Int) -> [ArraySlice<Int>] {
    guard batchSize < samples else { return [ArraySlice(0..<samples)] }
    let order = Philox(seed: seed, stream: Self.firstStream + UInt64(epoch)).permutation(of: samples)
    return (0..<count).map { order[$0 * samples / count..<($0 + 1) * samples / count] }
  }
}
