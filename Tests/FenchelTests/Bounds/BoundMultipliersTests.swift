import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Bounds by multipliers hold whatever the multipliers are.
struct BoundMultipliersTests {
  /// Σ c_i (x_iᵀw)₊.
  private func value(_ x: Matrix<Double>, _ c: [Double], _ w: [Double]) -> Double {
    (0..<x.rows).reduce(0) { sum, i in
      sum + c[i] * max(0, zip(x.row(i), w).reduce(0) { $0 + $1.0 * $1.1 })
    }
  }

  /// The largest value over the directions Σ_{i ∈ S} c_i x_i of all sets S, where the maximum is unless it is on a border, and
  /// its direction.
  private func reached(_ x: Matrix<Double>, _ c: [Double]) -> (value: Double, direction: [Double]) {
    var best = (0.0, [Double](repeating: 0, count: x.columns))
    for set in 1..<1 << x.rows {
      var w = [Double](repeating: 0, count: x.columns)
      for i in 0..<x.rows where set >> i & 1 == 1 {
        for a in 0..<x.columns { w[a] += c[i] * x[i, a] }
      }
      let norm = StrictArithmetic.norm(w)
      guard norm > 0, norm.isFinite else { continue }
      w = w.map { $0 / norm }
      let value = value(x, c, w)
      if value > best.0 { best = (value, w) }
    }
    return best
  }

  /// min_{a ≥ 0} ½‖y − σa(Xw)₊‖² + λa, of networks with one neuron or none.
  private func objective(_ x: Matrix<Double>, _ y: [Double], _ w: [Double], σ: Double, λ: Double) -> Double {
    let f = (0..<x.rows).map { i in σ * max(0, zip(x.row(i), w).reduce(0) { $0 + $1.0 * $1.1 }) }
    let square = f.reduce(0) { $0 + $1 * $1 }
    let a = square > 0 ? max(0, (zip(f, y).reduce(0) { $0 + $1.0 * $1.1 } - λ) / square) : 0
    return zip(f, y).reduce(λ * a) { $0 + ($1.1 - a * $1.0) * ($1.1 - a * $1.0) / 2 }
  }

  @Test(
    "No multipliers, sensible or not, give a length below one that is reached, or a bound above a network",
    arguments: 0..<20)
  func soundness(_ part: Int) throws {
    var random = SplitMix64(seed: UInt64(part) + 1)
    let odd = [0, -1, 1e-300, 1e300, Double.nan, .infinity, -.infinity, -0.5, 2]
    func draw() -> Double { random.next() % 4 == 0 ? odd[Int(random.next() % 9)] : random.normal() }
    for trial in 0..<5000 {
      let (n, d) = (1 + Int(random.next() % 5), 1 + Int(random.next() % 3))
      var x: Matrix<Double> = random.matrix(n, d)
      if trial % 7 == 0 { for a in 0..<d { x[n - 1, a] = x[0, a] * (trial % 2 == 0 ? 1 : -2) } }
      if trial % 11 == 0 { for a in 0..<d { x[0, a] = 0 } }
      let θ: Matrix<Double> = random.matrix(n, 1)
      func numbers() -> [Double] { (0..<n).map { _ in draw() } }
      let (y, λ) = ((0..<n).map { _ in random.normal() }, abs(random.normal()) + 0.01)
      var (proof, networks) = (BoundMultipliers(θ: θ, pieces: []), [Double]())
      for σ in [1.0, -1.0] {
        let piece = BoundMultipliers.Piece(output: 0, sign: σ, lines: numbers(), parabolas: numbers())
        proof.pieces.append(piece)
        let bound = proof.bound(x, piece: piece)
        let least = reached(x, θ.storage.map { σ * $0 })
        #expect(bound >= least.value, "part \(part), trial \(trial): \(bound) < \(least.value)")
        networks.append(objective(x, y, least.direction, σ: σ, λ: λ))
      }
      let loss: any Loss<Double> = try LossKind.squared.makeLoss(targets: Matrix(column: y))
      let program = try TwoLayerProgram(
        x: x, loss: loss, kind: .squared, parameters: LossParameters(),
        λ: λ, patterns: .given(Matrix(1, d), for: x), isConstrained: true)
      let best = networks.reduce(.infinity, min)
      #expect(proof.value(for: program) <= best + 1e-12, "part \(part), trial \(trial)")
    }
  }

