import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// The branch and bound over cones finds the maximum, and never says less.
struct SphericalBranchAndBoundTests {
  private func value(_ x: Matrix<Double>, _ c: [Double], _ w: [Double]) -> Double {
    (0..<x.rows).reduce(0) { sum, i in
      sum + c[i] * max(0, zip(x.row(i), w).reduce(0) { $0 + $1.0 * $1.1 })
    }
  }

  @Test("In the plane: the angular sweep's maximum", arguments: 1...200 as ClosedRange<UInt64>)
  func plane(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let n = 1 + Int(seed % 50)
    var x: Matrix<Double> = random.matrix(n, 2)
    if seed % 5 == 0 { for i in 0..<n { for a in 0..<2 { x[i, a].round() } } }
    let c = (0..<n).map { _ in random.normal() }
    var search = SphericalBranchAndBound(x: x, c: c, target: 0)
    search.run(cones: 100_000)
    let sweep = AngularSweep(x: x, c: c, target: 0)
    let best = sweep.largestValue
    let isComplete = search.isComplete
    #expect(isComplete)
    #expect(search.bound >= best * (1 - 1e-12), "\(search.bound) < \(best)")
    #expect(search.bound <= best * (1 + 3e-6) + 1e-9, "\(search.bound), \(best)")
    #expect(abs(value(x, c, search.maximiser) - search.largestValue) <= 1e-9 * (1 + best))
  }

  @Test(
    "With a target the bound is what was pruned or left, and never below what is reached",
    arguments: 1...60 as ClosedRange<UInt64>)
  func targets(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let (n, d) = (5 + Int(seed % 40), 1 + Int(seed % 5))
    let x: Matrix<Double> = random.matrix(n, d)
    let c = (0..<n).map { _ in random.normal() }
    var whole = SphericalBranchAndBound(x: x, c: c, target: 0)
    whole.run(cones: 200_000)
    for (factor, cones) in [(1.05, 200_000), (1.5, 200_000), (0.8, 200_000), (1.0001, 100), (1.0001, 0)] {
      var search = SphericalBranchAndBound(x: x, c: c, target: factor * whole.largestValue)
      search.run(cones: cones)
      #expect(search.bound >= whole.largestValue * (1 - 1e-12), "\(factor), \(cones)")
      if factor >= 1, cones > 1000 { #expect(search.bound <= factor * whole.bound) }
      for _ in 0..<50 {
        let w = (0..<d).map { _ in random.normal() }
        let norm = StrictArithmetic.norm(w)
        #expect(search.bound >= value(x, c, w) / norm)
      }
    }
  }

  @Test(
    "A search for violations ends soon after the first, and its bound holds",
    arguments: 1...30 as ClosedRange<UInt64>)
  func violations(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let (n, d) = (30 + Int(seed), 2 + Int(seed % 4))
    let x: Matrix<Double> = random.matrix(n, d)
    let c = (0..<n).map { _ in random.normal() }
    var whole = SphericalBranchAndBound(x: x, c: c, target: 0)
    whole.run(cones: 200_000)
    for factor in [0.5, 0.99, 1.01] {
      let target = factor * whole.largestValue
      var (search, plain) = (
        SphericalBranchAndBound(x: x, c: c, target: target),
        SphericalBranchAndBound(x: x, c: c, target: target)
      )
      search.run(cones: 200_000, untilViolated: true)
      plain.run(cones: 200_000)
      let (found, cones, bound) = (search.violations, search.cones, search.bound)
      #expect(bound >= whole.largestValue * (1 - 1e-12) && cones <= plain.cones)
      #expect(found.isEmpty == (factor > 1) && found.count <= 10)
      #expect(zip(found, found.dropFirst()).allSatisfy { $0.value >= $1.value })
      for violation in found {
        #expect(violation.value > target)
        #expect(abs(value(x, c, violation.direction) - violation.value) <= 1e-9 * violation.value)
      }
      if factor > 1 { #expect(cones == plain.cones && bound == plain.bound) }
    }
  }

  @Test("Samples of one direction count as one, so that opposite signs cancel")
  func duplicates() {
    var random = SplitMix64(seed: 3)
    let half: Matrix<Double> = random.matrix(40, 4)
    let c = (0..<40).map { _ in random.normal() }
    var once = SphericalBranchAndBound(x: half, c: c, target: 0)
    once.run(cones: 100_000)
    let twice = Matrix(rows: (0..<40).map(half.row) + (0..<40).map { half.row($0).map { 3 * $0 } })
    var search = SphericalBranchAndBound(
      x: twice, c: c.map { 4 * $0 } + c.map { -$0 }, target: 0)  // 4c − 3c
    search.run(cones: 100_000)
    #expect(abs(search.bound - once.bound) <= 1e-5 * once.bound)
    #expect(search.cones <= 2 * once.cones)
  }

  @Test("The same for any number of threads")
  func threads() {
    var random = SplitMix64(seed: 8)
    let x: Matrix<Double> = random.matrix(60, 4)
    let c = (0..<60).map { _ in random.normal() }
    expectSameForAnyThreads("branch and bound") {
      var search = SphericalBranchAndBound(x: x, c: c, target: 0)
      search.run(cones: 3000)
      return [search.bound, search.largestValue, Double(search.cones)]
    }
  }

  @Test("A linear function on a simplicial cone", arguments: 1...100 as ClosedRange<UInt64>)
  func cone(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let d = 1 + Int(seed % 6)
    var vectors: [Double] = []
    for k in 0..<d {
      var v = (0..<d).map { _ in 0.3 * abs(random.normal()) }  // acute, as inside of an orthant
      v[k] += 1
      let norm = StrictArithmetic.norm(v)
      vectors += v.map { $0 / norm }
    }
    var cone = SimplicialCone(dimension: d)
    cone.set(vectors)
    var p = [Double](repeating: 0, count: d)
    for _ in 0..<20 {
      let c = (0..<d).map { _ in random.normal() }
      let bound = cone.maximum(of: c, at: &p)
      var best = 0.0
      for _ in 0..<300 {
        let a = (0..<d).map { _ in random.next() % 3 == 0 ? 0 : abs(random.normal()) }
        let w = (0..<d).map { i in (0..<d).reduce(0) { $0 + a[$1] * vectors[$1 * d + i] } }
        let norm = StrictArithmetic.norm(w)
        if norm > 0 { best = max(best, zip(c, a).reduce(0) { $0 + $1.0 * $1.1 } / norm) }
      }
      #expect(bound >= best * (1 - 1e-12))
      // p is a point of the cone in whose direction the bound is reached.
      let reached = StrictArithmetic.norm(p)
      #expect(bound <= reached + 1e-9)
    }
  }
}
