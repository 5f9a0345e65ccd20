import LinearAlgebra

/// In place lower Cholesky factor of a symmetric matrix of a Newton step. Near the end of an interior-point run
/// the matrix may be singular to rounding: a ridge of 1e-15 of its largest diagonal entry, growing a
/// hundredfold a try, is added where a pivot fails. Returns false after six tries.
func factorCholesky(_ n: Int, _ a: UnsafeMutablePointer<Double>) -> Bool {
  let stride = n + 1
  var diagonal = [Double](repeating: 0, count: n)
  for i in 0..<n { diagonal[i] = a[i * stride] }
  // The factor overwrites the lower triangle; the upper one keeps a copy for another try.
  for i in 0..<n { for j in 0..<i { a[j * n + i] = a[i * n + j] } }
  var ridge = 0.0
  for _ in 0..<6 {
    if Parallel.cholesky(n, a, max(n, 1)) == 0 { return true }
    ridge = max(ridge * 100, (diagonal.max() ?? 0) * 1e-15)
    for i in 0..<n {
      for j in 0..<i { a[i * n + j] = a[j * n + i] }
      a[i * stride] = diagonal[i] + ridge
    }
  }
  return false
}

/// The same on an array of n² entries.
func factorCholesky(_ n: Int, _ a: inout [Double]) -> Bool {
  a.withMutablePointer { factorCholesky(n, $0) }
}
