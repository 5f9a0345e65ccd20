/// Measures how often work can be done in a second.
struct Stopwatch: Sendable {
  /// Time that one measurement may take.
  let seconds: Double

  /// The least number of seconds that one call of `work` took, of as many as fit into the time, at least two
  /// after a first that only warms caches.
  func fastest(_ work: () -> Void) -> Double {
    let clock = ContinuousClock()
    work()
    var best = Double.infinity
    let start = clock.now
    var rounds = 0
    while rounds < 2 || Stopwatch.seconds(clock.now - start) < seconds {
      let before = clock.now
      work()
      best = min(best, Stopwatch.seconds(clock.now - before))
      rounds += 1
    }
    return max(best, 1e-9)
  }

  private static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}
