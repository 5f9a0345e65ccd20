import RealModule

/// An element type with BLAS and LAPACK kernels behind it: `Float` or `Double`.
///
/// Every O(n) loop of Fenchel is a static requirement of this protocol (or of an extension with concrete
/// entry points), so that generic code never runs an unspecialised inner loop. All products are row-major
/// and run on the calling thread alone; parallelism comes from `Parallel`'s tiles.
public protocol Scalar: Real, BinaryFloatingPoint, Codable, Sendable, SIMDScalar where Magnitude == Self {
  /// C ← α op(A) op(B) + β C, with op(A): m × k, op(B): k × n, C: m × n, all row-major. Cost 2mnk.
  static func gemm(
    _ transposeA: Transpose, _ transposeB: Transpose, m: Int, n: Int, k: Int, alpha: Self,
    a: UnsafePointer<Self>, lda: Int, b: UnsafePointer<Self>, ldb: Int, beta: Self,
    c: UnsafeMutablePointer<Self>, ldc: Int)

  /// Lower triangle of C ← α op(A) op(A)ᵀ + β C, with op(A): n × k. Cost n²k.
  static func syrk(
    _ transpose: Transpose, n: Int, k: Int, alpha: Self, a: UnsafePointer<Self>, lda: Int, beta: Self,
    c: UnsafeMutablePointer<Self>, ldc: Int)

  /// y ← α op(A) x + β y, with A: m × n row-major. Cost 2mn.
  static func gemv(
    _ transpose: Transpose, m: Int, n: Int, alpha: Self, a: UnsafePointer<Self>, lda: Int,
    x: UnsafePointer<Self>, beta: Self, y: UnsafeMutablePointer<Self>)

  /// x ← op(L)⁻¹ x for the lower triangular L: n × n, row-major. Cost n².
  static func trsv(
    _ transpose: Transpose, n: Int, l: UnsafePointer<Self>, ldl: Int, x: UnsafeMutablePointer<Self>)

  /// ⟨x, y⟩ over n entries with unit stride.
  static func dot(_ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>) -> Self
  /// ‖x‖₂ over n entries, safe against overflow.
  static func norm2(_ n: Int, _ x: UnsafePointer<Self>) -> Self
  /// y ← y + α x over n entries.
  static func axpy(_ n: Int, _ alpha: Self, _ x: UnsafePointer<Self>, _ y: UnsafeMutablePointer<Self>)
  /// x ← α x over n entries.
  static func scale(_ n: Int, _ alpha: Self, _ x: UnsafeMutablePointer<Self>)

  /// y_i ← x_i y_i over n entries.
  static func multiply(_ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafeMutablePointer<Self>)

  /// Lower triangle of A⁻¹ from the lower Cholesky factor, in place. Cost 2n³/3.
  static func potri(_ n: Int, _ a: UnsafeMutablePointer<Self>, _ lda: Int) -> Int

  // LAPACK drivers, column-major as LAPACK has them; the factorisation types wrap them.
  static func syevd(_ n: Int, _ a: UnsafeMutablePointer<Self>, _ w: UnsafeMutablePointer<Self>) -> Int
  static func gesdd(
    _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Self>, _ s: UnsafeMutablePointer<Self>,
    _ u: UnsafeMutablePointer<Self>, _ vt: UnsafeMutablePointer<Self>
  ) -> Int
  static func geqp3(
    _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Self>, _ pivots: UnsafeMutablePointer<Int32>,
    _ tau: UnsafeMutablePointer<Self>
  ) -> Int
  static func orgqr(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafeMutablePointer<Self>, _ tau: UnsafePointer<Self>
  ) -> Int

  // Exponentials (CKernels), correct to a few units in the last place.
  /// x ← exp(x) over `count` entries; results below the normal numbers become 0.
  static func exponentials(_ x: UnsafeMutablePointer<Self>, _ count: Int)
  /// value ← log(1 + exp(x)) and x ← 1/(1 + exp(−x)), its derivative, over `count` entries.
  static func softplus(_ x: UnsafeMutablePointer<Self>, value: UnsafeMutablePointer<Self>, _ count: Int)

  // Diagonal blocks of order ≤ `blockOrder` (CKernels); `trsm`, `trsmRight` and `potrf` are made of them.
  /// x ← L⁻¹ x (or L⁻ᵀ x, `backward`) for `count` vectors x, entry j of vector r at b[j·entry + r·side].
  static func solveBlock(
    _ n: Int, _ count: Int, _ l: UnsafePointer<Self>, _ ldl: Int, backward: Bool,
    _ b: UnsafeMutablePointer<Self>, entry: Int, side: Int)
  /// In place lower Cholesky factor. 0, or the 1-based index of the first pivot that is not positive.
  static func choleskyBlock(_ n: Int, _ a: UnsafeMutablePointer<Self>, _ lda: Int) -> Int

