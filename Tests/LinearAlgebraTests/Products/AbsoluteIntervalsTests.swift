import FenchelTestSupport
import LinearAlgebra
import Testing

/// Intervals for Σ|xᵀw|, and how their ends move.
struct AbsoluteIntervalsTests {
  /// Rows of width, tilt, rise and side for −l = u = 1, for l = 0, and for a row of zeros.
  private let samples = Matrix(rows: [[2.0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, -1]])

  @Test(
    "Neurons that vanish, and rows of zeros, leave every number finite",
    arguments: [1, 1e-9, 1e-30, 1e-150], [false, true])
  func vanishing(size: Double, isCut: Bool) {
    var intervals = AbsoluteIntervals(samples: samples)
    for images in [[0.0, 0, 0, 0, 0, 0], [size, -size, 0, 2 * size, size, 0]] {
      for ε in [0.03, 0.0003] {
        intervals.update(
          images: images, columns: 2, u: [size, -size], norms: (size, size), rounding: ε, isCut: isCut)
        for c in [[1.0, 1, 1], [-1, -1, -1]] {
          var (dz, m) = ([0.0, 0, 0], [0.0, 0, 0])
          let sums = intervals.slopes(of: c, norms: (size, size), dz: &dz, m: &m)
          let numbers =
            dz + m + [sums.growth, sums.stretch]
            + (0..<3).flatMap { i in
              let sample = intervals[i]
              return [sample.low, sample.high, sample.lowZ, sample.lowForm, sample.highSize]
            }
          let isFinite = numbers.allSatisfy { $0.isFinite }
          #expect(isFinite, "\(size), \(ε), \(c): \(numbers)")
        }
      }
    }
  }
}
