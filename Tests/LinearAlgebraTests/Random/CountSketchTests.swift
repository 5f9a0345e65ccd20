import FenchelTestSupport
import LinearAlgebra
import Testing

struct CountSketchTests {
  @Test func isAnOperator() {
    checkLinearOperator(CountSketch<Double>(rows: 7, columns: 40, random: Philox(seed: 1)))
    checkLinearOperator(CountSketch<Float>(rows: 50, columns: 20, random: Philox(seed: 2)), tolerance: 1e-5)
  }

  /// One ±1 in every column, all rows and both signs about equally often, others for another seed.
  @Test func columnsHaveOneSign() {
    let (s, n) = (20, 4000)
    let dense = CountSketch<Double>(rows: s, columns: n, random: Philox(seed: 3))(.identity(n))
    var (counts, sum) = ([Int](repeating: 0, count: s), 0.0)
    for k in 0..<n {
      let column = dense.column(k)
      #expect(column.count { $0 != 0 } == 1 && column.allSatisfy { [-1, 0, 1].contains($0) })
      counts[column.firstIndex { $0 != 0 } ?? 0] += 1
      sum += column.reduce(0, +)
    }
    #expect(counts.allSatisfy { (130...270).contains($0) }, "\(counts)")
    #expect(abs(sum) < 300)
    let other = CountSketch<Double>(rows: s, columns: n, random: Philox(seed: 4))(.identity(n))
    #expect(other != dense)
  }

  /// ‖SAx‖² is ‖Ax‖² on the mean of seeds; and for all x at once within (1 ± √(d/s))² or so.
  @Test func normsAreKept() throws {
    let (n, d) = (5000, 12)
    let a: Matrix<Double> = Philox(seed: 5).normalMatrix(n, d)
    let exact = gramMatrix(a, .yes)
    let half = try Cholesky(exact)
    var mean = Matrix<Double>(d, d)
    for seed in 0..<40 {
      let sketch = CountSketch<Double>(rows: 16 * d, columns: n, random: Philox(seed: UInt64(seed)))
      let gram = gramMatrix(sketch(a), .yes)
      mean.add(1.0 / 40, gram)
      var ratio = gram
      half.solveTriangular(.no, inPlace: &ratio)
      ratio = ratio.transposed
      half.solveTriangular(.no, inPlace: &ratio)
      let values = try SymmetricEigen(ratio).values
      #expect(values.allSatisfy { $0 > 0.35 && $0 < 2 }, "seed \(seed): \(values)")
    }
    #expect(distance(mean, exact) <= 0.1 * exact.inner(exact).squareRoot())
  }

  @Test func sameBits() {
    let a: Matrix<Float> = Philox(seed: 6).normalMatrix(3000, 60)
    let sketch = CountSketch<Float>(rows: 300, columns: 3000, random: Philox(seed: 7))
    expectSameForAnyThreads("sketch") { sketch(a) }
    let b = sketch(a)
    expectSameForAnyThreads("adjoint sketch") { sketch.adjoint(b) }
  }
}
