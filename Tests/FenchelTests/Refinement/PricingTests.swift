import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite(.serialized)
struct PricingTests {
  /// Σ θ_k (x_kᵀw)₊.
  private func value(_ x: Matrix<Double>, _ θ: [Double], _ w: [Double]) -> Double {
    var sum = 0.0
    for k in 0..<x.rows {
      var z = 0.0
      for j in 0..<x.columns { z += x[k, j] * w[j] }
      sum += θ[k] * max(0, z)
    }
    return sum
  }

  private func length(_ w: [Double]) -> Double { w.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  @Test(arguments: [(5, 1), (30, 2), (60, 3), (80, 7), (200, 10), (90, 41)])
  func valuesNeverFall(_ n: Int, _ d: Int) {
    var random = SplitMix64(seed: UInt64(n + d))
    let x: Matrix<Double> = random.matrix(n, d)
    let θ = (0..<n).map { _ in random.normal() }
    let starts = (0..<37).map { _ in (0..<d).map { _ in random.normal() } }
    var ascent = PanelAscent(PanelAscent.Problem(x: x, θ: θ), starts: starts)
    var values = ascent.values
    for step in 0..<30 {
      if step % 3 < 2 {
        ascent.followFixedPoint(sweeps: 1)
      } else {
        ascent.climbConvexParts(rounds: 1, sweeps: 5)
      }
      for i in 0..<starts.count {
        #expect(ascent.values[i] >= values[i], "start \(i), step \(step)")
        let w = ascent.point(i)
        #expect(abs(value(x, θ, w) - ascent.values[i]) <= 1e-10 * (1 + abs(values[i])), "start \(i)")
        #expect(abs(length(w) - 1) <= 1e-12)
      }
      values = ascent.values
    }
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func findsTheMaximumInThePlane(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let x: Matrix<Double> = random.matrix(40, 2)
    let θ = (0..<40).map { _ in random.normal() }
    for sign in [1.0, -1.0] {
      let sweep = (0..<20_000).map { i in
        let angle = 2 * Double.pi * Double(i) / 20_000
        return value(x, θ.map { sign * $0 }, [.cos(angle), .sin(angle)])
      }
      let best = Pricing(x: x).maxima(θ: θ, sign: sign, starts: Matrix(0, 2)).first?.value ?? 0
      #expect(best >= (sweep.max() ?? 0) * (1 - 1e-12), "seed \(seed) sign \(sign)")
      #expect(best <= (sweep.max() ?? 0) + 1e-3 * θ.reduce(0) { $0 + abs($1) }, "seed \(seed) sign \(sign)")
    }
  }

  @Test func maximaAreDistinctAndSorted() {
    var random = SplitMix64(seed: 3)
    let x: Matrix<Double> = random.matrix(50, 4)
    let θ = (0..<50).map { _ in random.normal() }
    let found = Pricing(x: x).maxima(θ: θ, sign: 1, starts: random.matrix(5, 4))
    #expect(found.count > 1)
    #expect(zip(found, found.dropFirst()).allSatisfy { $0.value >= $1.value })
    let patterns = BitMatrix(signsOf: x, timesTransposed: Matrix(rows: found.map(\.direction))).transposed
    #expect(patterns.distinctRows.count == found.count)
    for maximum in found { #expect(abs(value(x, θ, maximum.direction) - maximum.value) <= 1e-10) }
  }

  /// With θ ≥ 0 f is a norm-like convex function, whose maximum for equal rows is at the row itself.
  @Test func simpleCases() {
    let x = Matrix(rows: [[3.0, 4], [3, 4], [0, 0]])
    let best = Pricing(x: x).maxima(θ: [1, 1, 5], sign: 1, starts: Matrix(0, 2))
    #expect(abs((best.first?.value ?? 0) - 10) <= 1e-12)
    #expect(Pricing(x: x).maxima(θ: [1, 1, 5], sign: -1, starts: Matrix(0, 2)).isEmpty)
    #expect(Pricing(x: x).maxima(θ: [0, 0, 0], sign: 1, starts: Matrix(0, 2)).isEmpty)
    #expect(Pricing(x: Matrix(0, 2)).maxima(θ: [], sign: 1, starts: Matrix(0, 2)).isEmpty)
  }

  @Test func sameBitsForAnyThreads() {
    var random = SplitMix64(seed: 4)
    let x: Matrix<Double> = random.matrix(300, 12)
    let θ = (0..<300).map { _ in random.normal() }
    expectSameForAnyThreads("pricing") {
      Pricing(x: x).maxima(θ: θ, sign: 1, starts: Matrix(0, 12)).map { $0.direction + [$0.value] }
    }
  }
}
