import ConvexOptimization
import Foundation
import Synchronization

/// What a run is doing, on standard error: one line that is rewritten on a terminal, an occasional plain line
/// elsewhere, nothing with `--quiet`.
final class ProgressLine: Sendable {
  private struct State {
    var lastShown = -Double.infinity
    var pause = 2.0
    var isShown = false
    var phase = ""
    var firstGap: (seconds: Double, gap: Double)?
  }

  private let state = Mutex(State())
  private let tolerance: Double
  private let isQuiet: Bool
  private let start = ContinuousClock.now

  init(tolerance: Double, isQuiet: Bool) {
    self.tolerance = tolerance
    self.isQuiet = isQuiet
  }

  /// The handler to give to a computation.
  var handler: ProgressHandler? {
    guard !isQuiet else { return nil }
    return { [self] progress in update(progress) }
  }

  private var seconds: Double {
    let elapsed = ContinuousClock.now - start
    return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
  }

  private func update(_ progress: ConvexOptimization.Progress) {
    state.withLock { state in
      let now = seconds
      if state.phase != progress.phase { (state.phase, state.firstGap) = (progress.phase, nil) }
      if let gap = progress.gap, state.firstGap == nil { state.firstGap = (progress.seconds, gap) }
      guard now - state.lastShown >= (Terminal.isInteractive ? 0.1 : state.pause) else { return }
      if !Terminal.isInteractive && state.lastShown.isFinite { state.pause = min(60, state.pause * 1.5) }
      let isFirstPlain = !Terminal.isInteractive && !state.lastShown.isFinite
      state.lastShown = now
      if isFirstPlain { return }
      show(text(progress, elapsed: now, since: state.firstGap), &state)
    }
  }

  private func show(_ text: String, _ state: inout State) {
    guard Terminal.isInteractive else { return Terminal.error(text) }
    state.isShown = true
    Terminal.write("\r\u{1b}[K" + String(text.prefix(max(10, Terminal.width - 1))), to: 2)
  }

  /// Removes the rewritten line, so that what follows starts on a clean one.
  func finish() {
    state.withLock { state in
      if state.isShown { Terminal.write("\r\u{1b}[K", to: 2) }
      state.isShown = false
    }
  }

  private func text(
    _ progress: ConvexOptimization.Progress, elapsed: Double, since first: (seconds: Double, gap: Double)?
  ) -> String {
    var parts = [progress.phase, "iteration \(progress.iteration)"]
    if progress.seconds > 0.5 {
      parts.append("\(Format.significant(Double(progress.iteration) / progress.seconds, 3))/s")
    }
    if let gap = progress.gap {
      let sign = progress.estimatedGap == nil ? "" : "≈ "
      parts.append("gap \(sign)\(Format.scientific(gap)) (to \(Format.scientific(tolerance)))")
      if let left = timeLeft(progress.seconds, gap, first) {
        parts.append("about \(Format.duration(left)) left")
      }
    }
    parts.append(Format.duration(elapsed))
    return parts.joined(separator: " · ")
  }

  /// Seconds until the gap meets the tolerance if its logarithm goes on falling as it has.
  private func timeLeft(
    _ seconds: Double, _ gap: Double, _ first: (seconds: Double, gap: Double)?
  ) -> Double? {
    guard let first, gap > tolerance, gap < first.gap, seconds > first.seconds + 0.5 else { return nil }
    let slope = (log(first.gap) - log(gap)) / (seconds - first.seconds)
    let left = (log(gap) - log(tolerance)) / slope
    return left.isFinite ? left : nil
  }
}

extension ConvexOptimization.Progress {
  /// The relative gap to show: the solver's estimate, which is of this moment, or else the last one certified.
  fileprivate var gap: Double? {
    let gap = estimatedGap ?? certificate?.relativeGap
    return gap?.isFinite == true ? gap : nil
  }
}