  @Test("Dual points far too long or too short prove the same bound, none above the network's objective")
  func scales() throws {
    var random = SplitMix64(seed: 21)
    let (n, d) = (30, 6)
    let x: Matrix<Double> = random.matrix(n, d)
    let y = Matrix(column: (0..<n).map { max(0, x[$0, 0] - x[$0, 1]) + 0.1 * random.normal() })
    let program = try TwoLayerProgram(
      x: x, loss: LossKind.squared.makeLoss(targets: y), kind: .squared, λ: 0.05,
      patterns: .sampled(x, count: 40, seed: 1), isConstrained: true)
    let solution = try WorkingSetMethod(program, limits: Limits(tolerance: 1e-6)).solve().solution
    var bounding = GlobalBounding(program)
    bounding.effort = .quick
    let bound = try #require(bounding.relaxation(near: solution))
    guard case .multipliers(let multipliers) = bound.proof else {
      Issue.record("no multipliers")
      return
    }
    for factor in [1e-12, 1e-3, 778, 1e12] {
      var scaled = multipliers
      scaled.θ.scale(by: factor)
      let value = scaled.value(for: program)
      #expect(
        value <= solution.certificate.primal && abs(value - bound.value) <= 1e-6 * bound.value, "\(factor)")
    }
    for odd in [Double.nan, .infinity, 1e308, 0] {
      var broken = multipliers
      broken.θ[3, 0] = odd
      #expect(!(broken.value(for: program) > solution.certificate.primal), "\(odd)")
    }
  }

  @Test("Ranges on a cone hold all of it, and pieces bound what directions in them reach", arguments: 1...12)
  func pieces(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    for _ in 0..<60 {
      let (n, d) = (6, 2 + Int(seed % 4))
      let x: Matrix<Double> = random.matrix(n, d)
      let θ: Matrix<Double> = random.matrix(n, 1)
      var cone = DirectionCone()
      for _ in 0...Int(random.next() % 3) {
        cone = cone.halves(by: Int(random.next() % 6))[Int(random.next() % 2)]
      }
      let lines = (0..<n).map { _ in random.normal() }
      let piece = BoundMultipliers.Piece(
        output: 0, sign: 1, cone: cone, lines: lines, parabolas: (0..<n).map { _ in abs(random.normal()) })
      let (ranges, bound) = (
        cone.ranges(of: x), BoundMultipliers(θ: θ, pieces: [piece]).bound(x, piece: piece)
      )
      for _ in 0..<200 {
        let w = (0..<d).map { _ in random.normal() }
        let norm = StrictArithmetic.norm(w)
        let z = (0..<n).map { i in zip(x.row(i), w).reduce(0) { $0 + $1.0 * $1.1 } / norm }
        guard cone.cuts.allSatisfy({ $0.side * z[$0.sample] >= 0 }) else { continue }
        #expect(zip(ranges, z).allSatisfy { $0.lowerBound <= $1 && $1 <= $0.upperBound })
        #expect(zip(θ.storage, z).reduce(0) { $0 + $1.0 * max(0, $1.1) } <= bound)
      }
    }
  }

  @Test("A partition is known by its cuts")
  func cover() {
    let halves = DirectionCone().halves(by: 1)
    let quarters = halves[0].halves(by: 2)
    #expect(DirectionCone.cover([DirectionCone()]))
    #expect(DirectionCone.cover(halves) && DirectionCone.cover([quarters[1], halves[1], quarters[0]]))
    #expect(!DirectionCone.cover([]) && !DirectionCone.cover([halves[0]]))
    #expect(!DirectionCone.cover(quarters) && !DirectionCone.cover([quarters[0], halves[1]]))
    #expect(!DirectionCone.cover([halves[0], DirectionCone().halves(by: 2)[1]]))
    let deep = (0..<64).reduce(into: [DirectionCone]()) { cones, sample in
      let next = (cones.popLast() ?? DirectionCone()).halves(by: sample)
      cones += next
    }
    #expect(DirectionCone.cover(deep) && !DirectionCone.cover(deep.dropFirst(30).dropLast()))
  }

  @Test("The maximum of a quadratic function on the sphere", arguments: 1...40 as ClosedRange<UInt64>)
  func sphere(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let d = 1 + Int(seed % 6)
    var q: Matrix<Double> = random.matrix(d, d)
    for a in 0..<d { for b in 0..<a { q[a, b] = q[b, a] } }
    var b = (0..<d).map { _ in random.normal() }
    let eigen = try SymmetricEigen(q)
    if seed % 4 == 0, d > 1 {  // the hard case: b has no part along the last eigenvector
      let v = eigen.vectorsTransposed.row(d - 1)
      let along = zip(b, v).reduce(0) { $0 + $1.0 * $1.1 } * 1
      b = zip(b, v).map { 1e-3 * ($0 - along * $1) }
    }
    if seed % 9 == 0 { b = b.map { _ in 0 } }
    let bound = SphereMaximum(linear: b, quadratic: q).upperBound
    // Projected ascent from many starts.
    var best = -Double.infinity
    let shift = 2 * eigen.values.map(abs).reduce(0, max) + 1
    for _ in 0..<10 {
      var w = (0..<d).map { _ in random.normal() }
      for _ in 0..<600 {
        var next = (0..<d).map { a in
          b[a] / 2 + shift * w[a] + (0..<d).reduce(0) { $0 + q[a, $1] * w[$1] }
        }
        let norm = StrictArithmetic.norm(next)
        next = next.map { $0 / norm }
        w = next
      }
      let form = (0..<d).reduce(0) { sum, a in
        sum + w[a] * (b[a] + (0..<d).reduce(0) { $0 + q[a, $1] * w[$1] })
      }
      best = max(best, form)
    }
    #expect(bound >= best - 1e-12 * shift)
    #expect(bound <= best + 1e-5 * shift, "not tight: \(bound), \(best)")
  }

  @Test("The sphere's bound stands zero, huge and tiny numbers")
  func sphereAtExtremes() {
    let zero = Matrix<Double>(3, 3)
    #expect(SphereMaximum(linear: [0, 0, 0], quadratic: zero).upperBound >= 0)
    for scale in [1e-150, 1e150] {
      var q = Matrix<Double>.identity(3)
      for a in 0..<3 { q[a, a] = scale * Double(a) }
      let bound = SphereMaximum(linear: [scale, 0, 0], quadratic: q).upperBound
      #expect(bound >= 2 * scale && (bound <= 2.3 * scale || scale > 1), "\(scale): \(bound)")
    }
    #expect(SphereMaximum(linear: [.nan], quadratic: Matrix(1, 1)).upperBound == .infinity)
  }
}
