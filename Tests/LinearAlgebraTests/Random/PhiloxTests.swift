import LinearAlgebra
import Testing

struct PhiloxTests {
  @Test(
    "The known answers of Random123",
    arguments: [
      (SIMD4<UInt32>(0, 0, 0, 0), SIMD2<UInt32>(0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
      (
        SIMD4(repeating: .max), SIMD2(repeating: .max), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
      ),
      (
        SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), SIMD2(0xa409_3822, 0x299f_31d0),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
      ),
    ] as [(SIMD4<UInt32>, SIMD2<UInt32>, [UInt32])])
  func knownAnswers(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, expected: [UInt32]) {
    let block = Philox.block(counter: counter, key: key)
    #expect((0..<4).map { block[$0] } == expected)
  }

  @Test("The counter is (index, stream), the key is the seed")
  func layout() {
    let block = Philox.block(
      counter: SIMD4(5, 0x0000_0001, 0xDDDD_CCCC, 0xAAAA_BBBB), key: SIMD2(0x2222_1111, 0x4444_3333))
    let generator = Philox(seed: 0x4444_3333_2222_1111, stream: 0xAAAA_BBBB_DDDD_CCCC)
    let index: UInt64 = (1 << 32 | 5) << 1
    #expect(generator.bits(at: index) == UInt64(block[0]) | UInt64(block[1]) << 32)
    #expect(generator.bits(at: index + 1) == UInt64(block[2]) | UInt64(block[3]) << 32)
  }

  @Test("A matrix holds the entries that are drawn one by one, in both precisions")
  func entries() {
    let generator = Philox(seed: 7, stream: 3)
    let (normal, uniform): (Matrix<Double>, Matrix<Double>) = (
      generator.normalMatrix(101, 173), generator.uniformMatrix(101, 173)
    )
    for index in [0, 1, 2, 3, 8191, 8192, 8193, normal.count - 1] {
      #expect(normal.storage[index] == generator.normal(at: UInt64(index)))
      #expect(uniform.storage[index] == generator.uniform(at: UInt64(index)))
    }
    #expect(generator.normalMatrix(101, 173, of: Float.self) == normal.converted(to: Float.self))
    let longer: Matrix<Double> = generator.normalMatrix(102, 173)
    #expect(Array(longer.storage[..<normal.count]) == normal.storage)
    for first in [0, 1, 2, 95] {
      let rest: Matrix<Double> = generator.normalMatrix(101 - first, 173, firstRow: first)
      #expect(rest == normal.selectingRows(first..<101), "from row \(first)")
    }
    #expect(Philox(seed: 8, stream: 3).normalMatrix(101, 173) != normal)
    #expect(Philox(seed: 7, stream: 4).normalMatrix(101, 173) != normal)
  }

  @Test("Moments of both distributions, and no correlation between neighbours")
  func moments() {
    let count = 200_000
    let normal: Matrix<Double> = Philox(seed: 11).normalMatrix(1, count)
    let uniform: Matrix<Double> = Philox(seed: 12).uniformMatrix(1, count)
    func mean(_ f: (Int) -> Double) -> Double { (0..<count).reduce(0) { $0 + f($1) } / Double(count) }
    let (z, u) = (normal.storage, uniform.storage)
    #expect(abs(mean { z[$0] }) < 0.012)  // five standard errors
    #expect(abs(mean { z[$0] * z[$0] } - 1) < 0.016)
    #expect(abs(mean { z[$0] * z[$0] * z[$0] }) < 0.045)
    #expect(abs(mean { z[$0] * z[$0] * z[$0] * z[$0] } - 3) < 0.11)
    #expect(abs(mean { $0 == 0 ? 0 : z[$0] * z[$0 - 1] }) < 0.012)
    #expect(abs(mean { u[$0] } - 0.5) < 0.0035)
    #expect(abs(mean { u[$0] * u[$0] } - 1.0 / 3) < 0.0035)
    #expect(u.allSatisfy { $0 >= 0 && $0 < 1 })
    #expect(z.allSatisfy { $0.isFinite })
  }

  @Test("Permutations hold every index once, and every one of three comes up")
  func permutations() {
    #expect(Philox(seed: 1).permutation(of: 0).isEmpty)
    #expect(Philox(seed: 1).permutation(of: 1000).sorted() == Array(0..<1000))
    let orders = Set((0..<200).map { Philox(seed: $0).permutation(of: 3) })
    #expect(orders.count == 6)
    let draws = (0..<6000).map { Philox(seed: 5).integer(below: 6, at: $0) }
    for face in 0..<6 { #expect(abs(draws.count { $0 == face } - 1000) < 150) }
  }

  @Test("An empty matrix")
  func empty() {
    #expect(Philox(seed: 1).normalMatrix(0, 5, of: Float.self).count == 0)
    #expect(Philox(seed: 1).uniformMatrix(5, 0, of: Double.self).count == 0)
  }
}
