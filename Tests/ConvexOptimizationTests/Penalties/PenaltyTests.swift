import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite("Penalties") struct PenaltyTests {
  @Test("prox, conjugate, dual norm, subdifferential", arguments: 0..<4)
  func penalties(seed: Int) throws {
    try check(Double.self, seed: UInt64(seed))
    try check(Float.self, seed: UInt64(seed))
  }

  private func check<T: Scalar>(_: T.Type, seed: UInt64) throws {
    for λ in [T(0.3), 2] {
      checkPenalty(try GroupLasso<T>(λ), rows: 5, columns: 3, seed: seed)
      checkPenalty(
        try GroupLasso<T>(λ, groupWeights: [1, 2, 0.5, 4, 1]), rows: 5, columns: 3, seed: seed)
      checkPenalty(try L1Norm<T>(λ), rows: 4, columns: 3, seed: seed)
      checkPenalty(try SquaredL2Norm<T>(λ), rows: 4, columns: 3, seed: seed, isNorm: false)
      checkSmooth(try SquaredL2Norm<T>(λ), rows: 4, columns: 3, seed: seed)
      checkPenalty(try NuclearNorm<T>(λ), rows: 5, columns: 3, seed: seed)
      checkPenalty(try NuclearNorm<T>(λ), rows: 2, columns: 4, seed: seed)
    }
  }

  @Test("λ = 0 gives 0, the identity, and no 0/0")
  func zeroλ() throws {
    let penalties: [any Penalty<Double>] = [
      try GroupLasso(0), try L1Norm(0), try SquaredL2Norm(0), try NuclearNorm(0),
      try GroupLasso(1, groupWeights: [0, 0, 0]),
    ]
    let x = Matrix<Double>(rows: [[1, 2], [0, 0], [-3, 4]])
    let zero = Matrix<Double>(3, 2)
    for Ω in penalties {
      var y = Matrix<Double>(3, 2, fill: .nan)
      #expect(Ω.prox(of: x, step: 2, into: &y) == 0)
      #expect(zip(x.storage, y.storage).allSatisfy { abs($0 - $1) < 1e-14 })
      #expect(Ω.prox(of: zero, step: 2, into: &y) == 0 && y == zero)
      #expect(Ω.conjugateValue(at: zero) == 0 && Ω.conjugateValue(at: x) == .infinity)
      #expect(Ω.dualNorm(of: zero) == 0 && Ω.dualNorm(of: x) == .infinity)
      #expect(Ω.subdifferentialDistance(at: zero, gradient: zero) == 0)
      #expect(abs(Ω.subdifferentialDistance(at: x, gradient: x) - 30.0.squareRoot()) < 1e-13)
    }
  }

  @Test("known values")
  func knownValues() throws {
    let x = Matrix<Double>(rows: [[3, 4], [0, 0], [0, -2]])
    #expect(try GroupLasso(2).value(at: x) == 14)
    #expect(try GroupLasso(2, groupWeights: [1, 5, 3]).value(at: x) == 22)
    #expect(try L1Norm(2).value(at: x) == 18)
    #expect(try SquaredL2Norm(2).value(at: x) == 29)
    #expect(abs(try NuclearNorm(2).value(at: Matrix(rows: [[3, 0], [0, -2]])) - 10) < 1e-14)
    #expect(try GroupLasso(2).dualNorm(of: x) == 2.5)
    #expect(try NuclearNorm(2).dualNorm(of: Matrix(rows: [[3, 0], [0, -2]])) == 1.5)
    // Off the tangent space of diag(1, 0): (3 − 2)₊; on it: 0.5 + 2.
    let distance = try NuclearNorm(2).subdifferentialDistance(
      at: Matrix(rows: [[1, 0], [0, 0]]), gradient: Matrix(rows: [[0.5, 0], [0, 3]]))
    #expect(abs(distance - (2.5 * 2.5 + 1).squareRoot()) < 1e-14)
  }

  @Test("norms of tiny and huge rows")
  func scales() throws {
    for scale in [1e-300, 1e-200, 1e200, 1e300] {
      let x = Matrix<Double>(rows: [[3 * scale, 4 * scale]])
      let Ω = try GroupLasso(1.0)
      #expect(abs(Ω.value(at: x) / scale - 5) < 1e-14)
      var y = x
      Ω.prox(of: x, step: scale, into: &y)
      #expect(abs(y[0, 0] / scale - 2.4) < 1e-14)
    }
  }

  @Test("a matrix that is not finite makes the nuclear norm NaN, not a trap")
  func nuclearNaN() throws {
    let x = Matrix<Double>(rows: [[.nan, 1], [0, 1]])
    var y = x
    #expect(try NuclearNorm(1).value(at: x).isNaN)
    #expect(try NuclearNorm(1).prox(of: x, step: 1, into: &y).isNaN)
  }

  @Test("wrong arguments", arguments: [-1, Double.nan, .infinity, -.infinity])
  func wrongArguments(λ: Double) {
    #expect(throws: ParameterError.self) { try GroupLasso(λ) }
    #expect(throws: ParameterError.self) { try L1Norm(λ) }
    #expect(throws: ParameterError.self) { try SquaredL2Norm(λ) }
    #expect(throws: ParameterError.self) { try NuclearNorm(λ) }
    #expect(throws: ParameterError.self) { try GroupLasso(1, groupWeights: [1, λ]) }
    #expect(ParameterError("x", "λ", -1, allowed: "a number").description == "x: λ = -1.0; give a number")
  }
}
