import CKernels
import COpenBLAS
import RealModule

extension Float: Scalar {
  public static func gemm(
    _ transposeA: Transpose, _ transposeB: Transpose, m: Int, n: Int, k: Int, alpha: Float,
    a: UnsafePointer<Float>, lda: Int, b: UnsafePointer<Float>, ldb: Int, beta: Float,
    c: UnsafeMutablePointer<Float>, ldc: Int
  ) {
    guard m > 0, n > 0 else { return }
    cblas_sgemm(
      CblasRowMajor, transposeA.cblas, transposeB.cblas, blasint(m), blasint(n), blasint(k), alpha, a,
      blasint(lda), b, blasint(ldb), beta, c, blasint(ldc))
  }

  public static func syrk(
    _ transpose: Transpose, n: Int, k: Int, alpha: Float, a: UnsafePointer<Float>, lda: Int, beta: Float,
    c: UnsafeMutablePointer<Float>, ldc: Int
  ) {
    guard n > 0 else { return }
    cblas_ssyrk(
      CblasRowMajor, CblasLower, transpose.cblas, blasint(n), blasint(k), alpha, a, blasint(lda), beta, c,
      blasint(ldc))
  }

  public static func gemv(
    _ transpose: Transpose, m: Int, n: Int, alpha: Float, a: UnsafePointer<Float>, lda: Int,
    x: UnsafePointer<Float>, beta: Float, y: UnsafeMutablePointer<Float>
  ) {
    guard m > 0, n > 0 else { return }
    if isSmallProduct(m, n) {
      return transpose == .no
        ? fenchel_gemv_s(m, n, alpha, a, lda, x, beta, y)
        : fenchel_gemv_transposed_s(m, n, alpha, a, lda, x, beta, y)
    }
    cblas_sgemv(
      CblasRowMajor, transpose.cblas, blasint(m), blasint(n), alpha, a, blasint(lda), x, 1, beta, y, 1)
  }

  public static func trsv(
    _ transpose: Transpose, n: Int, l: UnsafePointer<Float>, ldl: Int, x: UnsafeMutablePointer<Float>
  ) {
    cblas_strsv(
      CblasRowMajor, CblasLower, transpose.cblas, CblasNonUnit, blasint(n), l, blasint(ldl), x, 1)
  }

  public static func dot(_ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>) -> Float {
    cblas_sdot(blasint(n), x, 1, y, 1)
  }

  public static func norm2(_ n: Int, _ x: UnsafePointer<Float>) -> Float { cblas_snrm2(blasint(n), x, 1) }

  public static func axpy(
    _ n: Int, _ alpha: Float, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
  ) {
    cblas_saxpy(blasint(n), alpha, x, 1, y, 1)
  }

  public static func scale(_ n: Int, _ alpha: Float, _ x: UnsafeMutablePointer<Float>) {
    cblas_sscal(blasint(n), alpha, x, 1)
  }

  public static func multiply(_ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
    fenchel_multiply_s(x, y, n)
  }

  public static func potri(_ n: Int, _ a: UnsafeMutablePointer<Float>, _ lda: Int) -> Int {
    lapack { info in
      var (order, leading) = (Int32(n), Int32(max(lda, 1)))
      spotri_("U", &order, a, &leading, &info)
    }
  }

  public static func syevd(
    _ n: Int, _ a: UnsafeMutablePointer<Float>, _ w: UnsafeMutablePointer<Float>
  ) -> Int {
    lapackWithWork(Float.self) { work, workSize, integers, integerSize, info in
      var (order, leading) = (Int32(n), Int32(max(n, 1)))
      ssyevd_(
        "V", "U", &order, a, &leading, w, work, &workSize, integers, &integerSize, &info)
    }
  }

  public static func gesdd(
    _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Float>, _ s: UnsafeMutablePointer<Float>,
    _ u: UnsafeMutablePointer<Float>, _ vt: UnsafeMutablePointer<Float>
  ) -> Int {
    lapackWithWork(Float.self, integers: 8 * min(m, n)) { work, workSize, integers, _, info in
      var (rows, columns, small) = (Int32(m), Int32(n), Int32(min(m, n)))
      sgesdd_(
        "S", &rows, &columns, a, &rows, s, u, &rows, vt, &small, work, &workSize, integers, &info)
    }
  }

  public static func geqp3(
    _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Float>, _ pivots: UnsafeMutablePointer<Int32>,
    _ tau: UnsafeMutablePointer<Float>
  ) -> Int {
    lapackWithWork(Float.self) { work, workSize, _, _, info in
      var (rows, columns) = (Int32(m), Int32(n))
      sgeqp3_(&rows, &columns, a, &rows, pivots, tau, work, &workSize, &info)
    }
  }

  public static func orgqr(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafeMutablePointer<Float>, _ tau: UnsafePointer<Float>
  ) -> Int {
    lapackWithWork(Float.self) { work, workSize, _, _, info in
      var (rows, columns, reflectors) = (Int32(m), Int32(n), Int32(k))
      sorgqr_(&rows, &columns, &reflectors, a, &rows, tau, work, &workSize, &info)
    }
  }

  public static func maskedSum(
    _ z: UnsafePointer<Float>, _ bits: UnsafePointer<UInt64>, _ count: Int
  ) -> Float {
    fenchel_masked_sum_s(z, bits, count)
  }

  public static func maskedFill(
    _ z: UnsafeMutablePointer<Float>, _ bits: UnsafePointer<UInt64>, _ count: Int, _ value: Float
  ) {
    fenchel_masked_fill_s(z, bits, count, value)
  }

  public static func maskedAdd(
    _ sum: UnsafeMutablePointer<Float>, _ z: UnsafePointer<Float>, _ bits: UnsafePointer<UInt64>, _ count: Int
  ) {
    fenchel_masked_add_s(sum, z, bits, count)
  }

  public static func maskedCopy(
    _ target: UnsafeMutablePointer<Float>, _ z: UnsafePointer<Float>, _ bits: UnsafePointer<UInt64>,
    _ count: Int
  ) {
    fenchel_masked_copy_s(target, z, bits, count)
  }

  public static func signBits(
    _ z: UnsafePointer<Float>, _ bits: UnsafeMutablePointer<UInt64>, _ count: Int
  ) {
    fenchel_sign_bits_s(z, bits, count)
  }

  public static func anyWithin(
    _ z: UnsafePointer<Float>, _ bound: UnsafePointer<Float>, _ scale: Float, _ count: Int
  ) -> Bool {
    fenchel_any_within_s(z, bound, scale, count) != 0
  }

  public static func solveBlock(
    _ n: Int, _ count: Int, _ l: UnsafePointer<Float>, _ ldl: Int, backward: Bool,
    _ b: UnsafeMutablePointer<Float>, entry: Int, side: Int
  ) {
    fenchel_triangular_solve_s(n, count, l, ldl, backward ? 1 : 0, b, entry, side)
  }

  public static func choleskyBlock(_ n: Int, _ a: UnsafeMutablePointer<Float>, _ lda: Int) -> Int {
    Int(fenchel_cholesky_s(n, a, lda))
  }

  public static func strictDot(
    _ count: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Double>
  ) -> Double {
    fenchel_compensated_dot_mixed(x, y, count)
  }
}
