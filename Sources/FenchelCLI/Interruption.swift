import ConvexOptimization
import Foundation
import Synchronization

/// SIGINT, SIGTERM and SIGHUP while something is trained: the first asks the computation to stop at its next
/// iteration, so that the model is written with its real gap; a second one ends the process at once.
enum Interruption {
  static let cancellation = Cancellation()
  private static let received = Atomic<Int32>(0)

  /// The signal that came, or nil.
  static var signal: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// From now on the signals stop the computation instead of the process. Ignored signals stay ignored.
  static func install() {
    _ = cancellation.isRequested
    _ = received.load(ordering: .relaxed)
    var awaited = sigset_t()
    sigemptyset(&awaited)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      var old = sigaction()
      sigaction(number, nil, &old)
      if isIgnored(old) { continue }
      var new = sigaction()
      new.__sigaction_handler.sa_handler = { number in Interruption.handle(number) }
      sigemptyset(&new.sa_mask)
      new.sa_flags = SA_RESTART
      sigaction(number, &new, nil)
      sigaddset(&awaited, number)
    }
    // Blocked where the program was started from a thread that blocks them.
    pthread_sigmask(SIG_UNBLOCK, &awaited, nil)
  }

  private static func isIgnored(_ action: sigaction) -> Bool {
    guard let handler = action.__sigaction_handler.sa_handler else { return false }
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// Runs inside the signal handler: only atomics and `_exit`.
  private static func handle(_ number: Int32) {
    let (isFirst, _) = received.compareExchange(expected: 0, desired: number, ordering: .relaxed)
    guard isFirst else { _exit(128 + number) }
    cancellation.request()
  }
}
