import ConvexOptimization
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// The activations that act on whole rows: softmax and the projection onto the simplex.
struct RowwiseDivergenceTests {
  @Test("The laws of a divergence, in both precisions", arguments: [1, 2, 5, 40])
  func laws(columns: Int) {
    checkDivergence(SoftmaxDivergence<Double>(), rows: 6, columns: columns, seed: 1)
    checkDivergence(SimplexDivergence<Double>(), rows: 6, columns: columns, seed: 2)
    checkDivergence(SoftmaxDivergence<Double>(), rows: 3, columns: columns, scale: 30, seed: 3)
    checkDivergence(SimplexDivergence<Double>(), rows: 3, columns: columns, scale: 30, seed: 4)
    checkDivergence(SoftmaxDivergence<Float>(), rows: 6, columns: columns, seed: 5)
    checkDivergence(SimplexDivergence<Float>(), rows: 6, columns: columns, seed: 6)
  }

  @Test("Max pooling obeys the laws too", arguments: [1, 2, 3])
  func maxPooling(window: Int) throws {
    let columns = 4 * window
    checkDivergence(try MaxPoolingDivergence<Double>(window: window), rows: 5, columns: columns, seed: 7)
    checkDivergence(try MaxPoolingDivergence<Float>(window: window), rows: 5, columns: columns, seed: 8)
    checkDivergence(
      try MaxPoolingDivergence<Double>(window: window), rows: 5, columns: columns, scale: 30, seed: 9)
  }

  @Test func maxPoolingKnownValues() throws {
    let pooling = try MaxPoolingDivergence<Double>(window: 2)
    let u = Matrix<Double>(rows: [[1, 3, -2, -2], [0, -1, 5, 4]])
    var v = u
    #expect(pooling.activate(u, into: &v) == 6)
    #expect(v == Matrix(rows: [[0, 1, 1, 0], [1, 0, 1, 0]]))
    #expect(pooling.pooled(u) == Matrix(rows: [[3, -2], [0, 5]]))
    let other = Matrix<Double>(rows: [[1, 0, 0, 1], [0.5, 0.5, 0, 1]])
    #expect(pooling.divergence(other, u) == 3.5)
    #expect(pooling.divergence(Matrix(rows: [[1, 1, 0, 1], [1, 0, 1, 0]]), u) == .infinity)
    #expect(throws: ParameterError.self) { try MaxPoolingDivergence<Double>(window: 0) }
  }

  /// The penalty of the pooled values is 0 at them alone, convex along lines of (Z, U) once −max u is left out.
  @Test func poolingPenalty() throws {
    let pooling = try MaxPoolingDivergence<Double>(window: 3)
    var random = SplitMix64(seed: 10)
    for _ in 0..<50 {
      let (u, other): (Matrix<Double>, Matrix<Double>) = (random.matrix(4, 6), random.matrix(4, 6))
      let z = pooling.pooled(u)
      #expect(pooling.penalty(z, u) == 0)
      for move in [-1e-3, 1e-3, -1, 1] {
        var away = z
        for i in 0..<away.count { away.storage[i] += move }
        #expect(pooling.penalty(away, u) >= Double(z.count) * abs(move) * (1 - 1e-9))
      }
      let w: Matrix<Double> = random.matrix(4, 2)
      func convex(_ z: Matrix<Double>, _ u: Matrix<Double>) -> Double {
        pooling.penalty(z, u) + pooling.conjugate(at: u)
      }
      let middle = convex(combine(0.5, z, 0.5, w), combine(0.5, u, 0.5, other))
      #expect(middle <= (convex(z, u) + convex(w, other)) / 2 + 1e-12)
    }
  }

  @Test func knownValues() {
    let u = Matrix<Double>(rows: [[0, 0], [3, 0], [1e4, -1e4]])
    var v = u
    SimplexDivergence<Double>().activate(u, into: &v)
    #expect(v == Matrix(rows: [[0.5, 0.5], [1, 0], [1, 0]]))
    var shares = Matrix<Double>(2, 2)
    let sum = SoftmaxDivergence<Double>().activate(Matrix(rows: [[0, 0], [log(3.0), 0]]), into: &shares)
    #expect(abs(sum - log(8.0)) <= 1e-15)
    #expect(abs(shares[1, 0] - 0.75) <= 1e-15)
  }

  @Test("Outside of the simplex Φ and B are infinite")
  func outside() {
    let u = Matrix<Double>(1, 2)
    for row in [[0.5, 0.6], [1.5, -0.5], [0, 0]] {
      let v = Matrix(rows: [row])
      #expect(SoftmaxDivergence<Double>().divergence(v, u) == .infinity)
      #expect(SimplexDivergence<Double>().divergence(v, u) == .infinity)
    }
  }

  @Test(
    "The prox of the entropy is the root of its conditions, for tiny and huge steps",
    arguments: [1e-6, 1e-2, 1, 1e4])
  func entropyProx(step γ: Double) {
    var random = SplitMix64(seed: 8)
    let x: Matrix<Double> = random.matrix(20, 6, scale: 2)
    var p = x
    SoftmaxDivergence<Double>().prox(of: x, step: γ, into: &p)
    for k in 0..<20 {
      // γ log v + v − x is the same for all entries that are not lost in rounding.
      let level = (0..<6).filter { p[k, $0] > 1e-12 }.map { γ * log(p[k, $0]) + p[k, $0] - x[k, $0] }
      let spread = (level.max() ?? 0) - (level.min() ?? 0)
      #expect(spread <= 1e-9 * max(1, γ), "row \(k)")
    }
  }
}
