import ConvexOptimization
import LinearAlgebra
import Testing

@Suite("Quadratic forms on a cone by doubly non-negative matrices")
struct DoublyNonnegativeMethodTests {
  private func symmetric(_ d: Int, seed: UInt64) -> Matrix<Double> {
    let a: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(d, d)
    var s = a
    for i in 0..<d { for j in 0..<d { s[i, j] = a[i, j] + a[j, i] } }
    return s
  }

  /// λ_max(S + AᵀMA).
  private func bound(_ s: Matrix<Double>, _ a: Matrix<Double>, _ m: Matrix<Double>) throws -> Double {
    var sum = matrixProduct(a, .yes, matrixProduct(m, a), .no)
    for index in 0..<sum.count { sum.storage[index] += s.storage[index] }
    return try #require(SymmetricEigen(sum).values.last)
  }

  /// max uᵀSu over unit vectors u ≥ 0: the largest eigenvalue of a principal submatrix with a non-negative eigenvector.
  private func orthantMaximum(_ s: Matrix<Double>) throws -> Double {
    var best = -Double.infinity
    for support in 1..<1 << s.rows {
      let chosen = (0..<s.rows).filter { support >> $0 & 1 == 1 }
      var part = Matrix<Double>(chosen.count, chosen.count)
      for (i, a) in chosen.enumerated() { for (j, b) in chosen.enumerated() { part[i, j] = s[a, b] } }
      let eigen = try SymmetricEigen(part)
      let top = eigen.vectorsTransposed.row(chosen.count - 1)
      if top.allSatisfy({ $0 >= 0 }) || top.allSatisfy({ $0 <= 0 }) {
        best = max(best, eigen.values.last ?? best)
      }
    }
    return best
  }

  @Test("exact on the orthant of up to four dimensions", arguments: [2, 3, 4])
  func orthant(dimension d: Int) throws {
    for seed: UInt64 in 0..<6 {
      let s = symmetric(d, seed: seed)
      let exact = try orthantMaximum(s)
      var method = try #require(DoublyNonnegativeMethod(s, rows: .identity(d)))
      let isDone = method.run(steps: 3000)
      #expect(isDone)
      let found = try bound(s, .identity(d), method.multipliers)
      #expect(method.multipliers.storage.allSatisfy { $0 >= 0 })
      #expect(found >= exact - 1e-12, "seed \(seed)")
      #expect(found <= exact + 1e-4 * StrictArithmetic.norm(s.storage), "seed \(seed)")
    }
  }

  @Test("bounds hold after any number of steps, and rows that come later make them smaller")
  func growth() throws {
    for seed: UInt64 in 0..<4 {
      let (d, k) = (7, 20)
      let s = symmetric(d, seed: seed)
      // All rows are non-negative on u, which is therefore in the cone.
      var rows: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(k, d)
      let direction: Matrix<Double> = Philox(seed: seed, stream: 3).normalMatrix(d, 1)
      let u = direction.storage.map { $0 / StrictArithmetic.norm(direction.storage) }
      let norms = rows.rowNorms
      rows.scaleRows(
        by: (0..<k).map { StrictArithmetic.dot(rows.row($0), u) < 0 ? -1 / norms[$0] : 1 / norms[$0] })
      let images = matrixProduct(s, Matrix(column: u)).storage
      let value = StrictArithmetic.dot(u, images)
      let few = rows.firstRows(k / 2)
      var method = try #require(DoublyNonnegativeMethod(s, rows: few))
      for _ in 0..<10 {
        _ = method.run(steps: 100)
        #expect(try bound(s, few, method.multipliers) >= value - 1e-10)
      }
      let before = try bound(s, few, method.multipliers)
      let isDone = method.add(rows: rows.selectingRows(k / 2..<k)) && method.run(steps: 2000)
      #expect(isDone)
      let after = try bound(s, rows, method.multipliers)
      #expect(after >= value - 1e-10)
      #expect(after <= before * (1 + 1e-3))
      let trace = (0..<d).reduce(0) { $0 + method.solution[$1, $1] }
      #expect(abs(trace - 1) < 1e-12)
      // U is feasible and optimal as far as 2000 steps go.
      let products = matrixProduct(rows, .no, matrixProduct(method.solution, .no, rows, .yes), .no)
      #expect(products.storage.allSatisfy { $0 > -1e-3 })
      let reached = zip(s.storage, method.solution.storage).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(reached - after) < 1e-2 * StrictArithmetic.norm(s.storage))
    }
  }

  @Test("a form or rows of zeros have no bound")
  func nothing() {
    #expect(DoublyNonnegativeMethod(Matrix(3, 3), rows: .identity(3)) == nil)
    #expect(DoublyNonnegativeMethod(.identity(3), rows: Matrix(0, 3)) == nil)
  }
}