  /// Σ x_i y_i in Double with compensated rounding errors, in the precision that x has.
  static func strictDot(_ count: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Double>) -> Double

  // Steps of first-order methods (CKernels) from the weights w to `out`, which may not overlap w, with the slope
  // h = g + decay·w. Each returns whether all new weights are finite.
  /// out ← w − rate·h.
  static func descend(
    _ count: Int, rate: Self, decay: Self, _ w: UnsafePointer<Self>, _ g: UnsafePointer<Self>,
    into out: UnsafeMutablePointer<Self>
  ) -> Bool
  /// velocity ← friction·velocity + h; out ← w − rate·velocity.
  static func descendWithMomentum(
    _ count: Int, rate: Self, decay: Self, friction: Self, _ w: UnsafePointer<Self>, _ g: UnsafePointer<Self>,
    velocity: UnsafeMutablePointer<Self>, into out: UnsafeMutablePointer<Self>
  ) -> Bool
  /// square ← keep·square + take·h²; out ← w − rate·h/(√square + ε).
  static func descendScaled(
    _ count: Int, rate: Self, decay: Self, keep: Self, take: Self, epsilon: Self, _ w: UnsafePointer<Self>,
    _ g: UnsafePointer<Self>, square: UnsafeMutablePointer<Self>, into out: UnsafeMutablePointer<Self>
  ) -> Bool
  /// mean ← keep₁·mean + (1 − keep₁)·h; square ← keep₂·square + (1 − keep₂)·h²;
  /// out ← w − rate·mean/(root·√square + ε).
  static func descendByMoments(
    _ count: Int, rate: Self, decay: Self, keep: (Self, Self), root: Self, epsilon: Self,
    _ w: UnsafePointer<Self>, _ g: UnsafePointer<Self>, mean: UnsafeMutablePointer<Self>,
    square: UnsafeMutablePointer<Self>, into out: UnsafeMutablePointer<Self>
  ) -> Bool

  // Kernels on one image (CKernels).
  /// The averages of an image in their border.
  static func frame(
    _ image: UnsafePointer<Self>, _ frame: ImageFrame, into target: UnsafeMutablePointer<Self>)
  /// image ← image + scale · the adjoint of `frame`.
  static func addFrame(
    _ source: UnsafePointer<Self>, _ frame: ImageFrame, scale: Self, to image: UnsafeMutablePointer<Self>)
  /// The patches of a frame, one row for each weight of a filter. Frame and patches have 64 bytes of slack at their end.
  static func gatherPatches(
    _ frame: UnsafePointer<Self>, _ convolution: Convolution, into patches: UnsafeMutablePointer<Self>)
  /// frame ← frame + the adjoint of `gatherPatches`.
  static func addPatches(
    _ patches: UnsafePointer<Self>, _ convolution: Convolution, to frame: UnsafeMutablePointer<Self>)

  // Kernels on bit-packed patterns (CKernels).
  /// out ← Σ_i bit_i z_i over `count` entries.
  static func maskedSum(_ z: UnsafePointer<Self>, _ bits: UnsafePointer<UInt64>, _ count: Int) -> Self
  /// z_i ← bit_i · value over `count` entries.
  static func maskedFill(
    _ z: UnsafeMutablePointer<Self>, _ bits: UnsafePointer<UInt64>, _ count: Int, _ value: Self)
  /// sum_i ← sum_i + bit_i z_i over `count` entries.
  static func maskedAdd(
    _ sum: UnsafeMutablePointer<Self>, _ z: UnsafePointer<Self>, _ bits: UnsafePointer<UInt64>, _ count: Int)
  /// target_i ← bit_i z_i over `count` entries.
  static func maskedCopy(
    _ target: UnsafeMutablePointer<Self>, _ z: UnsafePointer<Self>, _ bits: UnsafePointer<UInt64>,
    _ count: Int)
  /// bit_i ← (z_i > 0); the unused bits of the last word become 0.
  static func signBits(_ z: UnsafePointer<Self>, _ bits: UnsafeMutablePointer<UInt64>, _ count: Int)
  /// Whether |z_i| ≤ scale · bound_i for some i (NaN counts as so).
  static func anyWithin(
    _ z: UnsafePointer<Self>, _ bound: UnsafePointer<Self>, _ scale: Self, _ count: Int
  ) -> Bool
}

/// Whether a product uses a matrix as it is stored or transposed.
public enum Transpose: Sendable {
  case no
  case yes
}

extension Scalar {
  /// Whether a product of an m × n matrix and a vector takes less than the call of a BLAS does.
  @inline(__always)
  static func isSmallProduct(_ m: Int, _ n: Int) -> Bool { m * n <= 4096 && min(m, n) <= 64 }
}
