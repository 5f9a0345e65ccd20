import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

@Suite struct QuadraticWassersteinGameTests {
  private struct Oracle: Decodable {
    var X: [[Double]]
    var beta: Double
    var singular_values_X: [Double]
    var singular_values_G: [Double]
    var GtG: [[Double]]
    var optimal_value: Double
  }

  @Test func theOracle() throws {
    let oracle = try JSONDecoder().decode(Oracle.self, from: OracleTests.Oracle.data("07a_wgan_closed_form"))
    let x = Matrix(rows: oracle.X)
    let game = try QuadraticWassersteinGame(x, β: oracle.beta)
    let expected = oracle.singular_values_G
    #expect(game.rank == expected.count { $0 > 0 })
    for (found, wanted) in zip(game.singularValues, oracle.singular_values_X) {
      #expect(abs(found - wanted) <= 1e-10)
    }
    for (r, wanted) in expected.enumerated() {
      #expect(abs((r < game.rank ? game.values[r] : 0) - wanted) <= 1e-10, "singular value \(r)")
    }
    #expect(abs(game.optimum - oracle.optimal_value) <= 1e-10 * oracle.optimal_value)
    let gram = gramMatrix(game.output, .yes)
    for i in 0..<gram.rows {
      for j in 0..<gram.columns { #expect(abs(gram[i, j] - oracle.GtG[i][j]) <= 1e-10, "GᵀG[\(i), \(j)]") }
    }
    #expect(abs(try QuadraticWassersteinGame.distance(x, game.output) - oracle.beta) <= 1e-10)
  }

  /// The constraint holds with equality where β cuts something off; nothing smaller satisfies it; both ways to compute it agree.
  @Test(arguments: 0..<30)
  func theConstraintIsTight(seed: Int) throws {
    var generator = TestGenerator(UInt64(seed))
    let (n, d) = (Int.random(in: 2...20, using: &generator), Int.random(in: 1...40, using: &generator))
    let x: Matrix<Double> = Philox(seed: UInt64(seed)).normalMatrix(n, d)
    let largest = try #require(try SVD(x).values.first)
    let β = Double.random(in: 0.01...0.9, using: &generator) * largest * largest
    let game = try QuadraticWassersteinGame(x, β: β)
    let scale = largest * largest
    let constraint = try QuadraticWassersteinGame.distance(x, game.output)
    #expect(constraint <= β + 1e-12 * scale, "seed \(seed)")
    // The definition, with matrices of order d.
    var difference = gramMatrix(x, .yes)
    let own = gramMatrix(game.output, .yes)
    for i in 0..<difference.count { difference.storage[i] -= own.storage[i] }
    let values = try SymmetricEigen(difference).values
    let direct = max(abs(values.first ?? 0), abs(values.last ?? 0))
    #expect(abs(constraint - direct) <= 1e-12 * scale, "seed \(seed)")
    #expect(abs(direct - β) <= 1e-11 * scale || (game.values.count == min(n, d)), "seed \(seed)")
    // A G that is smaller in a direction of its own breaks it.
    var smaller = game.output
    for j in 0..<d { smaller[0, j] *= 0.999 }
    #expect(try QuadraticWassersteinGame.distance(x, smaller) > β * (1 + 1e-9), "seed \(seed)")
    // Any G within the constraint is at least as large: X itself, and mixtures.
    for t in [1.0, 0.7, 0.2] {
      var mixed = x
      mixed.scale(by: t)
      if try QuadraticWassersteinGame.distance(x, mixed) <= β {
        #expect(mixed.frobeniusNorm * mixed.frobeniusNorm >= game.optimum * (1 - 1e-12), "seed \(seed)")
      }
    }
  }

  @Test func distancesOfTallAndWideMatricesAgree() throws {
    let philox = Philox(seed: 5)
    let (x, g): (Matrix<Double>, Matrix<Double>) = (
      philox.normalMatrix(4, 9), Philox(seed: 6).normalMatrix(3, 9)
    )
    let wide = try QuadraticWassersteinGame.distance(x, g)
    // Rows of zeros change nothing but which way is taken.
    let more = Matrix(10, 9, storage: x.storage + [Double](repeating: 0, count: 54))
    #expect(abs(wide - (try QuadraticWassersteinGame.distance(more, g))) <= 1e-12 * wide)
    #expect(abs(wide - (try QuadraticWassersteinGame.distance(g, x))) <= 1e-12 * wide)
    #expect(try QuadraticWassersteinGame.distance(x, x) <= 1e-12 * wide)
  }

  @Test func withoutWeightTheOutputHasTheMomentsOfTheData() throws {
    let x: Matrix<Double> = Philox(seed: 3).normalMatrix(12, 5)
    let game = try QuadraticWassersteinGame(x, β: 0)
    let (own, other) = (gramMatrix(game.output, .yes), gramMatrix(x, .yes))
    for i in 0..<own.count { #expect(abs(own.storage[i] - other.storage[i]) <= 1e-12 * game.largest) }
    #expect(try QuadraticWassersteinGame(x, β: 2 * game.largest).rank == 0)
    #expect(try QuadraticWassersteinGame(x, .ratio(0.5)).β == 0.5 * game.largest)
  }

  @Test(arguments: [-1, -1e-300, .nan, .infinity])
  func weightsThatAreNone(β: Double) throws {
    let x: Matrix<Double> = Philox(seed: 3).normalMatrix(4, 3)
    #expect(throws: GenerativeError.self) { try QuadraticWassersteinGame(x, β: β) }
    var settings = GeneratorSettings()
    settings.β = .ratio(β)
    #expect(throws: GenerativeError.self) { try GenerativeTraining(settings) }
    settings.β = .value(β)
    #expect(throws: GenerativeError.self) { try GenerativeTraining(settings) }
  }
}
