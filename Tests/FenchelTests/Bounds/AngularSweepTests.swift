import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// A turn around the plane finds the maximum, and the directions above a target.
struct AngularSweepTests {
  private func value(_ x: Matrix<Double>, _ c: [Double], _ w: [Double]) -> Double {
    (0..<x.rows).reduce(0) { $0 + c[$1] * max(0, x[$1, 0] * w[0] + x[$1, 1] * w[1]) }
  }

  /// The largest of all values at the ends of arcs and at the gradient of each arc, every sum made anew.
  private func largest(_ x: Matrix<Double>, _ c: [Double]) -> Double {
    var angles: [Double] = []
    for i in 0..<x.rows {
      let angle = Double.atan2(y: x[i, 1], x: x[i, 0])
      angles += [angle + .pi / 2, angle - .pi / 2]
    }
    angles = angles.map { $0 < 0 ? $0 + 2 * .pi : $0 }.sorted()
    var best = 0.0
    for (k, angle) in angles.enumerated() {
      best = max(best, value(x, c, [.cos(angle), .sin(angle)]))
      let middle = (angle + (k + 1 < angles.count ? angles[k + 1] : angles[0] + 2 * .pi)) / 2
      var gradient = [0.0, 0.0]
      let (along, across) = (Double.cos(middle), Double.sin(middle))
      for i in 0..<x.rows where x[i, 0] * along + x[i, 1] * across > 0 {
        for a in 0..<2 { gradient[a] += c[i] * x[i, a] }
      }
      let norm = StrictArithmetic.norm(gradient)
      if norm > 0 { best = max(best, value(x, c, gradient.map { $0 / norm })) }
    }
    return best
  }

  @Test("The maximum, and directions above a target", arguments: 1...300 as ClosedRange<UInt64>)
  func maximum(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let n = Int(seed % 50)
    var x: Matrix<Double> = random.matrix(n, 2)
    if seed % 3 == 0 { for i in 0..<n { for a in 0..<2 { x[i, a].round() } } }  // axes, zeros, parallel rows
    let c = (0..<n).map { _ in random.normal() }
    let best = largest(x, c)
    let sweep = AngularSweep(x: x, c: c, target: 0.9 * best)
    #expect(abs(sweep.largestValue - best) <= 1e-12 * (1 + best) * Double(n + 1))
    #expect(sweep.bound >= best && sweep.bound <= best + 1e-9 * (1 + best))
    if best > 0 { #expect(abs((sweep.violations.first?.value ?? 0) - best) <= 1e-9 * best) }
    for violation in sweep.violations {
      #expect(violation.value > 0.9 * best)
      #expect(abs(value(x, c, violation.direction) - violation.value) <= 1e-9 * (1 + best))
    }
  }

  @Test("Angles that round to π count a sample once")
  func nearlyMinusTheFirstAxis() {
    for (a, b) in [
      (-1e-300, -1.0), (1e-300, -1), (-1e-17, 1), (1e-17, 1), (-0.0, -1), (0, 1), (-1, 0), (1, 0),
    ] {
      let x = Matrix(rows: [[a, b]])
      let sweep = AngularSweep(x: x, c: [1], target: 0)
      #expect(abs(sweep.largestValue - 1) <= 1e-12, "(\(a), \(b)): \(sweep.largestValue)")
      #expect(AngularSweep(x: x, c: [-1], target: 0).largestValue <= 1e-15)
    }
  }
}
