/// How a solver ended. Not converging is a status, never an error.
public enum Status: Sendable, Equatable {
  /// The certificate reached the tolerance.
  case solved
  /// All passes that were asked for were made, by a method that proves nothing.
  case completed
  /// A limit ended the run first; the certificate is real, and short of the tolerance.
  case stoppedAtLimit(Limit)
  /// No step makes progress any more: the rounding floor of the arithmetic is reached.
  case stalled
  /// A factorisation failed or an iterate stopped being finite; the last good iterate was kept.
  case numericalFailure
  /// The caller asked to stop.
  case cancelled

  /// Whether the run ended before its method did.
  package var isInterrupted: Bool {
    switch self {
    case .cancelled, .stoppedAtLimit: true
    case .solved, .completed, .stalled, .numericalFailure: false
    }
  }

  /// The limits that can end a run.
  public enum Limit: String, Sendable, CaseIterable {
    case iterations, time, memory
    /// A single step of the method would take too long for a problem of this size.
    case work
  }
}
