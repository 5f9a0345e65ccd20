import CKernels
import Dispatch
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Threads that run the tiles of jobs beside the threads that have them. Between two jobs they turn round for a while before they
/// sleep: a thread that sleeps takes longer to wake than a product of a small training takes in all.
///
/// Jobs may begin inside a tile of another one: who has nothing left to begin in its own job helps those that began later. So a
/// wait for a tile is always one for a later job than those the thread is in, and no circle of waits can close.
///
/// Measured, two threads: products of 5·10⁶ to 5·10⁷ multiplications that follow each other take 480 µs in place of 700 µs
/// under `concurrentPerform`, whose second thread often comes when all is done.
final class WorkerPool: Sendable {
  /// One worker for every processor but the caller's.
  static let shared = WorkerPool(workers: Parallel.availableProcessors - 1)

  /// How long a worker without a job looks for one before it sleeps.
  private static let patience: UInt64 = 300_000  // ns

  private let state = Mutex(State())
  /// Counts the jobs.
  private let generation = Atomic<Int>(0)
  private let workers = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let alarm = DispatchSemaphore(value: 0)

  private struct State {
    /// Those under way, in the order of their beginning.
    var jobs: [Job] = []
    /// Workers in a job.
    var working = 0
  }

  private init(workers: Int) {
    for index in 0..<max(0, workers) where startThread({ [unowned self] in serve(index) }) {
      self.workers.wrappingAdd(1, ordering: .relaxed)
    }
  }

  /// Runs the tiles on this thread and on workers that have nothing to do, and returns when all have run. All jobs together
  /// occupy at most `Parallel.threads` − 1 workers.
  func run(tiles: Int, _ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      withUnsafePointer(to: body) { body in
        let (job, working) = begin(tiles: tiles, SharedBody(pointer: body))
        let awake =
          workers.load(ordering: .relaxed) - sleepers.load(ordering: .sequentiallyConsistent) - working
        let wanted = min(tiles, Parallel.threads) - 1 - awake
        for _ in 0..<max(0, wanted) where claimSleeper() { alarm.signal() }
        job.run()
        finish(job)
      }
    }
  }

  /// The job, and how many workers are in others.
  private func begin(tiles: Int, _ body: SharedBody) -> (job: Job, working: Int) {
    state.withLock {
      let number = generation.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
      let job = Job(number: number, tiles: tiles, body)
      $0.jobs.append(job)
      return (job, $0.working)
    }
  }

  /// Waits for the tiles that others have begun, helping later jobs meanwhile; lets others have the processor if that takes
  /// long.
  private func finish(_ job: Job) {
    var turns = 0
    while !job.isDone {
      fenchel_pause()
      turns += 1
      if turns.isMultiple(of: 50), generation.load(ordering: .acquiring) != job.number { help(after: job) }
      if turns > 1000 { sched_yield() }
    }
    state.withLock { $0.jobs.removeAll { $0 === job } }
  }

  private func help(after job: Job) {
    state.withLock { $0.jobs.last { $0.number > job.number && $0.isOpen } }?.run()
  }

  /// The life of a worker. It turns round for a while after work, and after a job that it came too late for where it is one of
  /// the first `Parallel.threads` − 1: no more than these are to stay awake for nothing.
  private func serve(_ index: Int) {
    var lastWork = DispatchTime.now().uptimeNanoseconds
    while true {
      let seen = generation.load(ordering: .sequentiallyConsistent)
      while let job = enter() {
        job.run()
        state.withLock { $0.working -= 1 }
        lastWork = DispatchTime.now().uptimeNanoseconds
      }
      if index < Parallel.threads - 1 { lastWork = DispatchTime.now().uptimeNanoseconds }
      waitForJob(after: seen, since: lastWork)
    }
  }

  /// The latest job with tiles to begin, where one worker more may work.
  private func enter() -> Job? {
    state.withLock {
      guard $0.working < Parallel.threads - 1, let job = $0.jobs.last(where: \.isOpen) else { return nil }
      $0.working += 1
      return job
    }
  }

  /// Waits for a job after the one seen. One that comes as the worker goes to sleep finds it counted among the sleepers, or is
  /// found by it.
  private func waitForJob(after seen: Int, since lastWork: UInt64) {
    while true {
      repeat {
        for _ in 0..<100 {
          if generation.load(ordering: .acquiring) != seen { return }
          fenchel_pause()
        }
      } while DispatchTime.now().uptimeNanoseconds - lastWork < Self.patience
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
    /// Later jobs have greater ones.
    let number: Int
    private let body: SharedBody
    private let tiles: Int
    private let next = Atomic<Int>(0)
    private let finished = Atomic<Int>(0)

    init(number: Int, tiles: Int, _ body: SharedBody) {
      (self.number, self.tiles, self.body) = (number, tiles, body)
    }

    /// Whether there is a tile to begin.
    var isOpen: Bool { next.load(ordering: .relaxed) < tiles }

    /// Whether every tile has run.
    var isDone: Bool { finished.load(ordering: .acquiring) == tiles }

    /// Runs tiles until none is left to begin.
    func run() {
      while true {
        let tile = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard tile < tiles else { return }
        body.pointer.pointee(tile)
        finished.wrappingAdd(1, ordering: .releasing)
      }
    }
  }

  /// A closure on the stack of the thread that waits for the job: nobody calls it after the last tile has finished.
  private struct SharedBody: @unchecked Sendable {
    let pointer: UnsafePointer<(Int) -> Void>
  }
}

/// Starts a detached thread that takes no signals; false where there can be none.
private func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
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
  return failure == 0
}

private final class ThreadBody: Sendable {
  let run: @Sendable () -> Void
  init(run: @escaping @Sendable () -> Void) { self.run = run }
}
