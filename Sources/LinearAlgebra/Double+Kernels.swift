import CKernels
import COpenBLAS
import RealModule

extension Double: Scalar {
  public static func gemm(
    _ transposeA: Transpose, _ transposeB: Transpose, m: Int, n: Int, k: Int, alpha: Double,
    a: UnsafePointer<Double>, lda: Int, b: UnsafePointer<Double>, ldb: Int, beta: Double,
    c: UnsafeMutablePointer<Double>, ldc: Int
  ) {
    guard m > 0, n > 0 else { return }
    cblas_dgemm(
      CblasRowMajor, transposeA.cblas, transposeB.cblas, blasint(m), blasint(n), blasint(k), alpha, a,
      blasint(lda), b, blasint(ldb), beta, c, blasint(ldc))
  }

  public static func syrk(
    _ transpose: Transpose, n: Int, k: Int, alpha: Double, a: UnsafePointer<Double>, lda: Int, beta: Double,
    c: UnsafeMutablePointer<Double>, ldc: Int
  ) {
    guard n > 0 else { return }
    cblas_dsyrk(
      CblasRowMajor, CblasLower, transpose.cblas, blasint(n), blasint(k), alpha, a, blasint(lda), beta, c,
      blasint(ldc))
  }

  public static func gemv(
    _ transpose: Transpose, m: Int, n: Int, alpha: Double, a: UnsafePointer<Double>, lda: Int,
    x: UnsafePointer<Double>, beta: Double, y: UnsafeMutablePointer<Double>
  ) {
    guard m > 0, n > 0 else { return }
    if isSmallProduct(m, n) {
      return transpose == .no
        ? fenchel_gemv_d(m, n, alpha, a, lda, x, beta, y)
        : fenchel_gemv_transposed_d(m, n, alpha, a, lda, x, beta, y)
    }
    cblas_dgemv(
      CblasRowMajor, transpose.cblas, blasint(m), blasint(n), alpha, a, blasint(lda), x, 1, beta, y, 1)
  }

  public static func trsv(
    _ transpose: Transpose, n: Int, l: UnsafePointer<Double>, ldl: Int, x: UnsafeMutablePointer<Double>
  ) {
    cblas_dtrsv(
      CblasRowMajor, CblasLower, transpose.cblas, CblasNonUnit, blasint(n), l, blasint(ldl), x, 1)
  }

  public static func dot(_ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>) -> Double {
    cblas_ddot(blasint(n), x, 1, y, 1)
  }

  public static func norm2(_ n: Int, _ x: UnsafePointer<Double>) -> Double { cblas_dnrm2(blasint(n), x, 1) }

  public static func axpy(
    _ n: Int, _ alpha: Double, _ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>
  ) {
    cblas_daxpy(blasint(n), alpha, x, 1, y, 1)
  }

  public static func scale(_ n: Int, _ alpha: Double, _ x: UnsafeMutablePointer<Double>) {
    cblas_dscal(blasint(n), alpha, x, 1)
  }

  public static func multiply(_ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>) {
    fenchel_multiply_d(x, y, n)
  }

  public static func potri(_ n: Int, _ a: UnsafeMutablePointer<Double>, _ lda: Int) -> Int {
    lapack { info in
      var (order, leading) = (Int32(n), Int32(max(lda, 1)))
      dpotri_("U", &order, a, &leading, &info)
    }
  }

  public static func syevd(
    _ n: Int, _ a: UnsafeMutablePointer<Double>, _ w: UnsafeMutablePointer<Double>
  ) -> Int {
    lapackWithWork(Double.self) { work, workSize, integers, integerSize, info in
      var (order, leading) = (Int32(n), Int32(max(n, 1)))
      dsyevd_(
        "V", "U", &order, a, &leading, w, work, &workSize, integers, &integerSize, &info)
    }
  }

  public static func gesdd(
    _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Double>, _ s: UnsafeMutablePointer<Double>,
    _ u: UnsafeMutablePointer<Double>, _ vt: UnsafeMutablePointer<Double>
  ) -> Int {
    lapackWithWork(Double.self, integers: 8 * min(m, n)) { work, workSize, integers, _, info in
      var (rows, columns, small) = (Int32(m), Int32(n), Int32(min(m, n)))
      dgesdd_(
        "S", &rows, &columns, a, &rows, s, u, &rows, vt, &small, work, &workSize, integers, &info)
    }
  }

  public static func geqp3(
    _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Double>, _ pivots: UnsafeMutablePointer<Int32>,
    _ tau: UnsafeMutablePointer<Double>
  ) -> Int {
    lapackWithWork(Double.self) { work, workSize, _, _, info in
      var (rows, columns) = (Int32(m), Int32(n))
      dgeqp3_(&rows, &columns, a, &rows, pivots, tau, work, &workSize, &info)
    }
  }

  public static func orgqr(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafeMutablePointer<Double>, _ tau: UnsafePointer<Double>
  ) -> Int {
    lapackWithWork(Double.self) { work, workSize, _, _, info in
      var (rows, columns, reflectors) = (Int32(m), Int32(n), Int32(k))
      dorgqr_(&rows, &columns, &reflectors, a, &rows, tau, work, &workSize, &info)
    }
  }

  public static func maskedSum(
    _ z: UnsafePointer<Double>, _ bits: UnsafePointer<UInt64>, _ count: Int
  ) -> Double {
    fenchel_masked_sum_d(z, bits, count)
  }

  public static func maskedFill(
    _ z: UnsafeMutablePointer<Double>, _ bits: UnsafePointer<UInt64>, _ count: Int, _ value: Double
  ) {
    fenchel_masked_fill_d(z, bits, count, value)
  }

  public static func maskedAdd(
    _ sum: UnsafeMutablePointer<Double>, _ z: UnsafePointer<Double>, _ bits: UnsafePointer<UInt64>,
    _ count: Int
  ) {
    fenchel_masked_add_d(sum, z, bits, count)
  }

  public static func maskedCopy(
    _ target: UnsafeMutablePointer<Double>, _ z: UnsafePointer<Double>, _ bits: UnsafePointer<UInt64>,
    _ count: Int
  ) {
    fenchel_masked_copy_d(target, z, bits, count)
  }

  public static func signBits(
    _ z: UnsafePointer<Double>, _ bits: UnsafeMutablePointer<UInt64>, _ count: Int
  ) {
    fenchel_sign_bits_d(z, bits, count)
  }

  public static func anyWithin(
    _ z: UnsafePointer<Double>, _ bound: UnsafePointer<Double>, _ scale: Double, _ count: Int
  ) -> Bool {
    fenchel_any_within_d(z, bound, scale, count) != 0
  }

  public static func solveBlock(
    _ n: Int, _ count: Int, _ l: UnsafePointer<Double>, _ ldl: Int, backward: Bool,
    _ b: UnsafeMutablePointer<Double>, entry: Int, side: Int
  ) {
    fenchel_triangular_solve_d(n, count, l, ldl, backward ? 1 : 0, b, entry, side)
  }

  public static func choleskyBlock(_ n: Int, _ a: UnsafeMutablePointer<Double>, _ lda: Int) -> Int {
    Int(fenchel_cholesky_d(n, a, lda))
  }

  public static func strictDot(
    _ count: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>
  ) -> Double {
    fenchel_compensated_dot(x, y, count)
  }
}
