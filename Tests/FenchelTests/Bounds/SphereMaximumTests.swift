import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// The sharp bound on the maximum of a quadratic function on the sphere, which certificates of semidefinite programs use.
struct SphereMaximumTests {
  /// bᵀw + wᵀQ w.
  private func value(_ w: [Double], _ b: [Double], _ q: Matrix<Double>) -> Double {
    StrictArithmetic.dot(b, w)
      + (0..<w.count).reduce(0) { $0 + w[$1] * StrictArithmetic.dot(q.row($1), w) }
  }

  /// A problem whose maximum is known: w* = Σ_i c_i v_i with b = 2(ρI − Q)w* and ρ ≥ λ_max(Q), of value ρ + ½bᵀw*.
  private func known(
    _ seed: UInt64, _ d: Int, isHard: Bool
  ) throws -> (b: [Double], q: Matrix<Double>, w: [Double]) {
    var random = SplitMix64(seed: seed)
    let q: Matrix<Double> = (random.matrix(d, d) as Matrix<Double>).symmetricPart
    let eigen = try SymmetricEigen(q)
    let ρ = (eigen.values.last ?? 0) + (isHard ? 0 : abs(random.normal()))
    var w = (0..<d).map { _ in random.normal() }
    let norm = StrictArithmetic.norm(w)
    w = w.map { $0 / norm }
    let b = (0..<d).map { 2 * (ρ * w[$0] - StrictArithmetic.dot(q.row($0), w)) }
    return (b, q, w)
  }

  @Test(
    "it is the maximum to the last digits, in the hard case too", arguments: 0..<30 as Range<UInt64>,
    [false, true])
  func sharp(seed: UInt64, isHard: Bool) throws {
    for d in [1, 2, 5, 30] {
      let (b, q, w) = try known(seed, d, isHard: isHard)
      let (best, size) = (value(w, b, q), 1 + StrictArithmetic.norm(q.storage) + StrictArithmetic.norm(b))
      let problem = SphereMaximum(linear: b, quadratic: q)
      // The formula of the value at w* rounds too.
      #expect(problem.sharpUpperBound >= best - 1e-15 * Double(d) * size, "seed \(seed), d = \(d)")
      #expect(problem.sharpUpperBound <= best + 1e-11 * size, "seed \(seed), d = \(d)")
      #expect(abs(problem.estimate - best) <= 1e-11 * size, "seed \(seed), d = \(d)")
    }
  }

  @Test(
    "so it is beyond one block of the factorisation, and from multipliers that are known",
    arguments: [false, true])
  func blocks(isHard: Bool) throws {
    for d in [31, 32, 33, 64, 100] {
      let (b, q, w) = try known(UInt64(d), d, isHard: isHard)
      let (best, size) = (value(w, b, q), 1 + StrictArithmetic.norm(q.storage) + StrictArithmetic.norm(b))
      let problem = SphereMaximum(linear: b, quadratic: q)
      let bounds = [
        problem.sharpUpperBound, problem.sharpUpperBound(at: problem.multipliers), problem.upperBound,
      ]
      for (bound, room) in zip(bounds, [1e-10, 1e-10, 1e-6]) {
        #expect(bound >= best - 1e-15 * Double(d) * size && bound <= best + room * size, "d = \(d)")
      }
      #expect(bounds[0] == bounds[1])
    }
  }

  @Test("without a linear part it is the largest eigenvalue")
  func eigenvalue() throws {
    for seed: UInt64 in 0..<20 {
      var random = SplitMix64(seed: seed)
      let q: Matrix<Double> = (random.matrix(8, 8) as Matrix<Double>).symmetricPart
      let largest = try SymmetricEigen(q).values.last ?? 0
      let bound = SphereMaximum(linear: [Double](repeating: 0, count: 8), quadratic: q).sharpUpperBound
      #expect(bound >= largest - 1e-14 && bound <= largest + 1e-11)
    }
  }

  @Test("zero, huge, tiny and missing numbers")
  func extremes() {
    #expect(SphereMaximum(linear: [0, 0], quadratic: Matrix(2, 2)).sharpUpperBound == 0)
    for scale in [1e-150, 1e-20, 1e20, 1e150] {
      var q = Matrix<Double>.identity(3)
      for a in 0..<3 { q[a, a] = scale * Double(a) }
      let bound = SphereMaximum(linear: [scale, 0, 0], quadratic: q).sharpUpperBound / scale
      // The hard case: ρ = 2, and ¼ · 1/2 from the linear part.
      #expect(bound >= 2.125 - 1e-15 && bound <= 2.125 + 1e-11, "\(scale): \(bound)")
    }
    #expect(SphereMaximum(linear: [.nan], quadratic: Matrix(1, 1)).sharpUpperBound == .infinity)
    #expect(SphereMaximum(linear: [1], quadratic: Matrix(1, 1, fill: .infinity)).sharpUpperBound == .infinity)
  }
}
