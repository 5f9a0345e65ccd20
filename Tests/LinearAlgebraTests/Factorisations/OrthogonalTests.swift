import FenchelTestSupport
import LinearAlgebra
import Testing

/// QR, SVD and symmetric eigenvalues.
struct OrthogonalTests {
  static let shapes = [(1, 1), (7, 3), (3, 7), (40, 40), (120, 30), (1, 5), (5, 1)]

  @Test("A P = Q R with orthonormal Q and |R_ii| not increasing", arguments: shapes)
  func qr(shape: (Int, Int)) throws {
    try checkQR(shape, Double.self)
    try checkQR(shape, Float.self)
  }

  private func checkQR<T: Scalar>(_ shape: (Int, Int), _: T.Type) throws {
    let a: Matrix<T> = Philox(seed: 1).normalMatrix(shape.0, shape.1)
    let qr = try QR(a)
    let tolerance = rounding(T.self, shape.0 + shape.1)
    let k = min(shape.0, shape.1)
    #expect(distance(naiveProduct(qr.q, .yes, qr.q), Matrix<T>.identity(k)) <= tolerance)
    var permuted = Matrix<T>(a.rows, a.columns)
    for j in 0..<a.columns { for i in 0..<a.rows { permuted[i, j] = a[i, qr.pivots[j]] } }
    #expect(distance(naiveProduct(qr.q, .no, qr.r), permuted) <= tolerance)
    #expect(qr.pivots.sorted() == Array(0..<a.columns))
    for i in 1..<max(k, 1) { #expect(abs(qr.r[i, i]) <= abs(qr.r[i - 1, i - 1]) * (1 + T(tolerance))) }
    #expect(qr.rank() == k)
  }

  @Test("A = U diag(σ) Vᵀ with orthonormal U and V", arguments: shapes)
  func svd(shape: (Int, Int)) throws {
    try checkSVD(shape, Double.self)
    try checkSVD(shape, Float.self)
  }

  private func checkSVD<T: Scalar>(_ shape: (Int, Int), _: T.Type) throws {
    let a: Matrix<T> = Philox(seed: 2).normalMatrix(shape.0, shape.1)
    let svd = try SVD(a)
    let tolerance = rounding(T.self, shape.0 + shape.1)
    let k = min(shape.0, shape.1)
    #expect(svd.values.count == k)
    #expect(distance(naiveProduct(svd.u, .yes, svd.u), Matrix<T>.identity(k)) <= tolerance)
    #expect(
      distance(naiveProduct(svd.vTransposed, .no, svd.vTransposed, .yes), Matrix<T>.identity(k)) <= tolerance)
    var scaled = svd.vTransposed
    for i in 0..<k { for j in 0..<a.columns { scaled[i, j] *= svd.values[i] } }
    #expect(distance(naiveProduct(svd.u, .no, scaled), a) <= tolerance)
    #expect(zip(svd.values, svd.values.dropFirst()).allSatisfy { $0 >= $1 && $1 >= 0 })
    #expect(svd.rank() == k)
  }

  @Test("A v = λ v with orthonormal v, λ in order", arguments: [1, 2, 9, 80])
  func eigen(n: Int) throws {
    try checkEigen(n, Double.self)
    try checkEigen(n, Float.self)
  }

  private func checkEigen<T: Scalar>(_ n: Int, _: T.Type) throws {
    var a: Matrix<T> = Philox(seed: 3).normalMatrix(n, n)
    a.mirrorLowerTriangle()
    let eigen = try SymmetricEigen(a)
    let tolerance = rounding(T.self, n, times: 20)
    var expected = eigen.vectors
    for i in 0..<n { for j in 0..<n { expected[i, j] *= eigen.values[j] } }
    #expect(distance(naiveProduct(a, .no, eigen.vectors), expected) <= tolerance)
    #expect(distance(naiveProduct(eigen.vectors, .yes, eigen.vectors), Matrix<T>.identity(n)) <= tolerance)
    #expect(zip(eigen.values, eigen.values.dropFirst()).allSatisfy { $0 <= $1 })
  }

  @Test("Numerical rank: products of thin factors, zero, one row off by 1e-9", arguments: [1, 2, 3, 5])
  func rank(r: Int) throws {
    let left: Matrix<Double> = Philox(seed: 4).normalMatrix(30, r)
    let right: Matrix<Double> = Philox(seed: 5).normalMatrix(r, 12)
    var a = matrixProduct(left, right)
    #expect(try QR(a).rank() == r)
    #expect(try SVD(a).rank() == r)
    a[7, 3] += 1e-9
    #expect(try QR(a).rank() == r + 1)
    #expect(try SVD(a).rank() == r + 1)
    #expect(try QR(a).rank(tolerance: 1e-6) == r)
    #expect(try SVD(a).rank(tolerance: 1e-6) == r)
    #expect(try QR(Matrix<Double>(4, 3)).rank() == 0)
    #expect(try SVD(Matrix<Double>(4, 3)).rank() == 0)
  }

  @Test("Least squares: the residual is orthogonal to the columns, also of a deficient matrix")
  func leastSquares() throws {
    let full: Matrix<Double> = Philox(seed: 6).normalMatrix(40, 8)
    let deficient = matrixProduct(
      Philox(seed: 7).normalMatrix(40, 3), Philox(seed: 8).normalMatrix(3, 8, of: Double.self))
    let b: Matrix<Double> = Philox(seed: 9).normalMatrix(40, 2)
    for (a, zeros) in [(full, 0), (deficient, 5)] {
      let x = try QR(a).leastSquares(b)
      var residual = b
      addProduct(a, x, to: &residual, alpha: -1)
      #expect(distance(naiveProduct(a, .yes, residual), Matrix<Double>(8, 2)) < 1e-12)
      #expect((0..<8).count { x[$0, 0] == 0 } == zeros)
    }
  }

  @Test("Empty matrices and entries that are not finite")
  func edges() throws {
    #expect(try QR(Matrix<Double>(0, 3)).rank() == 0)
    #expect(try QR(Matrix<Double>(3, 0)).leastSquares(Matrix(3, 2)).rows == 0)
    #expect(try SVD(Matrix<Double>(0, 3)).values.isEmpty)
    #expect(try SymmetricEigen(Matrix<Double>(0, 0)).values.isEmpty)
    var bad = Matrix<Double>(4, 4, fill: 1)
    bad[2, 1] = .infinity
    let error = FactorisationError.notFinite(row: 2, column: 1)
    #expect(throws: error) { try QR(bad) }
    #expect(throws: error) { try SVD(bad) }
    #expect(throws: error) { try SymmetricEigen(bad) }
    #expect(throws: FactorisationError.notSquare(rows: 2, columns: 3)) {
      try SymmetricEigen(Matrix<Float>(2, 3))
    }
    #expect(error.description.contains("(2, 1)"))
  }
}
