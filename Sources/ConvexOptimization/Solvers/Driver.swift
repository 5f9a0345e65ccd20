import Synchronization

/// Asks a running computation to stop at its next iteration. Thread-safe, and safe in a signal handler.
public final class Cancellation: Sendable {
  private let requested = Atomic<Bool>(false)
  public init() {}
  public var isRequested: Bool { requested.load(ordering: .relaxed) }
  public func request() { requested.store(true, ordering: .relaxed) }
}

/// When a driven solver stops.
public struct Limits: Sendable {
  /// Relative gap (primal − dual)/max(1, |primal|) at which the problem counts as solved.
  public var tolerance: Double
  public var maximumIterations: Int
  /// Seconds from the start of the run, or nil for no limit.
  public var seconds: Double?
  /// Iterations between certificates while the solver itself sees no reason for one.
  public var certificateInterval: Int
  public var cancellation: Cancellation?

  public init(
    tolerance: Double = 1e-4, maximumIterations: Int = 10_000, seconds: Double? = nil,
    certificateInterval: Int = 10, cancellation: Cancellation? = nil
  ) {
    self.tolerance = tolerance
    self.maximumIterations = maximumIterations
    self.seconds = seconds
    self.certificateInterval = max(1, certificateInterval)
    self.cancellation = cancellation
  }

  /// Why a run must end after so many seconds, nil where it may go on.
  package func interruption(after elapsed: Double) -> Status? {
    if cancellation?.isRequested == true { return .cancelled }
    if let seconds, elapsed >= seconds { return .stoppedAtLimit(.time) }
    return nil
  }
}

/// What a run is doing, for progress lines and logs.
public struct Progress: Sendable {
  /// Name of the phase, such as `interior point` or `pricing`.
  public var phase: String
  public var iteration: Int
  public var seconds: Double
  /// The last certificate, once there is one.
  public var certificate: Certificate?
  /// The relative gap as the solver itself sees it now, where it does; proves nothing.
  public var estimatedGap: Double?

  public init(
    phase: String, iteration: Int, seconds: Double, certificate: Certificate? = nil,
    estimatedGap: Double? = nil
  ) {
    self.phase = phase
    self.iteration = iteration
    self.seconds = seconds
    self.certificate = certificate
    self.estimatedGap = estimatedGap
  }
}

/// Called with the state of a run as it goes; may be called often, and must return quickly.
public typealias ProgressHandler = @Sendable (Progress) -> Void

/// The end of a driven run: the best certified points, their certificate and how it came to stop.
public struct Solution<Point: Sendable>: Sendable {
  /// The point whose objective is the certificate's primal.
  public var point: Point
  /// The point that proves the certificate's dual; another than `point` where a run bettered only one of both.
  public var dualPoint: Point
  public var certificate: Certificate
  public var status: Status
  public var iterations: Int
  public var seconds: Double

  /// The solution that one point makes, both above and below.
  public init(
    point: Point, certificate: Certificate, status: Status, iterations: Int, seconds: Double
  ) {
    self.point = point
    dualPoint = point
    self.certificate = certificate
    self.status = status
    self.iterations = iterations
    self.seconds = seconds
  }
}

/// Runs a solver on a problem until the problem's own certificate reaches the tolerance, or a limit ends it.
///
/// Of all certified points the one with the least primal is returned, and the one with the largest dual. The last certificate
/// of a run that was interrupted takes about a second, or after a time limit a tenth of it.
public func drive<S: Solver, Problem: Certifiable>(
  _ solver: inout S, on problem: Problem, limits: Limits, phase: String, progress: ProgressHandler? = nil
) -> Solution<S.Point> where Problem.Point == S.Point {
  let clock = ContinuousClock()
  let start = clock.now
  var best = Solution(
    point: solver.point,
    certificate: Certificate(primal: .infinity, dual: -.infinity, scope: .restricted), status: .solved,
    iterations: 0, seconds: 0)
  var sinceCertificate = 1
  func certify(inSeconds seconds: Double? = nil) {
    sinceCertificate = 0
    let point = solver.point
    best.keepBetter(
      point,
      seconds.map { problem.certificate(at: point, inSeconds: $0) } ?? problem.certificate(at: point))
  }
  func finish(_ status: Status) -> Solution<S.Point> {
    if sinceCertificate > 0 {
      let patience: Double? =
        switch status {
        case .cancelled: 1
        case .stoppedAtLimit(.time): max(1, start.duration(to: clock.now).seconds / 10)
        default: nil
        }
      certify(inSeconds: patience)
    }
    best.status = best.certificate.relativeGap <= limits.tolerance ? .solved : status
    best.seconds = start.duration(to: clock.now).seconds
    return best
  }
  while true {
    if best.certificate.relativeGap <= limits.tolerance { return finish(.solved) }
    if limits.cancellation?.isRequested == true { return finish(.cancelled) }
    if best.iterations >= limits.maximumIterations { return finish(.stoppedAtLimit(.iterations)) }
    let seconds = start.duration(to: clock.now).seconds
    if let limit = limits.seconds, seconds >= limit { return finish(.stoppedAtLimit(.time)) }
    let outcome = solver.step()
    best.iterations += 1
    sinceCertificate += 1
    if outcome != .advanced || sinceCertificate >= limits.certificateInterval {
      if let interruption = limits.interruption(after: start.duration(to: clock.now).seconds) {
        return finish(interruption)
      }
      certify()
      if outcome == .stalled || outcome == .failed {
        return finish(outcome == .failed ? .numericalFailure : .stalled)
      }
    }
    progress?(
      Progress(
        phase: phase, iteration: best.iterations, seconds: seconds,
        certificate: best.certificate.primal.isFinite ? best.certificate : nil,
        estimatedGap: solver.estimatedGap))
  }
}

extension Solution {
  /// Keeps the point of lesser primal, and the point of the larger dual bound with that bound (each holds for the
  /// problem), of this solution and a point with its certificate.
  package mutating func keepBetter(_ point: Point, _ certificate: Certificate) {
    keepBetter(
      Solution(
        point: point, certificate: certificate, status: status, iterations: iterations, seconds: seconds))
  }

  /// The same of two solutions of one problem.
  package mutating func keepBetter(_ other: Solution) {
    if other.certificate.primal <= certificate.primal {
      (point, certificate.primal) = (other.point, other.certificate.primal)
    }
    if other.certificate.dual > certificate.dual {
      (dualPoint, certificate.dual) = (other.dualPoint, other.certificate.dual)
    }
    certificate.scope = other.certificate.scope
  }
}

extension Duration {
  /// The duration in seconds.
  public var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
