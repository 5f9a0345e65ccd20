/// Until when work may go on: a moment, a request of the caller, both or neither. For loops inside of a step, whose
/// results hold whenever they end; what runs between steps is the driver's.
public struct Deadline: Sendable {
  private let moment: ContinuousClock.Instant?
  private let cancellation: Cancellation?

  /// No deadline.
  public static var none: Deadline { Deadline(in: nil) }

  /// In some seconds from now, or when a caller asks for it.
  public init(in seconds: Double?, cancellation: Cancellation? = nil) {
    // Beyond some centuries a Duration overflows; what is no number leaves no time.
    moment = seconds.map { ContinuousClock().now + .seconds($0 > 0 ? min($0, 1e9) : 0) }
    self.cancellation = cancellation
  }

  private init(at moment: ContinuousClock.Instant?, _ cancellation: Cancellation?) {
    (self.moment, self.cancellation) = (moment, cancellation)
  }

  /// The deadline after a part of the time that is left.
  public func after(_ part: Double) -> Deadline {
    let now = ContinuousClock().now
    return Deadline(at: moment.map { now + max(.zero, now.duration(to: $0)) * part }, cancellation)
  }

  /// Seconds until the moment, nil where there is none.
  public var secondsLeft: Double? {
    moment.map { max(.zero, ContinuousClock().now.duration(to: $0)).seconds }
  }

  public var hasPassed: Bool {
    if cancellation?.isRequested == true { return true }
    guard let moment else { return false }
    return ContinuousClock().now >= moment
  }
}

extension Limits {
  /// The deadline of a run that starts now.
  public var deadline: Deadline { Deadline(in: seconds, cancellation: cancellation) }

  /// These limits with the time that is left until a deadline.
  package func until(_ deadline: Deadline) -> Limits {
    var rest = self
    rest.seconds = deadline.secondsLeft
    return rest
  }

  /// Why a run of these limits must end now, given its deadline; nil where it may go on.
  package func interruption(at deadline: Deadline) -> Status? {
    guard deadline.hasPassed else { return nil }
    return cancellation?.isRequested == true ? .cancelled : .stoppedAtLimit(.time)
  }
}
