import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct RidgeRegressionTests {
  /// At the minimiser of ½‖XW − T‖² + (ε/2)‖W‖² the gradient vanishes, for tall and wide X.
  @Test(arguments: [(30, 4), (4, 30), (7, 7), (1, 5), (5, 1)])
  func gradientVanishes(n: Int, d: Int) throws {
    try checkGradient(n, d, tolerance: 1e-11, Double.self)
    try checkGradient(n, d, tolerance: 2e-4, Float.self)
  }

  private func checkGradient<T: Scalar>(_ n: Int, _ d: Int, tolerance: Double, _: T.Type) throws {
    var random = SplitMix64(seed: UInt64(31 * n + d))
    let (x, t): (Matrix<T>, Matrix<T>) = (random.matrix(n, d), random.matrix(n, 3))
    let ε: T = 0.3
    for gram in [nil, n >= d ? gramMatrix(x, .yes) : nil] {
      let w = try RidgeRegression(x, shift: ε, gram: gram).step(t)
      var residual = matrixProduct(x, w)
      residual.add(-1, t)
      var gradient = matrixProduct(x, .yes, residual)
      gradient.add(ε, w)
      #expect(
        Double(gradient.frobeniusNorm) <= tolerance * Double(t.frobeniusNorm) * Double(n + d), "\(n) × \(d)")
    }
  }

  /// Without ε it is the pseudo-inverse, also where columns repeat or vanish.
  @Test func pseudoInverse() throws {
    var random = SplitMix64(seed: 5)
    let basis: Matrix<Double> = random.matrix(20, 3)
    let mixing: Matrix<Double> = random.matrix(3, 6)
    var x = matrixProduct(basis, mixing)
    x.setColumn(5, [Double](repeating: 0, count: 20))
    let t: Matrix<Double> = random.matrix(20, 2)
    let w = try RidgeRegression(x, shift: 0).step(t)
    let svd = try SVD(x)
    let rank = svd.values.count { $0 > 1e-8 }
    #expect(rank == 3)
    var expected = Matrix<Double>(6, 2)
    for k in 0..<rank {
      for i in 0..<6 {
        for j in 0..<2 {
          let along = (0..<20).reduce(0.0) { $0 + svd.u[$1, k] * t[$1, j] }
          expected[i, j] += svd.vTransposed[k, i] * along / svd.values[k]
        }
      }
    }
    #expect(distance(matrixProduct(x, w), matrixProduct(x, expected)) < 1e-9)
    #expect(w.frobeniusNorm < 1.1 * expected.frobeniusNorm)
  }

  /// ½‖AW + 1bᵀ − T‖² + (ε/2)‖A − H‖² is stationary at `ridgeOutputs`.
  @Test(arguments: [(5, 3), (3, 5), (4, 1)])
  func outputs(p: Int, q: Int) throws {
    var random = SplitMix64(seed: UInt64(p + 10 * q))
    for hasBias in [true, false] {
      let w: Matrix<Double> = random.matrix(p + (hasBias ? 1 : 0), q)
      let (h, t): (Matrix<Double>, Matrix<Double>) = (random.matrix(9, p), random.matrix(9, q))
      let a = try ridgeOutputs(fitting: t, through: w, hasBias: hasBias, near: h, shift: 0.7)
      var residual = matrixProduct(a, w.firstRows(p))
      for k in 0..<9 { for j in 0..<q { residual[k, j] += (hasBias ? w[p, j] : 0) - t[k, j] } }
      var gradient = matrixProduct(residual, .no, w.firstRows(p), .yes)
      gradient.add(0.7, a)
      gradient.add(-0.7, h)
      #expect(gradient.frobeniusNorm < 1e-12 * 100)
    }
  }

  @Test func notFiniteIsAnError() {
    #expect(throws: FactorisationError.self) {
      try RidgeRegression(Matrix<Double>(3, 2, fill: .nan), shift: 1)
    }
  }
}
