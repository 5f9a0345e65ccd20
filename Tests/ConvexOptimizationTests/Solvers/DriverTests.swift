import ConvexOptimization
import Synchronization
import Testing

/// What the shared driver keeps of a run, and what it shows.
struct DriverTests {
  /// A solver and its problem: point i has the i-th certificate, and after the last one there is no way on.
  private struct Walk: Solver, Certifiable {
    let certificates: [Certificate]
    private(set) var point = 0

    init(_ values: [(primal: Double, dual: Double)]) {
      certificates = values.map { Certificate(primal: $0.primal, dual: $0.dual, scope: .exact) }
    }

    var estimatedGap: Double? { point < 2 ? nil : 1 / Double(point) }

    mutating func step() -> StepOutcome {
      point += 1
      return point + 1 < certificates.count ? .readyForCertificate : .stalled
    }

    func certificate(at point: Int) -> Certificate { certificates[point] }
  }

  @Test("The least primal and the largest dual are kept, each with its point")
  func bestPoints() {
    var walk = Walk([(9, 0), (5, 1), (4, 3), (3, 2), (7, 2.5)])
    let solution = drive(&walk, on: walk, limits: Limits(tolerance: 1e-3), phase: "walk")
    #expect(solution.certificate == Certificate(primal: 3, dual: 3, scope: .exact))
    #expect(solution.point == 3 && solution.dualPoint == 2)
  }

  @Test("Progress shows the solver's own gap beside the last certificate")
  func progress() {
    let seen = Mutex<[Progress]>([])
    var walk = Walk([(9, 0), (5, 1), (4, 3), (3.5, 2), (7, 2.5)])
    _ = drive(&walk, on: walk, limits: Limits(tolerance: 1e-3), phase: "walk") { progress in
      seen.withLock { $0.append(progress) }
    }
    let shown = seen.withLock { $0 }
    #expect(shown.map(\.estimatedGap) == [nil, 0.5, 1.0 / 3])
    #expect(shown.map { $0.certificate?.gap } == [4, 1, 0.5])
  }

  /// A problem whose hurried certificates are weaker, by the time that they may take.
  private struct Slow: Solver, Certifiable {
    var outcome = StepOutcome.advanced
    var duration = 0.0
    var point: Int { 0 }
    mutating func step() -> StepOutcome {
      let end = ContinuousClock.now + .seconds(duration)
      while ContinuousClock.now < end {}
      return outcome
    }
    func certificate(at point: Int) -> Certificate { Certificate(primal: 100, dual: 90, scope: .exact) }
    func certificate(at point: Int, inSeconds seconds: Double) -> Certificate {
      Certificate(primal: 100, dual: min(89, seconds), scope: .exact)
    }
  }

  @Test("The last certificate of a run that was interrupted does not make people wait")
  func hurriedCertificates() {
    let cancellation = Cancellation()
    cancellation.request()
    func ended(_ limits: Limits, _ outcome: StepOutcome = .advanced, stepSeconds: Double = 0) -> Solution<Int>
    {
      var solver = Slow(outcome: outcome, duration: stepSeconds)
      return drive(&solver, on: solver, limits: limits, phase: "wait")
    }
    let cancelled = ended(Limits(cancellation: cancellation))
    #expect(cancelled.certificate.dual == 1 && cancelled.status == .cancelled)
    let late = ended(Limits(maximumIterations: .max, seconds: 0.02, certificateInterval: .max))
    #expect((1...89).contains(late.certificate.dual) && late.status == .stoppedAtLimit(.time))
    let whole = ended(Limits(maximumIterations: 3))
    #expect(whole.certificate.dual == 90 && whole.status == .stoppedAtLimit(.iterations))
    // A solver that gives up because the time is over did not stall.
    #expect(ended(Limits(seconds: 60), .stalled).status == .stalled)
    for outcome in [StepOutcome.stalled, .failed, .readyForCertificate] {
      let cut = ended(Limits(seconds: 0.01), outcome, stepSeconds: 0.02)
      #expect(cut.status == .stoppedAtLimit(.time) && cut.certificate.dual <= 89 && cut.iterations == 1)
    }
  }
}
