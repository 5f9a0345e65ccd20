import Foundation
import LinearAlgebra
import Testing

/// The triple loop, in Double with compensated sums: what every product is compared with.
public func naiveProduct<T: Scalar>(
  _ a: Matrix<T>, _ ta: Transpose, _ b: Matrix<T>, _ tb: Transpose = .no
) -> Matrix<Double> {
  let left = (ta == .no ? a : a.transposed).converted(to: Double.self)
  let right = (tb == .no ? b : b.transposed).converted(to: Double.self)
  var result = Matrix<Double>(left.rows, right.columns)
  for i in 0..<left.rows {
    for j in 0..<right.columns {
      var sum = CompensatedSum()
      for k in 0..<left.columns { sum.add(left[i, k], times: right[k, j]) }
      result[i, j] = sum.value
    }
  }
  return result
}

/// The largest |a_ij − b_ij|; +∞ when the shapes differ.
public func distance<T: Scalar, U: Scalar>(_ a: Matrix<T>, _ b: Matrix<U>) -> Double {
  guard a.rows == b.rows, a.columns == b.columns else { return .infinity }
  return zip(a.storage, b.storage).reduce(0) { worst, pair in
    let difference = abs(Double(pair.0) - Double(pair.1))
    return difference.isNaN ? .infinity : max(worst, difference)
  }
}

/// Rounding that a well-conditioned computation of about `size` terms may show.
public func rounding<T: Scalar>(_: T.Type, _ size: Int, times factor: Double = 8) -> Double {
  factor * Double(max(size, 1)) * Double(T.ulpOfOne)
}

/// A random symmetric positive definite matrix with eigenvalues of about 1 … n.
public func randomPositiveDefinite<T: Scalar>(_ n: Int, seed: UInt64, of _: T.Type = T.self) -> Matrix<T> {
  let x: Matrix<T> = Philox(seed: seed).normalMatrix(n, n)
  var a = gramMatrix(x)
  for i in 0..<n { a[i, i] += T(n) / 4 + 1 }
  return a
}

/// Checks linearity, ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ and column-wise action on random blocks.
public func checkLinearOperator<A: LinearOperator>(_ a: A, seed: UInt64 = 1, tolerance: Double = 1e-10) {
  let random = (0..<3).map { Philox(seed: seed, stream: UInt64($0)) }
  let x: Matrix<A.Element> = random[0].normalMatrix(a.columns, 2)
  let other: Matrix<A.Element> = random[1].normalMatrix(a.columns, 2)
  let y: Matrix<A.Element> = random[2].normalMatrix(a.rows, 2)
  let image = a(x)
  let scale = max(1, Double(image.frobeniusNorm) * Double(y.frobeniusNorm))
  #expect(
    abs(Double(image.inner(y)) - Double(x.inner(a.adjoint(y)))) <= tolerance * scale, "adjoint, seed \(seed)")
  var combined = x
  combined.add(3, other)
  var expected = image
  expected.add(3, a(other))
  #expect(distance(a(combined), expected) <= tolerance * scale, "linearity, seed \(seed)")
  let column = a(Matrix(column: x.column(1)))
  #expect(distance(column, Matrix(column: image.column(1))) <= tolerance * scale, "columns, seed \(seed)")
  var dirty = Matrix<A.Element>(a.rows, 2, fill: .nan)
  a.apply(x, into: &dirty)
  #expect(distance(dirty, image) <= tolerance * scale, "overwrites what was there, seed \(seed)")
}

/// Held while the number of threads is not the usual one: tests run side by side, and there is one such number.
private let threadsLock = NSRecursiveLock()

/// Runs `body` under 1, 2 and 3 threads and expects equal results, bit for bit.
public func expectSameForAnyThreads<R: Equatable>(_ what: String, _ body: () throws -> R) rethrows {
  threadsLock.lock()
  let before = Parallel.threads
  defer {
    Parallel.threads = before
    threadsLock.unlock()
  }
  var results: [R] = []
  for threads in 1...3 {
    Parallel.threads = threads
    results.append(try body())
  }
  #expect(results[0] == results[1], "\(what): 1 and 2 threads differ")
  #expect(results[0] == results[2], "\(what): 1 and 3 threads differ")
}
