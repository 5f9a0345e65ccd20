import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// The gated operator against loops that follow its formula, and its adjoint identity.
struct GatedOperatorTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var n, d, p, c: Int
    var testDescription: String { "n \(n), d \(d), P \(p), c \(c)" }
  }

  static let shapes = [
    Shape(n: 1, d: 1, p: 1, c: 1), Shape(n: 40, d: 5, p: 24, c: 3), Shape(n: 64, d: 3, p: 65, c: 1),
    Shape(n: 130, d: 7, p: 30, c: 2), Shape(n: 700, d: 9, p: 300, c: 1), Shape(n: 1500, d: 11, p: 70, c: 10),
  ]

  private func problem<T: Scalar>(_ shape: Shape, _: T.Type) -> (GatedOperator<T>, BitMatrix) {
    let x: Matrix<T> = Philox(seed: 1).normalMatrix(shape.n, shape.d)
    let gates: Matrix<T> = Philox(seed: 2).normalMatrix(shape.d, shape.p)
    let bits = BitMatrix(signsOf: x, times: gates)
    return (GatedOperator(data: x, patterns: bits, outputs: shape.c), bits)
  }

  /// F_{k,j} = Σ_i 𝔻_{k,i} x_kᵀ w_{i,j} in Double.
  private func naive<T: Scalar>(
    _ map: GatedOperator<T>, _ bits: BitMatrix, _ w: Matrix<T>, _ groups: [Int]
  ) -> Matrix<Double> {
    var f = Matrix<Double>(map.samples, map.outputs)
    for (row, group) in groups.enumerated() {
      for k in 0..<map.samples where bits[k, group / map.outputs] {
        for l in 0..<map.width {
          f[k, group % map.outputs] += Double(map.data[k, l]) * Double(w[row, l])
        }
      }
    }
    return f
  }

  private func check<T: Scalar>(_ shape: Shape, _: T.Type) {
    let (map, bits) = problem(shape, T.self)
    let every = Array(0..<map.groups)
    let some = every.filter { $0 % 3 == 1 || $0 % 7 == 0 }.reversed().map { $0 }
    for groups in [every, some, []] {
      let w: Matrix<T> = Philox(seed: 3).normalMatrix(groups.count, shape.d)
      let r: Matrix<T> = Philox(seed: 4).normalMatrix(shape.n, shape.c)
      var f = Matrix<T>(shape.n, shape.c, fill: .nan)
      map.apply(w, of: groups, into: &f)
      let size = shape.d * shape.p
      #expect(distance(f, naive(map, bits, w, groups)) <= rounding(T.self, size), "forward")
      var g = Matrix<T>(groups.count, shape.d, fill: .nan)
      map.applyAdjoint(r, to: groups, into: &g)
      let scale = 1 + Double(f.frobeniusNorm) * Double(r.frobeniusNorm)
      #expect(abs(inner(f, r) - inner(w, g)) <= rounding(T.self, 32) * scale, "adjoint identity")
    }
  }

  @Test("Products follow the formula and are adjoint, for all groups and for some", arguments: shapes)
  func products(shape: Shape) {
    check(shape, Float.self)
    check(shape, Double.self)
  }

  @Test(
    "A subset of the groups is the whole with zeros elsewhere; adjoint norms are the norms", arguments: shapes
  )
  func subset(shape: Shape) {
    let (map, _) = problem(shape, Double.self)
    let groups = (0..<map.groups).filter { $0 % 2 == 0 }
    let w: Matrix<Double> = Philox(seed: 3).normalMatrix(groups.count, shape.d)
    var whole = Matrix<Double>(map.groups, shape.d)
    for (row, group) in groups.enumerated() { for l in 0..<shape.d { whole[group, l] = w[row, l] } }
    var f = Matrix<Double>(shape.n, shape.c)
    map.apply(w, of: groups, into: &f)
    #expect(distance(f, map.forward(whole)) <= rounding(Double.self, shape.d * shape.p))
    let r: Matrix<Double> = Philox(seed: 4).normalMatrix(shape.n, shape.c)
    let all = map.adjoint(r)
    var g = Matrix<Double>(groups.count, shape.d)
    map.applyAdjoint(r, to: groups, into: &g)
    #expect(distance(g, all.selectingRows(groups)) <= rounding(Double.self, shape.n))
    #expect(distance(Matrix(column: map.adjointNorms(r)), Matrix(column: all.rowNorms)) <= 1e-10)
  }

  @Test("The Gram matrix is Σ A_r (α I + v vᵀ) A_rᵀ")
  func gram() {
    let (n, d, p) = (300, 4, 12)
    let (map, bits) = problem(Shape(n: n, d: d, p: p, c: 2), Double.self)
    let groups = [1, 5, 7, 23]
    let α = [0.5, 0, 2, 1.5]
    let v: Matrix<Double> = Philox(seed: 5).normalMatrix(groups.count, d)
    var q = Matrix<Double>(n, n, fill: .nan)
    map.gram(
      of: groups, scales: α, updates: [GroupUpdate(groups: groups, vectors: v, sign: 1)], into: &q)
    for k in stride(from: 0, to: n, by: 7) {
      for l in stride(from: 0, through: k, by: 5) {
        var expected = 0.0
        for (row, group) in groups.enumerated() where bits[k, group / 2] && bits[l, group / 2] {
          let (a, b) = (Matrix(1, d, storage: map.data.row(k)), Matrix(1, d, storage: map.data.row(l)))
          let along = Matrix(1, d, storage: v.row(row))
          expected += α[row] * inner(a, b) + inner(a, along) * inner(b, along)
        }
        #expect(abs(q[k, l] - expected) <= 1e-10 * (1 + abs(expected)), "entry \(k), \(l)")
      }
    }
  }

  @Test("Updates are added and subtracted, and the normal matrix is Sᵀ diag(h) S, over many tiles")
  func updates() {
    let (n, d, p) = (1100, 5, 12)
    let (map, _) = problem(Shape(n: n, d: d, p: p, c: 1), Double.self)
    let owners = (0..<140).map { $0 % p }
    let v: Matrix<Double> = Philox(seed: 6).normalMatrix(owners.count, d)
    let columns = owners.indices.map { index in
      var image = Matrix<Double>(n, 1)
      map.apply(v.selectingRows([index]), of: [owners[index]], into: &image)
      return image.storage
    }
    let s = Matrix(rows: columns)
    let h = (0..<n).map { 0.1 + Double($0 % 5) }
    var weighted = s
    for i in 0..<s.rows { for k in 0..<n { weighted[i, k] *= h[k] } }
    var t = Matrix<Double>(owners.count, owners.count, fill: .nan)
    map.normalMatrix(of: owners, vectors: v, weights: h, into: &t)
    let expected = naiveProduct(s, .no, weighted, .yes)
    for i in 0..<t.rows { for j in 0...i { #expect(abs(t[i, j] - expected[i, j]) <= 1e-8, "\(i), \(j)") } }

    var q = Matrix<Double>(n, n, fill: .nan)
    let update = GroupUpdate(groups: owners, vectors: v, sign: 1.0)
    let reverse = GroupUpdate(groups: owners, vectors: v, sign: -1.0)
    map.gram(of: [], scales: [], updates: [update], into: &q)
    for (k, l) in [(0, 0), (700, 3), (1099, 1099), (1099, 512)] {
      let sum = (0..<s.rows).reduce(0.0) { $0 + s[$1, k] * s[$1, l] }
      #expect(abs(q[k, l] - sum) <= 1e-9 * max(1, abs(sum)), "entry \(k), \(l)")
    }
    map.gram(of: [], scales: [], updates: [update, reverse], into: &q)
    #expect((0..<n).allSatisfy { k in (0...k).allSatisfy { abs(q[k, $0]) <= 1e-9 } })
  }

  @Test("The operator of one output is that output of the operator")
  func oneOutput() {
    let (map, _) = problem(Shape(n: 90, d: 4, p: 10, c: 3), Double.self)
    let w: Matrix<Double> = Philox(seed: 3).normalMatrix(30, 4)
    let f = map.forward(w)
    for j in 0..<3 {
      let single = map.restricted(toOutput: j)
      let part = single.forward(w.selectingRows(Swift.stride(from: j, to: 30, by: 3).map { $0 }))
      #expect(distance(part, Matrix(column: f.column(j))) <= 1e-12)
    }
  }

  @Test("The same bits for 1, 2 and 3 threads")
  func threads() {
    let (map, _) = problem(Shape(n: 3000, d: 20, p: 300, c: 3), Float.self)
    let w: Matrix<Float> = Philox(seed: 3).normalMatrix(map.groups, 20)
    let r: Matrix<Float> = Philox(seed: 4).normalMatrix(3000, 3)
    expectSameForAnyThreads("forward") { map.forward(w) }
    expectSameForAnyThreads("adjoint") { map.adjoint(r) }
    let some = Array(0..<100)
    expectSameForAnyThreads("adjoint of some groups, in segments") {
      var g = Matrix<Float>(some.count, 20)
      map.applyAdjoint(r, to: some, into: &g)
      return g
    }
  }
}
