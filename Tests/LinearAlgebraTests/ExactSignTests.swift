import LinearAlgebra
import Testing

struct ExactSignTests {
  @Test("Signs that rounding hides")
  func hidden() {
    let e = 0x1p-50
    // (1 + e)(1 − e) − 1 = −e²
    #expect(ExactSign.determinant(1 + e, 1, 1, 1 - e) == -1)
    #expect(ExactSign.determinant(1 + e, 1 + e, 1, 1) == 0)
    #expect(ExactSign.determinant(1, 1, 1 - e, 1) == 1)
    #expect(ExactSign.determinant(SIMD3(1 + e, 0, 0), SIMD3(0, 1 - e, 1), SIMD3(0, 1, 1 + e)) == -1)
  }

  @Test("Integers, every order of rows", arguments: 0..<200)
  func integers(seed: Int) {
    let random = Philox(seed: UInt64(seed))
    let v = (0..<9).map { random.integer(below: 7, at: UInt64($0)) - 3 }
    let exact =
      v[0] * (v[4] * v[8] - v[5] * v[7]) - v[1] * (v[3] * v[8] - v[5] * v[6])
      + v[2] * (v[3] * v[7] - v[4] * v[6])
    let rows = (0..<3).map { r in SIMD3((0..<3).map { Double(v[3 * r + $0]) }) }
    #expect(ExactSign.determinant(rows[0], rows[1], rows[2]) == exact.signum())
    #expect(ExactSign.determinant(rows[1], rows[0], rows[2]) == -exact.signum())
    #expect(ExactSign.determinant(rows[1], rows[2], rows[0]) == exact.signum())
    let cross = ExactSign.cross(rows[0], rows[1])
    #expect(
      cross
        == SIMD3(
          Double(v[1] * v[5] - v[2] * v[4]), Double(v[2] * v[3] - v[0] * v[5]),
          Double(v[0] * v[4] - v[1] * v[3])))
  }

  @Test("A cross product of nearly parallel vectors keeps all its digits")
  func cross() {
    let e = 0x1p-40
    let c = ExactSign.cross(SIMD3(1, 1, 0), SIMD3(1 + e, 1, 0))
    #expect(c == SIMD3(0, 0, -e))
    let d = ExactSign.cross(SIMD3(1 + e, 1, 0), SIMD3(1, 1 - e, 0))
    #expect(d == SIMD3(0, 0, -e * e))
  }
}
