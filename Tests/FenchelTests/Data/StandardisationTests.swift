import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

@Suite struct StandardisationTests {
  private func moments(_ z: Matrix<Double>, _ weights: [Double]) -> [(Double, Double)] {
    let total = weights.reduce(0, +)
    return (0..<z.columns).map { j -> (Double, Double) in
      var (mean, square) = (0.0, 0.0)
      for (value, weight) in zip(z.column(j), weights) { mean += weight * value / total }
      for (value, weight) in zip(z.column(j), weights) {
        square += weight * (value - mean) * (value - mean) / total
      }
      return (mean, square.squareRoot())
    }
  }

  @Test(arguments: [
    Double(sign: .plus, exponent: -1060, significand: 1), 1e-300, 1e-12, 1, 1e12, 1e300, 1.7e307,
  ])
  func columnsOfAnyScaleGetMeanZeroAndDeviationOne(scale: Double) {
    var generator = TestGenerator(3)
    let weights = (0..<300).map { _ in Double.random(in: 0...3, using: &generator) }
    let x = Matrix(
      300, 2, storage: (0..<600).map { _ in Double.random(in: -1...2, using: &generator) * scale })
    let map = Standardisation(fitting: x, weights: weights)
    let z = map.applied(to: x)
    let tolerance = scale < 1e-307 ? 1e-3 : 1e-12
    for (mean, deviation) in moments(z, weights) {
      #expect(abs(mean) < tolerance && abs(deviation - 1) < tolerance)
    }
    let back = map.inverted(z)
    let errors = zip(back.storage, x.storage).map { pair in abs(pair.0 - pair.1) }
    #expect((errors.max() ?? 0) <= tolerance * scale)
  }

  @Test func theWholeRangeOfDoublesStaysFinite() {
    let x = Matrix(column: [-1.7e308, 1.7e308, .leastNonzeroMagnitude, 0])
    let z = Standardisation(fitting: x, weights: [1, 1, 1, 1]).applied(to: x)
    #expect(z.storage.allSatisfy { $0.isFinite })
    let tiny = Matrix(column: [0, .leastNonzeroMagnitude])
    let small = Standardisation(fitting: tiny, weights: [1, 1]).applied(to: tiny)
    #expect(small.storage.allSatisfy { $0.isFinite })
  }

  @Test func weightTwoIsTheRowTwice() {
    let x = Matrix(rows: [[1.0, 5], [2, 7], [4, -1]])
    let twice = x.selectingRows([0, 1, 1, 2])
    let a = Standardisation(fitting: x, weights: [1e-300, 2e-300, 1e-300])
    let b = Standardisation(fitting: twice, weights: [1, 1, 1, 1])
    for j in 0..<2 {
      #expect(abs(a.mean[j] - b.mean[j]) < 1e-14 && abs(a.scale[j] - b.scale[j]) < 1e-14)
    }
  }

  @Test func constantColumnsBecomeZeroAndRowsOfNoWeightDoNotCount() {
    let x = Matrix(rows: [[0.1, 3.0], [0.1, 5], [99, 1e9]])
    let map = Standardisation(fitting: x, weights: [1, 1, 0])
    #expect(map.scale[0] == 1 && map.mean == [0.1, 4] && map.scale[1] == 1)
    #expect(map.applied(to: x).column(0)[..<2] == [0, 0])
  }

  @Test func floatAndThreadsAgree() {
    var generator = TestGenerator(4)
    let x = Matrix(5000, 3, storage: (0..<15_000).map { _ in Float.random(in: -5...9, using: &generator) })
    let weights = [Double](repeating: 1, count: 5000)
    let single = Standardisation(fitting: x, weights: weights)
    let wide = x.converted(to: Double.self)
    let double = Standardisation(fitting: wide, weights: weights)
    #expect(single == double)
    let expected = double.applied(to: wide).converted(to: Float.self)
    #expect(single.applied(to: x) == expected)
    let threads = Parallel.threads
    defer { Parallel.threads = threads }
    for count in [1, 3] {
      Parallel.threads = count
      #expect(Standardisation(fitting: x, weights: weights) == single)
    }
  }

  @Test func aDamagedMapIsNotRead() throws {
    for text in [
      "{\"mean\":[0,1],\"scale\":[1]}", "{\"mean\":[0],\"scale\":[0]}", "{\"mean\":[0],\"scale\":[-1]}",
    ] {
      #expect(throws: DecodingError.self) {
        try JSONDecoder().decode(Standardisation.self, from: Data(text.utf8))
      }
    }
  }
}
