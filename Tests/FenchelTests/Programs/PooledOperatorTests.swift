import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// The gated operator over samples of several rows, against the matrices A_r = S D_i X themselves.
struct PooledOperatorTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var n, rows, d, p, c: Int
    var testDescription: String { "n \(n), K \(rows), d \(d), P \(p), c \(c)" }
  }

  private func problem<T: Scalar>(_ shape: Shape, _: T.Type) -> (
    map: GatedOperator<T>, blocks: [Matrix<Double>]
  ) {
    let x: Matrix<T> = Philox(seed: 1).normalMatrix(shape.n * shape.rows, shape.d)
    let gates: Matrix<T> = Philox(seed: 2).normalMatrix(shape.d, shape.p)
    let bits = BitMatrix(signsOf: x, times: gates)
    let blocks = (0..<shape.p).map { i in
      var block = Matrix<Double>(shape.n, shape.d)
      for k in 0..<x.rows where bits[k, i] {
        for j in 0..<shape.d { block[k / shape.rows, j] += Double(x[k, j]) }
      }
      return block
    }
    let map = GatedOperator(data: x, patterns: bits, outputs: shape.c, pooling: RowSums(of: shape.rows))
    return (map, blocks)
  }

  static let shapes = [
    Shape(n: 1, rows: 2, d: 1, p: 1, c: 1), Shape(n: 40, rows: 3, d: 5, p: 24, c: 3),
    Shape(n: 530, rows: 5, d: 4, p: 70, c: 2),
  ]

  private func products<T: Scalar>(_ shape: Shape, _: T.Type) {
    let (map, blocks) = problem(shape, T.self)
    let groups = (0..<map.groups).filter { $0 % 3 != 1 || $0 == 0 }
    let w: Matrix<T> = Philox(seed: 3).normalMatrix(groups.count, shape.d)
    let r: Matrix<T> = Philox(seed: 4).normalMatrix(shape.n, shape.c)
    var f = Matrix<T>(shape.n, shape.c, fill: .nan)
    map.apply(w, of: groups, into: &f)
    var expected = Matrix<Double>(shape.n, shape.c)
    for (row, group) in groups.enumerated() {
      let image = naiveProduct(
        blocks[group / shape.c], .no, Matrix(column: w.row(row).map { Double($0) }), .no)
      for k in 0..<shape.n { expected[k, group % shape.c] += image[k, 0] }
    }
    #expect(distance(f, expected) <= rounding(T.self, shape.d * shape.p * shape.rows), "forward")
    var g = Matrix<T>(groups.count, shape.d, fill: .nan)
    map.applyAdjoint(r, to: groups, into: &g)
    let scale = 1 + Double(f.frobeniusNorm) * Double(r.frobeniusNorm)
    #expect(abs(inner(f, r) - inner(w, g)) <= rounding(T.self, 32) * scale, "adjoint identity")
  }

  @Test("Products follow the formula and are adjoint", arguments: shapes)
  func products(shape: Shape) {
    products(shape, Float.self)
    products(shape, Double.self)
  }

  @Test("The Gram matrix is Σ A_r (α I ± v vᵀ) A_rᵀ", arguments: shapes)
  func gram(shape: Shape) {
    let (map, blocks) = problem(shape, Double.self)
    let groups = Array(stride(from: 0, to: map.groups, by: shape.c)).prefix(9).map { $0 }
    let α = groups.map { 0.5 + Double($0 % 4) }
    let v: Matrix<Double> = Philox(seed: 5).normalMatrix(groups.count, shape.d)
    for sign in [1.0, -1.0] {
      var q = Matrix<Double>(shape.n, shape.n, fill: .nan)
      map.gram(
        of: groups, scales: α, updates: [GroupUpdate(groups: groups, vectors: v, sign: sign)], into: &q)
      var expected = Matrix<Double>(shape.n, shape.n)
      for (row, group) in groups.enumerated() {
        let block = blocks[group / shape.c]
        let (plain, image) = (
          naiveProduct(block, .no, block, .yes), naiveProduct(block, .no, Matrix(column: v.row(row)), .no)
        )
        for k in 0..<shape.n {
          for l in 0..<shape.n { expected[k, l] += α[row] * plain[k, l] + sign * image[k, 0] * image[l, 0] }
        }
      }
      let scale = 1 + expected.frobeniusNorm
      let isSame = (0..<shape.n).allSatisfy { k in
        (0...k).allSatisfy { abs(q[k, $0] - expected[k, $0]) <= 1e-12 * scale }
      }
      #expect(isSame, "sign \(sign)")
    }
  }

  @Test("The normal matrix is Sᵀ diag(h) S", arguments: shapes)
  func normalMatrix(shape: Shape) {
    let (map, blocks) = problem(shape, Double.self)
    let owners = (0..<80).map { $0 % shape.p * shape.c }
    let v: Matrix<Double> = Philox(seed: 6).normalMatrix(owners.count, shape.d)
    let h = (0..<shape.n).map { 0.1 + Double($0 % 5) }
    var s = Matrix<Double>(owners.count, shape.n)
    for (m, owner) in owners.enumerated() {
      let image = naiveProduct(blocks[owner / shape.c], .no, Matrix(column: v.row(m)), .no)
      for k in 0..<shape.n { s[m, k] = image[k, 0] * h[k].squareRoot() }
    }
    var t = Matrix<Double>(owners.count, owners.count, fill: .nan)
    map.normalMatrix(of: owners, vectors: v, weights: h, into: &t)
    let expected = naiveProduct(s, .no, s, .yes)
    let scale = 1 + expected.frobeniusNorm
    let isSame = owners.indices.allSatisfy { i in
      (0...i).allSatisfy { abs(t[i, $0] - expected[i, $0]) <= 1e-12 * scale }
    }
    #expect(isSame)
  }

  @Test("The same bits for 1, 2 and 3 threads")
  func threads() {
    let shape = Shape(n: 700, rows: 4, d: 9, p: 60, c: 2)
    let (map, _) = problem(shape, Float.self)
    let w: Matrix<Float> = Philox(seed: 3).normalMatrix(map.groups, shape.d)
    let r: Matrix<Float> = Philox(seed: 4).normalMatrix(shape.n, shape.c)
    expectSameForAnyThreads("forward") { map.forward(w) }
    expectSameForAnyThreads("adjoint") { map.adjoint(r) }
    expectSameForAnyThreads("Gram matrix") {
      var q = Matrix<Float>(shape.n, shape.n)
      let groups = Array(stride(from: 0, to: map.groups, by: 2))
      map.gram(of: groups, scales: groups.map { _ in 0.5 }, updates: [], into: &q)
      return (0..<shape.n).map { k in (0...k).reduce(0) { $0 + q[k, $1] } }
    }
  }
}
