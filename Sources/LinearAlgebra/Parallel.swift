import COpenBLAS
import Synchronization

/// Work cut into a fixed grid of tiles and spread over threads.
///
/// The grid depends on the problem only, never on the number of threads; each tile runs on one thread (with
/// single-threaded BLAS), and partial results are added in the order of the tiles. Hence the same bits for
/// any number of threads.
public enum Parallel {
  private static let limit = Atomic<Int>(0)

  /// Number of threads in use; by default the processors that the process may use.
  public static var threads: Int {
    get {
      let set = limit.load(ordering: .relaxed)
      return set > 0 ? set : availableProcessors
    }
    set { limit.store(max(1, newValue), ordering: .relaxed) }
  }

  /// Processors that this process may run on.
  public static let availableProcessors: Int = max(1, Int(openblas_get_num_procs()))

  /// Name of the kernels that OpenBLAS chose for this processor.
  public static var blasCore: String { String(cString: openblas_get_corename()) }

  private static let singleThreadedBLAS: Void = openblas_set_num_threads(1)

  /// Calls `body` once for each tile index in 0..<tiles, on up to `threads` threads, and returns when all have
  /// run. Tiles must write to places of their own.
  public static func forEach(tiles: Int, _ body: (Int) -> Void) {
    _ = singleThreadedBLAS
    guard min(threads, tiles) > 1 else {
      for tile in 0..<tiles { body(tile) }
      return
    }
    WorkerPool.shared.run(tiles: tiles, body)
  }

  /// Changes every element of an array, each on one thread; loops over tiles inside share the threads that are free. The error
  /// of the first element that throws one is thrown when all have run.
  public static func forEach<Item, Failure: Error>(
    in items: inout [Item], _ body: (Int, inout Item) throws(Failure) -> Void
  ) throws(Failure) {
    var failures = [Failure?](repeating: nil, count: items.count)
    items.withUnsafeMutableBufferPointer { items in
      failures.withUnsafeMutableBufferPointer { failures in
        forEach(tiles: items.count) { index in
          do throws(Failure) { try body(index, &items[index]) } catch { failures[index] = error }
        }
      }
    }
    if let failure = failures.lazy.compactMap(\.self).first { throw failure }
  }

  /// The same for tiles that take about `work` multiplications in all: runs them in order on this thread where calling other
  /// threads (a few µs, more where they sleep) would cost more than it saves. The results are the same bits either way.
  public static func forEach(tiles: Int, work: Int, _ body: (Int) -> Void) {
    guard work < 100_000 else { return forEach(tiles: tiles, body) }
    _ = singleThreadedBLAS
    for tile in 0..<tiles { body(tile) }
  }

  /// Number of tiles of at most `size` items that cover `count` items.
  public static func tiles(of size: Int, covering count: Int) -> Int { (count + size - 1) / size }

  /// Items of tile `index` when `count` items are cut into tiles of `size`.
  public static func range(ofTile index: Int, size: Int, count: Int) -> Range<Int> {
    index * size..<min((index + 1) * size, count)
  }
}
