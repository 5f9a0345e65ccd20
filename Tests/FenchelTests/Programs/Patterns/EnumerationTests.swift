import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// All patterns of data of rank ≤ 3.
struct EnumerationTests {
  private struct Fixture: Decodable {
    // Names as the file has them.
    let X: [[Double]]
    let patterns: [String]
  }

  @Test(
    "The patterns of the oracle, exactly",
    arguments: [
      "01a_relu2_d2_n8", "01b_relu2_d2_n14", "01c_relu2_d2_n20", "01d_relu2_slide_n3",
      "01e_relu2_logistic_d2_n12",
    ])
  func oracle(name: String) throws {
    let url = try #require(Bundle.module.url(forResource: "Oracle/\(name)", withExtension: "json"))
    let fixture = try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: url))
    let patterns = try ActivationPatterns.enumerated(Matrix(rows: fixture.X))
    #expect(patterns.count == fixture.patterns.count)
    #expect(Set(patternStrings(patterns)) == Set(fixture.patterns))
    #expect(patterns.isExact)
  }

  @Test("General position: 2 Σ_{k<r} C(n − 1, k) patterns", arguments: [1, 2, 3, 4, 7, 40])
  func generalPosition(n: Int) throws {
    for d in 1...3 where n >= d {
      let x: Matrix<Double> = Philox(seed: UInt64(n)).normalMatrix(n, d)
      let m = n - 1
      let expected = 2 * [1, 1 + m, 1 + m + m * (m - 1) / 2][d - 1]
      let patterns = try ActivationPatterns.enumerated(x)
      #expect(patterns.count == expected, "n = \(n), d = \(d)")
      try checkPatterns(patterns, x, seed: UInt64(n))
    }
  }

  @Test("Wide data of rank ≤ 3 have the patterns of their factor", arguments: [1, 2, 3])
  func lowRank(r: Int) throws {
    let factor: Matrix<Double> = Philox(seed: 7).normalMatrix(25, r)
    let x = matrixProduct(factor, Philox(seed: 8).normalMatrix(r, 9, of: Double.self))
    let patterns = try ActivationPatterns.enumerated(x)
    let expected = try ActivationPatterns.enumerated(factor)
    #expect(Set(patternStrings(patterns)) == Set(patternStrings(expected)))
    try checkPatterns(patterns, x, seed: 9)
  }

  @Test("Duplicate, parallel, opposite and zero rows", arguments: [2, 3])
  func repeatedRows(d: Int) throws {
    let base: Matrix<Double> = Philox(seed: 11).normalMatrix(9, d)
    var rows = (0..<9).map { base.row($0) }
    for (k, factor) in [(0, 1.0), (1, 3), (2, -0.1), (3, -1), (4, 1e-9), (5, 7.0 / 3), (0, 0)] {
      rows.append(base.row(k).map { $0 * factor })
    }
    let x = Matrix(rows: rows)
    let patterns = try ActivationPatterns.enumerated(x)
    #expect(patterns.count == (d == 2 ? 18 : 2 * (1 + 8 + 28)))
    for i in 0..<patterns.count {
      #expect(patterns.bits[9, i] == patterns.bits[0, i])
      #expect(patterns.bits[10, i] == patterns.bits[1, i])
      #expect(patterns.bits[11, i] != patterns.bits[2, i])
      #expect(patterns.bits[12, i] != patterns.bits[3, i])
      #expect(!patterns.bits[15, i])
    }
    try checkPatterns(patterns, x, seed: 12)
  }

  @Test("Lattice points: many planes through one line, counted by Euler's formula", arguments: 0..<12)
  func lattice(seed: Int) throws {
    let random = Philox(seed: UInt64(seed), stream: 5)
    let size = 2 + seed % 3
    let rows = (0..<(8 + 3 * seed)).map { k in
      (0..<3).map { Double(random.integer(below: 2 * size + 1, at: UInt64(3 * k + $0)) - size) }
    }
    let x = Matrix(rows: rows)
    let patterns = try ActivationPatterns.enumerated(x)
    #expect(patterns.count == cellsByEuler(rows), "seed \(seed)")
    try checkPatterns(patterns, x, seed: UInt64(seed))
    // Thirds are not representable: lines that planes shared are shared up to rounding only.
    let thirds = Matrix(rows: rows.map { $0.map { $0 / 3 * 0.7 } })
    #expect(
      Set(patternStrings(try ActivationPatterns.enumerated(thirds))) == Set(patternStrings(patterns)),
      "seed \(seed)")
    let bias = Matrix(rows: rows.map { [$0[0] * 0.1 + 5, $0[1] * 0.3 - 2, 1] })
    try checkPatterns(try ActivationPatterns.enumerated(bias), bias, seed: UInt64(seed))
  }

  /// 2 (1 + Σ_lines (planes through the line − 1)) for planes of rank 3, in integers.
  private func cellsByEuler(_ rows: [[Double]]) -> Int {
    func primitive(_ v: [Int]) -> [Int]? {
      func gcd(_ a: Int, _ b: Int) -> Int { b == 0 ? abs(a) : gcd(b, a % b) }
      let divisor = v.reduce(0, gcd)
      guard divisor > 0, let first = v.first(where: { $0 != 0 }) else { return nil }
      return v.map { $0 / divisor * first.signum() }
    }
    let planes = Array(Set(rows.compactMap { primitive($0.map { Int($0) }) }))
    var through: [[Int]: Set<Int>] = [:]
    for i in planes.indices {
      for j in planes.indices where j > i {
        let (a, b) = (planes[i], planes[j])
        let cross = [
          a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0],
        ]
        if let line = primitive(cross) { through[line, default: []].formUnion([i, j]) }
      }
    }
    return 2 * (1 + through.values.reduce(0) { $0 + $1.count - 1 })
  }

  @Test("Columns and rows of any scale", arguments: [-1047, -997, -40, 40, 997])
  func scales(exponent: Int) throws {
    let scale = Double(sign: .plus, exponent: exponent, significand: 1)
    var base: Matrix<Double> = Philox(seed: 13).normalMatrix(12, 3)
    for i in 0..<base.count { base.storage[i] = (base.storage[i] * 256).rounded() }  // exact at every scale
    let expected = Set(patternStrings(try ActivationPatterns.enumerated(base)))
    for scaled in [[1], [0, 1], [0, 1, 2]] {
      var columns = base
      for i in 0..<12 { for j in scaled { columns[i, j] *= scale } }
      let patterns = try ActivationPatterns.enumerated(columns)
      #expect(Set(patternStrings(patterns)) == expected, "columns \(scaled)")
      #expect(patterns.gates.firstNonFinite == nil)
    }
    var rows = base
    for j in 0..<3 { rows[4, j] *= scale }
    #expect(Set(patternStrings(try ActivationPatterns.enumerated(rows))) == expected)
  }

  @Test("Nearly equal rows that are far apart in Double: time stamps with a bias")
  func closeRows() throws {
    let x = Matrix(rows: (0..<30).map { [1.7e9 + Double($0), 1] })
    let patterns = try ActivationPatterns.enumerated(x)
    #expect(patterns.count == 60)
    let steps = Matrix(rows: (0..<20).map { [1.7e9 + Double($0), Double($0 * $0), 1] })
    #expect(try ActivationPatterns.enumerated(steps).count == 2 * (1 + 19 + 19 * 9))
  }

  @Test("Rank 0 and rank 1")
  func tinyRanks() throws {
    let zero = try ActivationPatterns.enumerated(Matrix<Double>(4, 2))
    #expect(patternStrings(zero) == ["0000"] && zero.isExact)
    let line = try ActivationPatterns.enumerated(Matrix<Double>(rows: [[1, 2], [-2, -4], [0, 0]]))
    #expect(Set(patternStrings(line)) == ["100", "010"])
  }

  @Test("Rank 4 and limits are errors that name the numbers")
  func refusals() throws {
    let x: Matrix<Double> = Philox(seed: 17).normalMatrix(30, 4)
    let error = PatternError.rankTooHigh(rank: 4, hyperplanes: 30, patterns: 2 * (1 + 29 + 406 + 3654))
    #expect(throws: error) { try ActivationPatterns.enumerated(x) }
    #expect(error.description.contains("rank 4") && error.description.contains("8180"))
    let tall: Matrix<Double> = Philox(seed: 18).normalMatrix(400, 6)
    #expect(throws: PatternError.self) { try ActivationPatterns.enumerated(tall) }
    let plane: Matrix<Double> = Philox(seed: 19).normalMatrix(30, 3)
    #expect(throws: PatternError.self) { try ActivationPatterns.enumerated(plane, limit: 871) }
    #expect(try ActivationPatterns.enumerated(plane, limit: 872).count == 872)
  }

  @Test("300 rows of rank 3: 89,702 patterns; the same bits for any number of threads")
  func large() throws {
    let x: Matrix<Double> = Philox(seed: 23).normalMatrix(300, 3)
    #expect(try ActivationPatterns.enumerated(x).count == 2 * (1 + 299 + 299 * 149))
    let small = x.selectingRows(0..<60)
    try expectSameForAnyThreads("enumeration") { try ActivationPatterns.enumerated(small) }
  }

  /// Every pattern once and with its gate well inside; opposite patterns too; and none that random gates find
  /// is missing.
  private func checkPatterns(_ patterns: ActivationPatterns, _ x: Matrix<Double>, seed: UInt64) throws {
    let strings = Set(patternStrings(patterns))
    #expect(strings.count == patterns.count)
    let (z, rows, gates) = (
      naiveProduct(x, .no, patterns.gates, .yes), x.rowNorms, patterns.gates.rowNorms
    )
    for k in 0..<x.rows where rows[k] > 0 {
      for i in 0..<patterns.count {
        #expect(abs(z[k, i]) > 1e-13 * rows[k] * gates[i])
        #expect(patterns.bits[k, i] == (z[k, i] > 0))
      }
    }
    let sample = try ActivationPatterns.sampled(x, count: 20_000, seed: seed)
    #expect(strings.isSuperset(of: patternStrings(sample)))
  }
}
