/// An iterative method on one problem: its state, one step of it, and the point that it would return.
///
/// A solver knows nothing of limits, clocks, cancellation or printing: the shared `Driver` owns those. What
/// the returned point is worth is said by the problem (`Certifiable`), never by the solver.
public protocol Solver {
  associatedtype Point: Sendable
  /// One iteration.
  mutating func step() -> StepOutcome
  /// The best point so far, ready to be certified.
  var point: Point { get }
  /// The method's own idea of the relative gap, in its own arithmetic: for people who wait, and no proof. Nil (the
  /// default) where the method has none.
  var estimatedGap: Double? { get }
}

extension Solver {
  public var estimatedGap: Double? { nil }
}

/// What one iteration of a solver came to.
public enum StepOutcome: Sendable, Equatable {
  case advanced
  /// The method's own optimality measure says that the point is worth certifying now.
  case readyForCertificate
  /// No further progress is possible in this arithmetic.
  case stalled
  /// A factorisation failed or an iterate stopped being finite; `point` is the last good one.
  case failed
}

/// A problem that can prove how good a point is.
public protocol Certifiable {
  associatedtype Point
  /// The certificate at `point`, computed in Double by code that shares nothing with any solver.
  func certificate(at point: Point) -> Certificate
  /// The same in about so many seconds, at the end of a run that was interrupted: its lower bound may be weaker, and holds. By
  /// default the certificate above, for problems in which it is no search that takes the time.
  func certificate(at point: Point, inSeconds seconds: Double) -> Certificate
}

extension Certifiable {
  public func certificate(at point: Point, inSeconds seconds: Double) -> Certificate {
    certificate(at: point)
  }
}
