import FenchelTestSupport
import LinearAlgebra
import Testing

struct StrictArithmeticTests {
  @Test("Sums that a plain loop loses", arguments: [1, 3, 8, 21])
  func cancellation(repeats: Int) {
    let terms = Array(repeating: [1.0, 0x1p100, 1.0, -0x1p100], count: repeats).flatMap { $0 }
    #expect(StrictArithmetic.sum(terms) == Double(2 * repeats))
    var sum = CompensatedSum()
    for term in terms { sum += term }
    #expect(sum.value == Double(2 * repeats))
    #expect(StrictArithmetic.dot(terms, [Double](repeating: 1, count: terms.count)) == Double(2 * repeats))
  }

  @Test("The rounding errors of products are kept")
  func products() {
    let e = 0x1p-40
    // (1 + e)(1 − e) − 1 = −e², of which the rounded product keeps nothing.
    #expect(StrictArithmetic.dot([1 + e, 1], [1 - e, -1]) == -e * e)
    var sum = CompensatedSum()
    sum.add(1 + e, times: 1 - e)
    sum.add(-1)
    #expect(sum.value == -e * e)
  }

  @Test("Empty, infinite and NaN sums")
  func special() {
    #expect(StrictArithmetic.sum([]) == 0)
    #expect(StrictArithmetic.dot([], []) == 0)
    #expect(StrictArithmetic.sum([1, .infinity, 2]) == .infinity)
    #expect(StrictArithmetic.dot([1e200, 1], [1e200, 1]) == .infinity)
    #expect(StrictArithmetic.sum([.infinity, -.infinity]).isNaN)
    #expect(StrictArithmetic.sum([1, .nan]).isNaN)
    #expect(StrictArithmetic.norm([1, .nan, 3]).isNaN)
    var sum = CompensatedSum()
    sum += .infinity
    sum += 1
    #expect(sum.value == .infinity)
  }

  @Test("Norms over the whole range", arguments: [0x1p-1030, 1e-300, 1e-160, 1, 1e160, 1e300])
  func norms(scale: Double) {
    #expect(abs(StrictArithmetic.norm([3 * scale, 4 * scale]) / (5 * scale) - 1) < 1e-13)
    #expect(StrictArithmetic.norm([]) == 0)
    #expect(StrictArithmetic.norm([0, 0]) == 0)
  }

  @Test("Matrix products by compensated dots")
  func matrixProducts() {
    let a: Matrix<Double> = Philox(seed: 1).normalMatrix(30, 55)
    let b: Matrix<Double> = Philox(seed: 2).normalMatrix(21, 55)
    #expect(distance(StrictArithmetic.product(a, transposed: b), naiveProduct(a, .no, b, .yes)) < 1e-14)
    #expect(abs(StrictArithmetic.inner(a, a) - a.inner(a)) < 1e-10)
    #expect(StrictArithmetic.product(Matrix(0, 3), transposed: Matrix(2, 3)).count == 0)
    #expect(StrictArithmetic.product(Matrix(2, 0), transposed: Matrix(2, 0)) == Matrix(2, 2))
  }
}
