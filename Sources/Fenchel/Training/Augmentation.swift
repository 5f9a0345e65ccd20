import LinearAlgebra

/// Changes of training images that keep their class: each is moved by at most `shift` pixels down and across, zeros coming in,
/// and turned into its mirror image half of the time. As text `shift:2,flip`.
///
/// What happens to a sample in an epoch follows from the seed, its number and the epoch's alone: the same for all methods,
/// and for a run that is taken up again.
public struct Augmentation: Sendable, Equatable, Codable, CustomStringConvertible {
  /// Pixels, at least 0.
  public var shift: Int
  public var flips: Bool

  public init(shift: Int = 0, flips: Bool = false) {
    (self.shift, self.flips) = (shift, flips)
  }

  /// Nil for text that is none.
  public init?(_ text: String) {
    self.init()
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      if part == "flip", !flips {
        flips = true
      } else if part.hasPrefix("shift:"), shift == 0, let pixels = Int(part.dropFirst(6)),
        (1...1024).contains(pixels)
      {
        shift = pixels
      } else {
        return nil
      }
    }
  }

  public var description: String {
    ([shift > 0 ? "shift:\(shift)" : nil, flips ? "flip" : nil] as [String?]).compactMap(\.self)
      .joined(separator: ",")
  }

  /// The images of some samples in an epoch, in place: row k of X is sample `samples[k]`. Cost: the entries.
  func apply<Element: Scalar>(
    to x: inout Matrix<Element>, _ samples: ArraySlice<Int>, shape: ImageShape, epoch: Int, seed: UInt64
  ) {
    precondition(x.columns == shape.count && x.rows == samples.count, "images of another shape")
    let random = Philox(seed: seed, stream: Self.firstStream + UInt64(epoch))
    let (d, first) = (shape.count, samples.startIndex)
    x.withMutablePointer { x in
      Parallel.forEach(tiles: Parallel.tiles(of: 16, covering: samples.count), work: samples.count * d) {
        tile in
        withTemporary(Element.self, d) { copy in
          for k in Parallel.range(ofTile: tile, size: 16, count: samples.count) {
            let place = UInt64(samples[first + k]) * 3
            let span = 2 * shift + 1
            let down = Int(random.uniform(at: place) * Double(span)) - shift
            let across = Int(random.uniform(at: place + 1) * Double(span)) - shift
            let isMirrored = flips && random.uniform(at: place + 2) < 0.5
            copy.update(from: x + k * d, count: d)
            move(copy, shape, down: down, across: across, isMirrored: isMirrored, into: x + k * d)
          }
        }
      }
    }
  }

  /// Streams of the seed that epochs draw from, far from those of weights and batches.
  private static var firstStream: UInt64 { 3 << 32 }
}

/// An image moved down and across, with zeros for what lies outside; mirrored before that where asked.
@specialized(where Element == Double)
@specialized(where Element == Float)
private func move<Element: Scalar>(
  _ image: UnsafePointer<Element>, _ shape: ImageShape, down: Int, across: Int, isMirrored: Bool,
  into target: UnsafeMutablePointer<Element>
) {
  let (height, width) = (shape.height, shape.width)
  for channel in 0..<shape.channels {
    for i in 0..<height {
      let to = target + (channel * height + i) * width
      let row = i - down
      guard (0..<height).contains(row) else {
        to.update(repeating: 0, count: width)
        continue
      }
      let from = image + (channel * height + row) * width
      for j in 0..<width {
        let column = j - across
        let inside = column >= 0 && column < width
        to[j] = inside ? from[isMirrored ? width - 1 - column : column] : 0
      }
    }
  }
}

/// Samples whose images are changed anew in every epoch.
package struct AugmentedSamples<Element: Scalar>: SampleSource {
  private var source: any SampleSource<Element>
  private let augmentation: Augmentation
  private let shape: ImageShape
  private let seed: UInt64
  private var epoch = 0

  /// - Throws: `AugmentationError` where the samples are no images of this shape.
  package init(
    _ source: any SampleSource<Element>, _ augmentation: Augmentation, shape: ImageShape?, seed: UInt64
  ) throws(AugmentationError) {
    guard let shape, shape.count == source.features else {
      throw AugmentationError.noImages(features: source.features)
    }
    guard augmentation.shift < min(shape.height, shape.width) else {
      throw AugmentationError.shift(augmentation.shift, shape)
    }
    (self.source, self.augmentation, self.shape, self.seed) = (source, augmentation, shape, seed)
  }

  package var samples: Int { source.samples }
  package var features: Int { source.features }
  package var outputs: Int { source.outputs }
  package var mass: Double { source.mass }

  package mutating func begin(epoch: Int) {
    self.epoch = epoch
    source.begin(epoch: epoch)
  }

  package mutating func batch(_ samples: ArraySlice<Int>) throws -> Batch<Element> {
    let batch = try source.batch(samples)
    var x = batch.x
    augmentation.apply(to: &x, samples, shape: shape, epoch: epoch, seed: seed)
    return Batch(x: x, loss: batch.loss, mass: batch.mass)
  }
}

/// Why samples cannot be changed as images.
public enum AugmentationError: Error, CustomStringConvertible, Sendable, Equatable {
  case noImages(features: Int)
  case shift(Int, ImageShape)
  case method(String)

  public var description: String {
    switch self {
    case .noImages(let features):
      "only images can be shifted and mirrored, and the data are rows of \(features) features; leave --augment away"
    case .shift(let shift, let shape):
      "a shift of \(shift) pixels is as large as images of \(shape); give a smaller one"
    case .method(let why): "--augment: \(why)"
    }
  }
}
