import CKernels
import Dispatch
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Threads that run the tiles of one job at a time beside the thread that has it. Between two jobs they turn round for a while
/// before they sleep: a thread that sleeps takes longer to wake than a product of a small training takes in all.
///
/// Measured, two threads: products of 5·10⁶ to 5·10⁷ multiplications that follow each other take 480 µs in place of 700 µs
/// under `concurrentPerform`, whose second thread often comes when all is done.
final class WorkerPool: Sendable {
  /// One worker for every processor but the caller's.
  static let shared = WorkerPool(workers: Parallel.availableProcessors - 1)

  /// How long a worker without a job looks for one before it sleeps.
  private static let patience: UInt64 = 300_000  // ns

  private let workers: Int
  private let isBusy = Atomic<Bool>(false)
  private let job = Mutex<Job?>(nil)
  /// Counts the jobs.
  private let generation = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let alarm = DispatchSemaphore(value: 0)

  private init(workers: Int) {
    self.workers = max(0, workers)
    for _ in 0..<self.workers { startThread { [unowned self] in serve() } }
  }

  /// Runs the tiles on this thread and up to `others` workers, and returns when all have run; false, with nothing run, where
  /// the pool has another job or no workers.
  func run(tiles: Int, others: Int, _ body: (Int) -> Void) -> Bool {
    guard workers > 0, isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else { return false }
    defer { isBusy.store(false, ordering: .releasing) }
    withoutActuallyEscaping(body) { body in
      withUnsafePointer(to: body) { body in
        let job = Job(tiles: tiles, places: others, SharedBody(pointer: body))
        self.job.withLock { $0 = job }
        generation.wrappingAdd(1, ordering: .sequentiallyConsistent)
        for _ in 0..<others where claimSleeper() { alarm.signal() }
        job.run()
        job.wait()
        self.job.withLock { $0 = nil }
      }
    }
    return true
  }

  /// The life of a worker.
  private func serve() {
    var seen = 0
    while true {
      seen = nextGeneration(after: seen)
      job.withLock { $0 }?.join()
    }
  }

  /// Waits for a job after the one seen. One that comes as the worker goes to sleep finds it counted among the sleepers, or is
  /// found by it.
  private func nextGeneration(after seen: Int) -> Int {
    while true {
      let start = DispatchTime.now().uptimeNanoseconds
      repeat {
        for _ in 0..<100 {
          let now = generation.load(ordering: .acquiring)
          if now != seen { return now }
          fenchel_pause()
        }
      } while DispatchTime.now().uptimeNanoseconds - start < Self.patience
      sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
      // Who is claimed before it sleeps has the alarm all the same, and takes it.
      if generation.load(ordering: .sequentiallyConsistent) == seen || !claimSleeper() { alarm.wait() }
    }
  }

  /// Takes one off the sleepers, where there is one: so each is called once, however long it takes to wake.
  private func claimSleeper() -> Bool {
    var count = sleepers.load(ordering: .sequentiallyConsistent)
    while count > 0 {
      let (isDone, found) = sleepers.compareExchange(
        expected: count, desired: count - 1, ordering: .sequentiallyConsistent)
      if isDone { return true }
      count = found
    }
    return false
  }

  /// Tiles that threads take in turn. A worker that comes late may hold it after its end, and finds no tile to begin.
  private final class Job: Sendable {
    private let body: SharedBody
    private let tiles: Int
    private let next = Atomic<Int>(0)
    private let finished = Atomic<Int>(0)
    /// How many workers may still join.
    private let places: Atomic<Int>

    init(tiles: Int, places: Int, _ body: SharedBody) {
      (self.tiles, self.body) = (tiles, body)
      self.places = Atomic(places)
    }

    /// Runs tiles until none is left to begin.
    func run() {
      while true {
        let tile = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard tile < tiles else { return }
        body.pointer.pointee(tile)
        finished.wrappingAdd(1, ordering: .releasing)
      }
    }

    /// The same for one worker more, where there is a place.
    func join() {
      if places.wrappingSubtract(1, ordering: .relaxed).oldValue > 0 { run() }
    }

    /// Waits for the tiles that others have begun; lets them have the processor if that takes long.
    func wait() {
      var turns = 0
      while finished.load(ordering: .acquiring) < tiles {
        fenchel_pause()
        turns += 1
        if turns > 1000 { sched_yield() }
      }
    }
  }

  /// A closure on the stack of the thread that waits for the job: nobody calls it after the last tile has finished.
  private struct SharedBody: @unchecked Sendable {
    let pointer: UnsafePointer<(Int) -> Void>
  }
}

/// Starts a detached thread that takes no signals.
private func startThread(_ body: @escaping @Sendable () -> Void) {
  var (thread, attributes) = (pthread_t(), pthread_attr_t())
  pthread_attr_init(&attributes)
  defer { pthread_attr_destroy(&attributes) }
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  var (all, before) = (sigset_t(), sigset_t())
  sigfillset(&all)
  pthread_sigmask(SIG_SETMASK, &all, &before)  // which the new thread takes over
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  let context = Unmanaged.passRetained(ThreadBody(run: body))
  let failure = pthread_create(
    &thread, &attributes,
    { context in
      if let context { Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run() }
      return nil
    }, context.toOpaque())
  if failure != 0 { context.release() }
}

private final class ThreadBody: Sendable {
  let run: @Sendable () -> Void
  init(run: @escaping @Sendable () -> Void) { self.run = run }
}
