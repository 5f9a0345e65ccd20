import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct AugmentationTests {
  private let shape = ImageShape(channels: 2, height: 5, width: 4)

  private func source(_ augmentation: Augmentation, seed: UInt64 = 1) throws -> AugmentedSamples<Double> {
    let x: Matrix<Double> = Philox(seed: 1).uniformMatrix(60, shape.count)
    let loss = try LossKind.squared.makeLoss(targets: Matrix<Double>(60, 1))
    return try AugmentedSamples(
      MemorySamples(x: x, loss: loss), augmentation, shape: shape, seed: seed)
  }

  private func batch(
    _ source: AugmentedSamples<Double>, epoch: Int, _ rows: [Int]
  ) throws -> Matrix<Double> {
    var source = source
    source.begin(epoch: epoch)
    return try source.batch(rows[...]).x
  }

  @Test(arguments: ["shift:2", "flip", "shift:1,flip"])
  func texts(text: String) throws {
    #expect(try #require(Augmentation(text)).description == text)
  }

  @Test(arguments: ["", "shift", "shift:0", "shift:-1", "flip,flip", "shift:1,shift:2", "flip,", "rotate:3"])
  func wrongTexts(text: String) { #expect(Augmentation(text) == nil) }

  /// A sample is changed by its number, the epoch and the seed, whatever batch it comes in.
  @Test func changesFollowTheSampleAndTheEpoch() throws {
    let source = try source(Augmentation(shift: 2, flips: true))
    let all = try batch(source, epoch: 3, Array(0..<60))
    let some = try batch(source, epoch: 3, [41, 7])
    #expect(some.row(0) == all.row(41) && some.row(1) == all.row(7))
    #expect(try batch(source, epoch: 4, Array(0..<60)) != all)
    #expect(
      try batch(self.source(Augmentation(shift: 2, flips: true), seed: 2), epoch: 3, Array(0..<60)) != all)
    expectSameForAnyThreads("augmentation") { try? batch(source, epoch: 3, Array(0..<60)) }
  }

  /// Every image is one of those that a move and a mirror make, and all of them occur.
  @Test func imagesAreMovedAndMirrored() throws {
    let plain = try batch(source(Augmentation()), epoch: 0, Array(0..<60))
    let changed = try batch(source(Augmentation(shift: 1, flips: true)), epoch: 0, Array(0..<60))
    var seen: Set<[Int]> = []
    for k in 0..<60 {
      var found: [Int]?
      for down in -1...1 {
        for across in -1...1 {
          for mirror in 0...1
          where changed.row(k) == moved(plain.row(k), down: down, across: across, isMirrored: mirror == 1) {
            found = [down, across, mirror]
          }
        }
      }
      let change = try #require(found, "row \(k)")
      seen.insert(change)
    }
    #expect(seen.count > 12)
  }

  private func moved(_ image: [Double], down: Int, across: Int, isMirrored: Bool) -> [Double] {
    var result = [Double](repeating: 0, count: image.count)
    for c in 0..<2 {
      for i in 0..<5 {
        for j in 0..<4 where (0..<5).contains(i - down) && (0..<4).contains(j - across) {
          let column = isMirrored ? 3 - (j - across) : j - across
          result[(c * 5 + i) * 4 + j] = image[(c * 5 + i - down) * 4 + column]
        }
      }
    }
    return result
  }

  @Test func wrongUses() throws {
    let loss = try LossKind.squared.makeLoss(targets: Matrix<Double>(3, 1))
    let rows = MemorySamples(x: Matrix<Double>(3, 7), loss: loss)
    #expect(throws: AugmentationError.noImages(features: 7)) {
      try AugmentedSamples(rows, Augmentation(shift: 1), shape: nil, seed: 0)
    }
    #expect(throws: AugmentationError.noImages(features: 7)) {
      try AugmentedSamples(rows, Augmentation(shift: 1), shape: shape, seed: 0)
    }
    #expect(throws: AugmentationError.shift(4, shape)) { try source(Augmentation(shift: 4)) }
  }
}
