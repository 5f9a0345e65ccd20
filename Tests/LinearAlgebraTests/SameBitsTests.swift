import FenchelTestSupport
import LinearAlgebra
import Testing

/// Everything parallel gives the same bits for 1, 2 and 3 threads. Serialised: the number is global.
@Suite(.serialized)
struct SameBitsTests {
  @Test func randomMatrices() {
    expectSameForAnyThreads("normal") { Philox(seed: 1).normalMatrix(333, 77, of: Double.self) }
    expectSameForAnyThreads("uniform") { Philox(seed: 1).uniformMatrix(333, 77, of: Float.self) }
  }

  @Test func products() {
    for (m, n, k) in [(700, 600, 130), (40, 30, 9000), (3000, 20, 64)] {
      let a: Matrix<Double> = Philox(seed: 1).normalMatrix(m, k)
      let b: Matrix<Double> = Philox(seed: 2).normalMatrix(k, n)
      expectSameForAnyThreads("product \(m) \(n) \(k)") { matrixProduct(a, b) }
      let (x, y) = (a.converted(to: Float.self), b.converted(to: Float.self))
      expectSameForAnyThreads("Float product \(m) \(n) \(k)") { matrixProduct(x, y) }
    }
    for (n, k) in [(700, 130), (40, 9000)] {
      let a: Matrix<Float> = Philox(seed: 3).normalMatrix(n, k)
      expectSameForAnyThreads("Gram \(n) \(k)") { gramMatrix(a) }
      expectSameForAnyThreads("row norms") { a.rowNorms }
    }
  }

  @Test func cholesky() throws {
    let a: Matrix<Double> = randomPositiveDefinite(777, seed: 4)
    let b: Matrix<Double> = Philox(seed: 5).normalMatrix(777, 130)
    try expectSameForAnyThreads("Cholesky") { try Cholesky(a).factor }
    let f = a.converted(to: Float.self)
    try expectSameForAnyThreads("Cholesky in Float") { try Cholesky(f).factor }
    let factor = try Cholesky(a)
    expectSameForAnyThreads("solve") { factor.solve(b) }
  }

  @Test func strictProduct() {
    let a: Matrix<Double> = Philox(seed: 6).normalMatrix(300, 40)
    expectSameForAnyThreads("strict product") { StrictArithmetic.product(a, transposed: a) }
  }

  @Test func signs() {
    let x: Matrix<Float> = Philox(seed: 7).normalMatrix(600, 9)
    let gates: Matrix<Double> = Philox(seed: 8).normalMatrix(1500, 9)
    expectSameForAnyThreads("signs") { BitMatrix(signsOf: x, timesTransposed: gates) }
  }
}
