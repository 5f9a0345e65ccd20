import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite("Cone decomposition") struct ConeDecompositionTests {
  private func norm(_ v: [Double]) -> Double { StrictArithmetic.norm(v) }

  /// u − v = w, u and v in the cone, ‖u‖ + ‖v‖ ≥ ‖w‖ and optimal by a dual point whose feasibility is proven
  /// anew.
  private func check(
    _ w: [Double], _ a: Matrix<Double>, _ found: ConeDecomposition?, gap: Double = 1e-10, _ label: Comment
  ) throws {
    let found = try #require(found, label)
    for i in w.indices {
      #expect(abs(found.u[i] - found.v[i] - w[i]) <= 1e-15 * max(found.norm, norm(w)), label)
    }
    for k in 0..<a.rows {
      for part in [found.u, found.v] {
        let product = StrictArithmetic.dot(a.row(k), part)
        #expect(product >= -1e-12 * norm(a.row(k)) * norm(part), label)
      }
    }
    #expect(found.norm >= norm(w) * (1 - 1e-14), label)
    #expect(found.bound <= found.norm * (1 + 1e-15), label)
    #expect(found.norm - found.bound <= gap * found.norm, label)
    #expect(found.projections <= 12, label)
    let cone = NonnegativeLeastSquares(a)
    for y in [found.dual, found.dual.map { -$0 }] { #expect(cone.solve(y).norm <= 1 + 1e-12, label) }
    #expect(abs(StrictArithmetic.dot(found.dual, w) - found.bound) <= 1e-14 * found.norm, label)
  }

  /// A matrix with A g > 0 for some g, and the signs that make it so.
  private func oriented(_ n: Int, _ d: Int, _ random: inout SplitMix64) -> (Matrix<Double>, [Double]) {
    let x: Matrix<Double> = random.matrix(n, d)
    let g = (0..<d).map { _ in random.normal() }
    return (x, (0..<n).map { StrictArithmetic.dot(x.row($0), g) > 0 ? 1 : -1 })
  }

  private func scaled(_ x: Matrix<Double>, _ signs: [Double]) -> Matrix<Double> {
    Matrix(rows: (0..<x.rows).map { k in x.row(k).map { signs[k] * $0 } })
  }

  @Test("the minimum, with its proof, on random problems of many shapes", arguments: 0..<40 as Range<UInt64>)
  func random(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    for (n, d) in [
      (1, 1), (1, 3), (2, 2), (3, 2), (4, 5), (5, 3), (8, 3), (12, 4), (20, 5), (40, 6), (60, 30), (200, 8),
    ] {
      let (x, signs) = oriented(n, d, &random)
      let w = (0..<d).map { _ in random.normal() }
      let found = ConeDecomposition(of: w, rows: NonnegativeLeastSquares(x), signs: signs)
      try check(w, scaled(x, signs), found, "seed \(seed), \(n) × \(d)")
    }
  }

  @Test("in the non-negative orthant ‖w₊‖ + ‖w₋‖", arguments: 0..<20 as Range<UInt64>)
  func orthant(seed: UInt64) throws {
    var random = SplitMix64(seed: seed + 100)
    let d = 1 + Int(seed) % 7
    let w = (0..<d).map { _ in random.normal() * [1, 1e-6, 1e-11][Int.random(in: 0..<3, using: &random)] }
    let found = ConeDecomposition(of: w, rows: NonnegativeLeastSquares(.identity(d)))
    try check(w, .identity(d), found, "seed \(seed)")
    let parts = (w.map { max($0, 0) }, w.map { max(-$0, 0) })
    for (u, expected) in [(found?.u, parts.0), (found?.v, parts.1)] {
      #expect(norm(zip(u ?? [], expected).map { $0 - $1 }) <= 1e-12 * norm(w), "seed \(seed)")
    }
  }

  @Test("the value that CVXPY with Clarabel finds")
  func oracle() throws {
    let a = Matrix(rows: [[3.0, 1, -1], [1, -2, 2], [2, 2, 1], [-1, 3, 1]])
    let w = [-1.0, 2, 0.5]
    let found = ConeDecomposition(of: w, rows: NonnegativeLeastSquares(a))
    try check(w, a, found, "oracle")
    #expect(abs((found?.norm ?? 0) - 4.356423141573989) <= 1e-9)
  }

  @Test("in a narrow cone the parts are as long as they must be", arguments: [1, 1e-3, 1e-6, 1e-9])
  func narrow(ε: Double) throws {
    let a = Matrix(rows: [[ε, 1], [ε, -1]])
    let found = ConeDecomposition(of: [0, 1], rows: NonnegativeLeastSquares(a))
    try check([0, 1], a, found, "ε \(ε)")
    #expect(abs((found?.norm ?? 0) * ε - (1 + ε * ε).squareRoot()) <= 1e-12)
  }

  @Test("what is in the cone or its negative stays whole; 0 is 0")
  func members() throws {
    let cone = NonnegativeLeastSquares(Matrix(rows: [[1.0, 1], [0, 0], [1, -1]]))
    for w in [[2.0, 1], [1, 1], [1e-300, 0]] {
      let inside = try #require(ConeDecomposition(of: w, rows: cone))
      #expect(inside.u == w && inside.v == [0, 0] && inside.bound == inside.norm)
      let outside = try #require(ConeDecomposition(of: w.map { -$0 }, rows: cone))
      #expect(outside.u == [0, 0] && outside.v == w && outside.bound == outside.norm)
    }
    let zero = try #require(ConeDecomposition(of: [0, 0], rows: cone))
    #expect(zero.norm == 0 && zero.bound == 0)
    #expect(ConeDecomposition(of: [.nan, 0], rows: cone) == nil)
    #expect(ConeDecomposition(of: [.infinity, 0], rows: cone) == nil)
  }

  @Test("the unit of w and the lengths of rows do not matter")
  func scales() throws {
    var random = SplitMix64(seed: 5)
    let (x, signs) = oriented(9, 3, &random)
    let a = scaled(x, signs)
    let w = [1.0, -2, 0.5]
    let plain = try #require(ConeDecomposition(of: w, rows: NonnegativeLeastSquares(a)))
    for power in [-900, -60, 60, 900] {
      let unit = Double(sign: .plus, exponent: power, significand: 1)
      let large = try #require(ConeDecomposition(of: w.map { unit * $0 }, rows: NonnegativeLeastSquares(a)))
      #expect(abs(large.norm / unit - plain.norm) <= 1e-13 * plain.norm, "2^\(power)")
      #expect(abs(large.bound / unit - plain.bound) <= 1e-13 * plain.norm, "2^\(power)")
    }
    let lengths = (0..<9).map { Double(sign: .plus, exponent: 20 * $0 - 80, significand: 1) }
    let other = try #require(ConeDecomposition(of: w, rows: NonnegativeLeastSquares(scaled(a, lengths))))
    #expect(abs(other.norm - plain.norm) <= 1e-12 * plain.norm)
  }

  @Test("a cone without interior: only what is in its span", arguments: 0..<20 as Range<UInt64>)
  func withoutInterior(seed: UInt64) throws {
    var random = SplitMix64(seed: seed + 200)
    let d = 3 + Int(seed) % 3
    var (rows, _) = oriented(6, d, &random)
    let g = (0..<d).map { _ in random.normal() }
    // K = {u : aᵀu = 0, the others ≥ 0} with g in its relative interior.
    for i in 0..<d { rows[1, i] = -rows[0, i] }
    let normal = rows.row(0)
    func flattened(_ v: [Double]) -> [Double] {
      let share = StrictArithmetic.dot(v, normal) / StrictArithmetic.dot(normal, normal)
      return zip(v, normal).map { $0 - share * $1 }
    }
    let inner = flattened(g)
    for k in 2..<6 where StrictArithmetic.dot(rows.row(k), inner) < 0 {
      for i in 0..<d { rows[k, i] = -rows[k, i] }
    }
    let w = (0..<d).map { _ in random.normal() }
    let cone = NonnegativeLeastSquares(rows)
    #expect(ConeDecomposition(of: w, rows: cone) == nil, "seed \(seed)")
    try check(flattened(w), rows, ConeDecomposition(of: flattened(w), rows: cone), "seed \(seed)")
    // K = {0}
    let point = NonnegativeLeastSquares(Matrix(rows: [[1.0, 0], [0, 1], [-1, -1]]))
    #expect(ConeDecomposition(of: [1, 2], rows: point) == nil)
  }

  @Test("cones that hold a line, and the whole space")
  func lines() throws {
    let half = Matrix(rows: [[0.0, 1]])
    try check([3, -1], half, ConeDecomposition(of: [3, -1], rows: NonnegativeLeastSquares(half)), "line")
    let space = try #require(ConeDecomposition(of: [3, 4], rows: NonnegativeLeastSquares(Matrix(0, 2))))
    #expect(space.u == [3, 4] && space.v == [0, 0] && space.norm == 5)
  }
}
