/// Triangular solves and the Cholesky factor on one thread, by halves: the diagonal blocks are solved by small
/// kernels and all else is matrix products. (The triangular solves of common BLAS libraries run at a fifth of
/// the speed of their products; those for one right-hand side are left to them.)
extension Scalar {
  /// Order up to which a triangular matrix is a single block.
  static var blockOrder: Int { 64 }

  /// Where a triangular matrix of order n > `blockOrder` is cut: near the middle, at whole blocks.
  private static func half(_ n: Int) -> Int { (n / 2 + blockOrder - 1) / blockOrder * blockOrder }

  /// B ← op(L)⁻¹ B for the lower triangular L: m × m, B: m × n, row-major. Cost m²n.
  public static func trsm(
    _ transpose: Transpose, m: Int, n: Int, l: UnsafePointer<Self>, ldl: Int,
    b: UnsafeMutablePointer<Self>, ldb: Int
  ) {
    guard m > 0, n > 0 else { return }
    guard n > 1 || ldb > 1 else { return trsv(transpose, n: m, l: l, ldl: ldl, x: b) }
    guard m > blockOrder else {
      return solveBlock(m, n, l, ldl, backward: transpose == .yes, b, entry: ldb, side: 1)
    }
    let h = half(m)
    let (corner, lower, below) = (l + h * ldl, b + h * ldb, l + h * ldl + h)
    if transpose == .no {
      trsm(.no, m: h, n: n, l: l, ldl: ldl, b: b, ldb: ldb)
      gemm(
        .no, .no, m: m - h, n: n, k: h, alpha: -1, a: corner, lda: ldl, b: b, ldb: ldb, beta: 1, c: lower,
        ldc: ldb)
      trsm(.no, m: m - h, n: n, l: below, ldl: ldl, b: lower, ldb: ldb)
    } else {
      trsm(.yes, m: m - h, n: n, l: below, ldl: ldl, b: lower, ldb: ldb)
      gemm(
        .yes, .no, m: h, n: n, k: m - h, alpha: -1, a: corner, lda: ldl, b: lower, ldb: ldb, beta: 1, c: b,
        ldc: ldb)
      trsm(.yes, m: h, n: n, l: l, ldl: ldl, b: b, ldb: ldb)
    }
  }

  /// B ← B op(L)⁻¹ for the lower triangular L: n × n, B: m × n, row-major. Cost m n².
  public static func trsmRight(
    _ transpose: Transpose, m: Int, n: Int, l: UnsafePointer<Self>, ldl: Int,
    b: UnsafeMutablePointer<Self>, ldb: Int
  ) {
    guard m > 0, n > 0 else { return }
    guard n > blockOrder else {
      return solveBlock(n, m, l, ldl, backward: transpose == .no, b, entry: 1, side: ldb)
    }
    let h = half(n)
    let (corner, right, below) = (l + h * ldl, b + h, l + h * ldl + h)
    if transpose == .yes {
      trsmRight(.yes, m: m, n: h, l: l, ldl: ldl, b: b, ldb: ldb)
      gemm(
        .no, .yes, m: m, n: n - h, k: h, alpha: -1, a: b, lda: ldb, b: corner, ldb: ldl, beta: 1, c: right,
        ldc: ldb)
      trsmRight(.yes, m: m, n: n - h, l: below, ldl: ldl, b: right, ldb: ldb)
    } else {
      trsmRight(.no, m: m, n: n - h, l: below, ldl: ldl, b: right, ldb: ldb)
      gemm(
        .no, .no, m: m, n: h, k: n - h, alpha: -1, a: right, lda: ldb, b: corner, ldb: ldl, beta: 1, c: b,
        ldc: ldb)
      trsmRight(.no, m: m, n: h, l: l, ldl: ldl, b: b, ldb: ldb)
    }
  }

  /// In place lower Cholesky factor of a row-major symmetric n × n matrix (its lower triangle is read).
  /// Returns 0, or the 1-based index of the first pivot that is not positive. Cost n³/3.
  public static func potrf(_ n: Int, _ a: UnsafeMutablePointer<Self>, _ lda: Int) -> Int {
    guard n > 0 else { return 0 }
    guard n > blockOrder else { return choleskyBlock(n, a, lda) }
    let h = half(n)
    let (corner, below) = (a + h * lda, a + h * lda + h)
    let first = potrf(h, a, lda)
    guard first == 0 else { return first }
    trsmRight(.yes, m: n - h, n: h, l: a, ldl: lda, b: corner, ldb: lda)
    syrk(.no, n: n - h, k: h, alpha: -1, a: corner, lda: lda, beta: 1, c: below, ldc: lda)
    let second = potrf(n - h, below, lda)
    return second == 0 ? 0 : h + second
  }
}
