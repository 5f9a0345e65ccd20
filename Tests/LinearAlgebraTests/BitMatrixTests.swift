import FenchelTestSupport
import LinearAlgebra
import Testing

struct BitMatrixTests {
  private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> BitMatrix {
    var bits = BitMatrix(rows, columns)
    for i in 0..<rows {
      for j in 0..<columns {
        bits[i, j] = Philox(seed: seed).bits(at: UInt64(i * columns + j)) & 1 == 1
      }
    }
    return bits
  }

  @Test(arguments: [(0, 0), (0, 5), (5, 0), (1, 1), (63, 65), (64, 64), (130, 70)])
  func transposed(shape: (Int, Int)) {
    let bits = random(shape.0, shape.1, seed: 1)
    let t = bits.transposed
    #expect(t.rows == shape.1 && t.columns == shape.0)
    for i in 0..<shape.0 { for j in 0..<shape.1 { #expect(bits[i, j] == t[j, i]) } }
    #expect(t.transposed == bits)  // padding is zero on both sides
  }

  @Test func selections() {
    let bits = random(40, 90, seed: 2)
    let columns = bits.selectingColumns([89, 3, 3, 64])
    let rows = bits.selectingRows([39, 0, 0])
    for i in 0..<40 { for (t, j) in [89, 3, 3, 64].enumerated() { #expect(columns[i, t] == bits[i, j]) } }
    for j in 0..<90 { for (t, i) in [39, 0, 0].enumerated() { #expect(rows[t, j] == bits[i, j]) } }
    #expect(rows.distinctRows == [0, 1])
    #expect(rows.appendingRows(of: rows).distinctRows == [0, 1])
    #expect(BitMatrix(3, 0).distinctRows == [0])
  }

  @Test("Signs of a product, in both precisions")
  func signs() {
    let x: Matrix<Double> = Philox(seed: 3).normalMatrix(301, 7)
    let gates: Matrix<Double> = Philox(seed: 4).normalMatrix(1100, 7)
    let z = naiveProduct(x, .no, gates, .yes)
    let bits = BitMatrix(signsOf: x, timesTransposed: gates)
    #expect((0..<301).allSatisfy { i in (0..<1100).allSatisfy { bits[i, $0] == (z[i, $0] > 0) } })
    #expect(BitMatrix(signsOf: x, times: gates.transposed) == bits)
    let single = x.converted(to: Float.self)
    let exact = naiveProduct(single.converted(to: Double.self), .no, gates, .yes)
    let rounded = BitMatrix(signsOf: single, timesTransposed: gates)
    #expect((0..<301).allSatisfy { i in (0..<1100).allSatisfy { rounded[i, $0] == (exact[i, $0] > 0) } })
  }

  @Test("A sign that rounding hides is decided exactly")
  func doubtfulSigns() {
    // 1 + 2⁻⁶⁰ − 1 > 0 and 1 − 2⁻⁶⁰ − 1 < 0, which no plain sum in Double sees in this order.
    let x = Matrix<Double>(rows: [[1, 0x1p-30, 1], [1, -0x1p-30, 1], [1, 0, 1], [0, 0, 0]])
    let gate = Matrix<Double>(rows: [[1, 0x1p-30, -1], [-1, 0x1p-30, 1]])
    let bits = BitMatrix(signsOf: x, timesTransposed: gate)
    #expect((0..<4).map { bits[$0, 0] } == [true, false, false, false])
    #expect((0..<4).map { bits[$0, 1] } == [true, false, false, false])
    let single = BitMatrix(signsOf: x.converted(to: Float.self), timesTransposed: gate)
    #expect(single == bits)
  }

  @Test("Masks: sums and fills agree with plain loops")
  func masks() {
    let bits = random(1, 150, seed: 5)
    let z: Matrix<Double> = Philox(seed: 6).normalMatrix(1, 150)
    let f = z.converted(to: Float.self)
    let expected = (0..<150).reduce(0.0) { bits[0, $1] ? $0 + z[0, $1] : $0 }
    bits.words.withPointer { words in
      #expect(abs(z.withPointer { Double.maskedSum($0, words, 150) } - expected) < 1e-12)
      #expect(abs(Double(f.withPointer { Float.maskedSum($0, words, 150) }) - expected) < 1e-4)
      var filled = z
      filled.withMutablePointer { Double.maskedFill($0, words, 150, 2.5) }
      #expect((0..<150).allSatisfy { filled[0, $0] == (bits[0, $0] ? 2.5 : 0) })
    }
  }
}
