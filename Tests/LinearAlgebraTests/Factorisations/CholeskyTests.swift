import FenchelTestSupport
import LinearAlgebra
import Testing

struct CholeskyTests {
  @Test("L Lᵀ = A, A A⁻¹ = I, solutions and determinants", arguments: [1, 2, 17, 256, 257, 300, 515])
  func identities(n: Int) throws {
    try check(n, Double.self)
    try check(n, Float.self)
  }

  private func check<T: Scalar>(_ n: Int, _: T.Type) throws {
    let a: Matrix<T> = randomPositiveDefinite(n, seed: UInt64(n))
    let cholesky = try Cholesky(a)
    let l = cholesky.factor
    let scale = 4 * Double(n)
    #expect(
      distance(naiveProduct(l, .no, l, .yes), a) <= scale * rounding(T.self, 1, times: 40), "\(n) \(T.self)")
    let x: Matrix<T> = Philox(seed: 3).normalMatrix(n, 5)
    let tolerance = rounding(T.self, n, times: 40)
    #expect(distance(cholesky.solve(matrixProduct(a, x)), x) <= tolerance, "\(n) \(T.self)")
    let column = x.column(2)
    let image = matrixProduct(a, Matrix(column: column)).storage
    #expect(distance(Matrix(column: cholesky.solve(image)), Matrix(column: column)) <= tolerance)
    var half = matrixProduct(a, x)
    cholesky.solveTriangular(.no, inPlace: &half)
    #expect(distance(half, naiveProduct(l, .yes, x)) <= tolerance * scale)
    if n <= 257 {
      #expect(distance(naiveProduct(a, .no, cholesky.inverse), Matrix<T>.identity(n)) <= tolerance)
      let eigenvalues = try SymmetricEigen(a).values
      let expected = eigenvalues.reduce(0.0) { $0 + Double(T.log($1)) }
      #expect(abs(Double(cholesky.logDeterminant) - expected) <= tolerance * scale)
    }
  }

  @Test("Wide right-hand sides and none")
  func widths() throws {
    let a: Matrix<Double> = randomPositiveDefinite(120, seed: 1)
    let cholesky = try Cholesky(a)
    let x: Matrix<Double> = Philox(seed: 2).normalMatrix(120, 500)
    #expect(distance(cholesky.solve(matrixProduct(a, x)), x) < 1e-10)
    #expect(cholesky.solve(Matrix(120, 0)).count == 0)
  }

  @Test("Only the lower triangle is read")
  func triangle() throws {
    var a: Matrix<Double> = randomPositiveDefinite(300, seed: 4)
    let expected = try Cholesky(a).factor
    for i in 0..<300 { for j in i + 1..<300 { a[i, j] = .nan } }
    #expect(try Cholesky(a).factor == expected)
  }

  @Test("Typed failure: shape, the first bad pivot, NaN", arguments: [5, 700])
  func failures(n: Int) throws {
    #expect(throws: FactorisationError.notSquare(rows: 2, columns: 3)) { try Cholesky(Matrix<Double>(2, 3)) }
    for bad in [0, n / 2, n - 1] {
      var a: Matrix<Double> = randomPositiveDefinite(n, seed: 5)
      a[bad, bad] = -1
      #expect(throws: FactorisationError.notPositiveDefinite(pivot: bad)) { try Cholesky(a) }
      a[bad, bad] = .nan
      #expect(throws: FactorisationError.notPositiveDefinite(pivot: bad)) { try Cholesky(a) }
    }
    #expect(throws: FactorisationError.self) { try Cholesky(Matrix<Float>(n, n)) }
    #expect(try Cholesky(Matrix<Double>(0, 0)).solve(Matrix(0, 2)).count == 0)
  }

  @Test("Nearly singular matrices: backward stable, not accurate")
  func nearlySingular() throws {
    let n = 12  // Hilbert's matrix of order 12 has condition 1.7e16
    var a = Matrix<Double>(n, n)
    for i in 0..<n { for j in 0..<n { a[i, j] = 1 / Double(i + j + 1) } }
    for i in 0..<n { a[i, i] += 1e-14 }
    let b = matrixProduct(a, Matrix<Double>(n, 1, fill: 1))
    let x = try Cholesky(a).solve(b)
    #expect(distance(naiveProduct(a, .no, x), b) < 1e-12)
  }
}
