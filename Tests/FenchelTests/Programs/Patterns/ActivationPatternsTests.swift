import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Sampled and given patterns.
struct ActivationPatternsTests {
  @Test("Bits are the signs of X Gᵀ, every sampled pattern once")
  func sampled() throws {
    let x: Matrix<Double> = Philox(seed: 1).normalMatrix(12, 2)
    let patterns = try ActivationPatterns.sampled(x, count: 500, seed: 3)
    let z = naiveProduct(x, .no, patterns.gates, .yes)
    for k in 0..<12 { for i in 0..<patterns.count { #expect(patterns.bits[k, i] == (z[k, i] > 0)) } }
    #expect(patterns.count <= 24 && patterns.count > 12)  // 24 cells in all
    #expect(Set(patternStrings(patterns)).count == patterns.count)
    #expect(!patterns.isExact)
    #expect(patterns.bits.rows == 12 && patterns.bits.columns == patterns.count)
  }

  @Test("Gates do not depend on n or the order of rows; a larger sample begins with the smaller one")
  func independence() throws {
    let x: Matrix<Double> = Philox(seed: 1).normalMatrix(40, 6)
    let patterns = try ActivationPatterns.sampled(x, count: 60, seed: 5)
    let order = Philox(seed: 2).permutation(of: 40)
    let shuffled = try ActivationPatterns.sampled(x.selectingRows(order), count: 60, seed: 5)
    #expect(shuffled.gates == patterns.gates)
    #expect(shuffled.bits == patterns.bits.selectingRows(order))
    let more = try ActivationPatterns.sampled(x, count: 90, seed: 5)
    #expect(more.gates.selectingRows(0..<patterns.count) == patterns.gates)
    let half = try ActivationPatterns.sampled(x.selectingRows(0..<39), count: 60, seed: 5)
    #expect(half.gates == patterns.gates)
    #expect(try ActivationPatterns.sampled(x, count: 60, seed: 6).gates != patterns.gates)
    let single = try ActivationPatterns.sampled(x.converted(to: Float.self), count: 60, seed: 5)
    #expect(single.gates == patterns.gates)
  }

  @Test("Sampling ends when nothing new comes, and is the same in batches")
  func exhaustedSampling() throws {
    let x: Matrix<Double> = Philox(seed: 1).normalMatrix(3, 2)
    let all = try ActivationPatterns.sampled(x, count: 1_000_000_000, seed: 3, maximumBytes: 1000)
    #expect(all.count == 6)
    let tall: Matrix<Double> = Philox(seed: 2).normalMatrix(30, 3)
    let gates: Matrix<Double> = Philox(seed: 3, stream: 0x6761_7465_73).normalMatrix(10_000, 3)
    let expected = try ActivationPatterns.given(gates, for: tall, deduplicated: true)
    #expect(try ActivationPatterns.sampled(tall, count: 10_000, seed: 3) == expected)
  }

  @Test("More patterns than memory holds are refused beforehand, with the bytes they would take")
  func sampledBeyondMemory() throws {
    let x: Matrix<Double> = Philox(seed: 1).normalMatrix(100, 9)
    let error = PatternError.memory(patterns: 1e9, bytes: 1e9 * (9 * 8 + 3 * 16), limit: 1_000_000)
    #expect(throws: error) {
      try ActivationPatterns.sampled(x, count: 1_000_000_000, seed: 3, maximumBytes: 1_000_000)
    }
    #expect(error.description.contains("120000000000 bytes"))
  }

  @Test("Given gates stay as they are, or lose repeated patterns")
  func given() throws {
    let x = Matrix<Double>(rows: [[1, 0], [0, 1], [0, 0]])
    let gates = Matrix<Double>(rows: [[1, 1], [2, 1], [-1, 1], [1, 0], [0, 0], [3, 3]])
    let all = try ActivationPatterns.given(gates, for: x)
    #expect(all.gates == gates)
    #expect(patternStrings(all) == ["110", "110", "010", "100", "000", "110"])
    let distinct = try ActivationPatterns.given(gates, for: x, deduplicated: true)
    #expect(patternStrings(distinct) == ["110", "010", "100", "000"])
    #expect(distinct.gates == gates.selectingRows([0, 2, 3, 4]))
    let more = try distinct.adding(Matrix(rows: [[5, 5], [-1, -1], [1, -1], [-2, -2]]), for: x)
    #expect(patternStrings(more) == ["110", "010", "100", "000"])
    let fewer = try all.selecting([2]).adding(Matrix(rows: [[5, 5], [-1, -1], [5, 4]]), for: x)
    #expect(patternStrings(fewer) == ["010", "110", "000"])
    #expect(fewer.gates == Matrix(rows: [[-1, 1], [5, 5], [-1, -1]]))
  }

  @Test("Wrong arguments are errors that say both widths, or where")
  func errors() throws {
    let x = Matrix<Double>(4, 3, fill: 1)
    let narrow = PatternError.width(gates: 2, features: 3)
    #expect(throws: narrow) { try ActivationPatterns.given(Matrix(5, 2), for: x) }
    #expect(narrow.description.contains("2 columns") && narrow.description.contains("have 3"))
    var gates = Matrix<Double>(5, 3, fill: 1)
    gates[3, 1] = .nan
    #expect(throws: PatternError.notFinite(.gates, row: 3, column: 1)) {
      try ActivationPatterns.given(gates, for: x)
    }
    var bad = x
    bad[2, 0] = .infinity
    let error = PatternError.notFinite(.data, row: 2, column: 0)
    #expect(throws: error) { try ActivationPatterns.sampled(bad, count: 3, seed: 0) }
    #expect(throws: error) { try ActivationPatterns.enumerated(bad) }
    #expect(throws: PatternError.noGates) { try ActivationPatterns.sampled(x, count: 0, seed: 0) }
    #expect(throws: PatternError.noGates) { try ActivationPatterns.given(Matrix(0, 3), for: x) }
  }

  @Test("No samples, no features")
  func empty() throws {
    #expect(try ActivationPatterns.sampled(Matrix<Double>(0, 3), count: 9, seed: 0).count == 1)
    #expect(try ActivationPatterns.sampled(Matrix<Double>(3, 0), count: 9, seed: 0).count == 1)
    #expect(try ActivationPatterns.enumerated(Matrix<Double>(0, 3)).count == 1)
    #expect(try ActivationPatterns.enumerated(Matrix<Double>(3, 0)).count == 1)
  }
}

/// The patterns as strings: character k is 1 when sample k is active.
func patternStrings(_ patterns: ActivationPatterns) -> [String] {
  (0..<patterns.count).map { i in
    String((0..<patterns.bits.rows).map { patterns.bits[$0, i] ? "1" : "0" })
  }
}
