import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension Parallel {
  /// In place lower Cholesky factor like `Scalar.potrf`, in tiles over all threads. Returns 0, or the 1-based
  /// index of the first pivot that is not positive; then the contents are unspecified. Cost n³/3.
  ///
  /// Tiles are finished column after column from left to right. A tile first takes off the products of the
  /// finished tiles to its left, and waits only for those it needs; every tile so sums in an order of its own
  /// that no thread changes.
  public static func cholesky<T: Scalar>(_ n: Int, _ a: UnsafeMutablePointer<T>, _ lda: Int) -> Int {
    let size = choleskyTile(n)
    let side = tiles(of: size, covering: n)
    var failure = 0
    if side > 1 {
      let board = TileBoard(side: side)
      forEach(tiles: side * (side + 1) / 2) { index in
        let (i, j) = board.position(index)
        finishTile(i, j, size, n, a, lda, board)
      }
      failure = board.failure
    } else if n > 0 {
      failure = T.potrf(n, a, lda)
    }
    if failure == 0, let bad = (0..<n).first(where: { !(a[$0 * lda + $0] > 0 && a[$0 * lda + $0].isFinite) })
    {
      failure = bad + 1  // BLAS lets NaN through
    }
    return failure
  }

  /// Edge of the tiles: fixed by the order alone.
  static func choleskyTile(_ n: Int) -> Int {
    if n <= 320 { return 320 }
    return min(n > 4000 ? 384 : 256, max(128, TileGrid.ceiling(n, 6 * 64) * 64))
  }

  /// A_ij ← (A_ij − Σ_{k<j} L_ik L_jkᵀ) L_jj⁻ᵀ, or its Cholesky factor when i = j.
  private static func finishTile<T: Scalar>(
    _ i: Int, _ j: Int, _ size: Int, _ n: Int, _ a: UnsafeMutablePointer<T>, _ lda: Int, _ board: TileBoard
  ) {
    defer { board.finish(i, j) }
    let rows = range(ofTile: i, size: size, count: n)
    let columns = range(ofTile: j, size: size, count: n)
    let tile = a + rows.lowerBound * lda + columns.lowerBound
    func update(_ terms: Range<Int>) {
      let left = UnsafePointer(a) + terms.lowerBound * size
      let k = terms.count * size
      if i == j {
        T.syrk(
          .no, n: rows.count, k: k, alpha: -1, a: left + rows.lowerBound * lda, lda: lda, beta: 1, c: tile,
          ldc: lda)
      } else {
        T.gemm(
          .no, .yes, m: rows.count, n: columns.count, k: k, alpha: -1, a: left + rows.lowerBound * lda,
          lda: lda, b: left + columns.lowerBound * lda, ldb: lda, beta: 1, c: tile, ldc: lda)
      }
    }
    for terms in [0..<max(0, j - 1), max(0, j - 1)..<j] where !terms.isEmpty {
      for k in terms {
        board.wait(i, k)
        board.wait(j, k)
      }
      if board.hasFailed { return }
      update(terms)
    }
    if i == j {
      let info = T.potrf(rows.count, tile, lda)
      if info != 0 { board.fail(at: columns.lowerBound + info) }
    } else {
      board.wait(j, j)
      if board.hasFailed { return }
      T.trsmRight(
        .yes, m: rows.count, n: columns.count, l: a + columns.lowerBound * lda + columns.lowerBound, ldl: lda,
        b: tile, ldb: lda)
    }
  }
}

/// Which tiles of a lower triangle are finished, for threads that wait for each other's.
///
/// Tiles are handed out in the order of `position`, in which every tile comes after those it waits for, so
/// some thread can always go on.
private final class TileBoard: Sendable {
  private let side: Int
  private let done: UnsafeFlags
  private let failedPivot = Atomic<Int>(0)

  init(side: Int) {
    self.side = side
    done = UnsafeFlags(side * side)
  }

  /// Row and column of task `index`: column after column, from the diagonal down.
  func position(_ index: Int) -> (Int, Int) {
    let count = side * (side + 1) / 2
    let (row, offset) = Parallel.triangular(count - 1 - index)
    return (side - 1 - offset, side - 1 - row)
  }

  func finish(_ i: Int, _ j: Int) { done.set(i * side + j) }

  func wait(_ i: Int, _ j: Int) {
    var spins = 0
    while !done.isSet(i * side + j) {
      spins += 1
      if spins > 64 { sched_yield() }
    }
  }

  /// The least 1-based index of a pivot that was not positive, 0 if none.
  var failure: Int { failedPivot.load(ordering: .acquiring) }
  var hasFailed: Bool { failure != 0 }

  /// Diagonal tiles are finished in order, so the first failure is the least.
  func fail(at pivot: Int) {
    _ = failedPivot.compareExchange(expected: 0, desired: pivot, ordering: .acquiringAndReleasing)
  }
}

/// A fixed number of atomic flags, all clear at first.
private struct UnsafeFlags: ~Copyable, @unchecked Sendable {
  private let flags: UnsafeMutablePointer<Atomic<Bool>>
  private let count: Int

  init(_ count: Int) {
    self.count = count
    flags = .allocate(capacity: count)
    for i in 0..<count { (flags + i).initialize(to: Atomic(false)) }
  }

  deinit {
    flags.deinitialize(count: count)
    flags.deallocate()
  }

  func set(_ i: Int) { flags[i].store(true, ordering: .releasing) }
  func isSet(_ i: Int) -> Bool { flags[i].load(ordering: .acquiring) }
}
