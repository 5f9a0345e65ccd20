import FenchelTestSupport
import LinearAlgebra
import Testing

struct ProductTests {
  /// Shapes below and above the size at which work is shared, and tall ones whose sums are cut.
  static let shapes: [(Int, Int, Int)] = [
    (0, 3, 2), (3, 0, 2), (3, 2, 0), (1, 1, 1), (5, 7, 3), (65, 33, 130), (150, 90, 111), (40, 30, 5000),
  ]

  @Test("Products agree with the triple loop, all transpositions", arguments: shapes)
  func agreement(shape: (Int, Int, Int)) {
    check(shape, Double.self)
    check(shape, Float.self)
  }

  private func check<T: Scalar>(_ shape: (Int, Int, Int), _: T.Type) {
    let (m, n, k) = shape
    for ta in [Transpose.no, .yes] {
      for tb in [Transpose.no, .yes] {
        let a: Matrix<T> = Philox(seed: 1).normalMatrix(ta == .no ? m : k, ta == .no ? k : m)
        let b: Matrix<T> = Philox(seed: 2).normalMatrix(tb == .no ? k : n, tb == .no ? n : k)
        let tolerance = rounding(T.self, k + 8, times: 4)
        let exact = naiveProduct(a, ta, b, tb)
        #expect(distance(matrixProduct(a, ta, b, tb), exact) <= tolerance, "\(shape) \(ta) \(tb) \(T.self)")
        var c: Matrix<T> = Philox(seed: 3).normalMatrix(m, n)
        var expected = exact
        expected.scale(by: -2)
        expected.add(0.5, c.converted(to: Double.self))
        addProduct(a, ta, b, tb, to: &c, alpha: -2, beta: 0.5)
        #expect(distance(c, expected) <= 3 * tolerance, "\(shape) \(ta) \(tb) \(T.self) accumulated")
      }
    }
  }

  @Test("Products with a vector, small and large, from rows that lie apart")
  func vectors() {
    checkVectors(Double.self)
    checkVectors(Float.self)
  }

  private func checkVectors<T: Scalar>(_: T.Type) {
    for (m, n) in [(1, 1), (5, 11), (11, 200), (64, 64), (200, 11), (70, 66), (3, 2000)] {
      for transpose in [Transpose.no, .yes] {
        let a: Matrix<T> = Philox(seed: 1).normalMatrix(m, n + 3)
        let x: Matrix<T> = Philox(seed: 2).normalMatrix(transpose == .no ? n : m, 1)
        let inside = Matrix(rows: (0..<m).map { Array(a.row($0)[..<n]) })
        let exact = naiveProduct(inside, transpose, x, .no)
        func product(from start: T, β: T) -> Matrix<T> {
          var y = Matrix<T>(exact.rows, 1, fill: start)
          withPointers(a, x, &y.storage) { a, x, y in
            T.gemv(transpose, m: m, n: n, alpha: -2, a: a, lda: n + 3, x: x, beta: β, y: y)
          }
          return y
        }
        let tolerance = 8 * rounding(T.self, x.rows + 8, times: 4)
        var expected = exact
        expected.scale(by: -2)
        #expect(
          distance(product(from: .nan, β: 0), expected) <= tolerance, "\(m) × \(n) \(transpose) \(T.self)")
        for i in 0..<expected.count { expected.storage[i] += 6 }
        #expect(
          distance(product(from: 3, β: 2), expected) <= tolerance,
          "\(m) × \(n) \(transpose) \(T.self) accumulated")
      }
    }
  }

  @Test(
    "Gram matrices of rows and of columns",
    arguments: [(0, 3), (1, 1), (3, 0), (7, 4), (300, 40), (20, 9000), (9000, 20)])
  func gram(shape: (Int, Int)) {
    let a: Matrix<Double> = Philox(seed: 4).normalMatrix(shape.0, shape.1)
    let f = a.converted(to: Float.self)
    for side in [Transpose.no, .yes] where (side == .no ? shape.0 : shape.1) <= 300 {
      let (double, single) = (gramMatrix(a, side), gramMatrix(f, side))
      let size = shape.0 + shape.1
      #expect(distance(double, naiveProduct(a, side, a, side.other)) <= rounding(Double.self, size))
      #expect(distance(single, naiveProduct(f, side, f, side.other)) <= rounding(Float.self, size))
      #expect(double == double.transposed)
    }
  }

  @Test("A rank-k update accumulates, in one piece and in several", arguments: [(300, 300), (20, 9000)])
  func rankUpdate(shape: (Int, Int)) {
    let (n, k) = shape
    let a: Matrix<Double> = Philox(seed: 5).normalMatrix(n, k)
    var c: Matrix<Double> = randomPositiveDefinite(n, seed: 6)
    var expected = naiveProduct(a, .no, a, .yes)
    expected.scale(by: 3)
    expected.add(-1, c)
    withPointers(a, a, &c.storage) { a, _, c in
      Parallel.syrk(.no, n: n, k: k, alpha: 3, a: a, lda: k, beta: -1, c: c, ldc: n)
    }
    for i in 0..<n { for j in i + 1..<max(n, i + 1) { c[i, j] = expected[i, j] } }
    #expect(distance(c, expected) <= rounding(Double.self, k, times: 40))
  }

  @Test("Row norms survive squares that overflow")
  func rowNorms() {
    let a = Matrix<Double>(rows: [[3, 4], [0, 0], [3e300, 4e300], [3e-300, 4e-300]])
    let expected = [5, 0, 5e300, 5e-300]
    for (norm, value) in zip(a.rowNorms, expected) { #expect(abs(norm - value) <= 1e-15 * value) }
    #expect(Matrix<Float>(3, 0).rowNorms == [0, 0, 0])
  }

  @Test("Transposed and converted matrices")
  func transposed() {
    let a: Matrix<Double> = Philox(seed: 8).normalMatrix(70, 45)
    let t = a.transposed
    #expect((0..<70).allSatisfy { i in (0..<45).allSatisfy { a[i, $0] == t[$0, i] } })
    #expect(
      a.converted(to: Float.self).converted(to: Double.self)
        == Matrix(70, 45, storage: a.storage.map { Double(Float($0)) }))
    #expect(a.converted(to: Double.self) == a)
  }
}
