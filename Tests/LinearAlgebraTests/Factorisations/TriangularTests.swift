import FenchelTestSupport
import LinearAlgebra
import Testing

struct TriangularTests {
  @Test(
    "op(L) X = B and X op(L) = B, for few and many right-hand sides",
    arguments: [1, 3, 17, 63, 64, 65, 130, 200], [1, 4, 5, 16, 37])
  func solves(n: Int, count: Int) throws {
    try check(n, count, Double.self)
    try check(n, count, Float.self)
  }

  private func check<T: Scalar>(_ n: Int, _ count: Int, _: T.Type) throws {
    var l: Matrix<T> = Philox(seed: 1).normalMatrix(n, n)
    for i in 0..<n {
      for j in 0..<n { l[i, j] = j > i ? .nan : j == i ? 2 + abs(l[i, i]) : l[i, j] / T(n) }
    }
    var lower = l  // what lies above the diagonal is never read
    for i in 0..<n { for j in i + 1..<max(n, i + 1) { lower[i, j] = 0 } }
    let tolerance = rounding(T.self, n)
    let wide: Matrix<T> = Philox(seed: 2).normalMatrix(n, count)
    let tall: Matrix<T> = Philox(seed: 3).normalMatrix(count, n)
    for transpose in [Transpose.no, .yes] {
      var (x, y) = (wide, tall)
      withPointers(l, l, &x.storage) { l, _, x in
        T.trsm(transpose, m: n, n: count, l: l, ldl: n, b: x, ldb: count)
      }
      withPointers(l, l, &y.storage) { l, _, y in
        T.trsmRight(transpose, m: count, n: n, l: l, ldl: n, b: y, ldb: n)
      }
      #expect(distance(naiveProduct(lower, transpose, x), wide) <= tolerance, "left, \(transpose), \(T.self)")
      #expect(distance(naiveProduct(y, .no, lower, transpose), tall) <= tolerance, "right, \(transpose)")
    }
  }

  @Test("A column of a right-hand side is solved alike, whatever stands beside it", arguments: [40, 150])
  func independentColumns(n: Int) throws {
    let cholesky = try Cholesky(randomPositiveDefinite(n, seed: 4, of: Double.self))
    let b: Matrix<Double> = Philox(seed: 5).normalMatrix(n, 20)
    let all = cholesky.solve(b)
    #expect(distance(Matrix(column: cholesky.solve(b.column(7))), Matrix(column: all.column(7))) < 1e-13)
  }
}
