import FenchelTestSupport
import LinearAlgebra
import Testing

/// Sums over blocks of rows against loops, and their adjoint.
struct RowSumsTests {
  private func check<T: Scalar>(_ n: Int, _ size: Int, _ c: Int, _: T.Type) {
    let sums = RowSums(of: size)
    let z: Matrix<T> = Philox(seed: 1).normalMatrix(n * size, c)
    let y: Matrix<T> = Philox(seed: 2).normalMatrix(n, c)
    let (f, g) = (sums(z), sums.adjoint(y))
    #expect(f.rows == n && f.columns == c && g.rows == n * size && g.columns == c)
    for k in 0..<n {
      for j in 0..<c {
        let expected = (0..<size).reduce(0.0) { $0 + Double(z[k * size + $1, j]) }
        #expect(abs(Double(f[k, j]) - expected) <= 1e-5 * (1 + abs(expected)))
        for r in sums.rows(of: k) { #expect(g[r, j] == y[k, j]) }
      }
    }
    let (forward, back) = (inner(f, y), inner(z, g))
    #expect(abs(forward - back) <= 1e-4 * (1 + abs(forward)), "adjoint")
    var column = z.column(0)
    column.withMutablePointer { sums.sum($0, samples: n, into: $0) }
    #expect(Array(column.prefix(n)) == f.column(0), "in place")
  }

  @Test(arguments: [(1, 1, 1), (5, 1, 3), (1, 4, 2), (7, 3, 1), (40, 9, 5)])
  func formula(n: Int, size: Int, c: Int) {
    check(n, size, c, Float.self)
    check(n, size, c, Double.self)
  }
}
