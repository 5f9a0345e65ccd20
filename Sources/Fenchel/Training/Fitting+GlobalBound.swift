import ConvexOptimization
import LinearAlgebra

extension Fitting {
  /// A fit of a ReLU network with the bound over networks of any width. Where the search for it meets patterns that the
  /// program lacks, a refined fit takes them in and is solved anew: with few features until none is left.
  ///
  /// - Parameter seconds: what the time limit leaves; nil without one.
  func bounded(_ fit: Fit, seconds: Double?) throws -> Fit {
    let effort = settings.bound ?? .quick
    guard fit.program.isConstrained, effort != BoundEffort.none, cancellation?.isRequested != true,
      fit.solution.status != .stoppedAtLimit(.time)
    else { return fit }
    var fit = fit
    let time = [seconds, settings.boundTime].compactMap { $0 }.min()
    let (began, clock) = (ContinuousClock().now, ContinuousClock())
    let deadline = Deadline(in: time, cancellation: cancellation)
    var left: Double? { time.map { max(0, $0 - began.duration(to: clock.now).seconds) } }
    let isRefined = if case .refine = settings.patterns { true } else { false }
    func bounding(_ program: TwoLayerProgram) -> GlobalBounding {
      var bounding = GlobalBounding(program)
      (bounding.effort, bounding.deadline) = (effort, deadline)
      bounding.maximumBytes = settings.memoryLimit
      return bounding
    }
    for round in 0...Self.mostRounds {
      let bounding = bounding(fit.program)
      if round == 0, isRefined, bounding.isNarrow, let finer = try solvedFinely(fit, fit.program, left) {
        fit = finer
      }
      let mayRefine = isRefined && round < Self.mostRounds
      let outcome = bounding.search(near: fit.solution, untilViolated: mayRefine)
      fit.globalBound = outcome.bound?.joined(with: fit.globalBound) ?? fit.globalBound
      guard mayRefine, outcome.found.count > 0, !deadline.hasPassed else { break }
      if let better = try refined(fit, by: outcome.found, left) {
        fit = better
        continue
      }
      // Nothing comes of the patterns: the bound alone is left to look for.
      let bound = bounding.search(near: fit.solution).bound
      fit.globalBound = bound?.joined(with: fit.globalBound) ?? fit.globalBound
      break
    }
    if !GlobalBounding.isExact(fit.globalBound, for: fit.solution) {
      let relaxed = bounding(fit.program).relaxation(near: fit.solution)
      fit.globalBound = relaxed?.joined(with: fit.globalBound) ?? fit.globalBound
    }
    return fit
  }

  /// Times that patterns met by the search for the bound are taken in.
  private static var mostRounds: Int { 30 }

  /// The fit with the patterns of neurons that violate its dual constraint; nil where it has them, or is no better with them.
  private func refined(_ fit: Fit, by neurons: NeuronSet, _ seconds: Double?) throws -> Fit? {
    let patterns = try fit.program.patterns.adding(neurons.vectors, for: problem.x)
    guard patterns.count > fit.program.patterns.count else { return nil }
    return try solvedFinely(fit, program(patterns, λ: fit.program.λ), seconds)
  }

  /// The fit with a program that has its patterns, solved from its solution, finely enough that its own gap spoils no proof;
  /// nil where that made it no better, or would take too much memory.
  private func solvedFinely(_ fit: Fit, _ program: TwoLayerProgram, _ seconds: Double?) throws -> Fit? {
    // Relative gaps are in parts of at least one, proofs in parts of the objective.
    let small = max(1e-6, min(1, abs(fit.solution.certificate.primal)))
    let limits = Limits(
      tolerance: min(settings.tolerance, GlobalBounding.exactness / 5 * small), maximumIterations: 100_000,
      seconds: seconds, cancellation: cancellation)
    let solving = ProgramSolving(
      solver: settings.solver, limits: limits, maximumBytes: settings.memoryLimit, progress: progress)
    var solution: Solution<TwoLayerPoint>
    do {
      solution = try solving.solve(program, from: fit.solution.point)
    } catch ProgramError.memory { return nil }
    let (old, new) = (fit.solution.certificate, solution.certificate)
    guard new.primal <= old.primal, new.relativeGap <= max(settings.tolerance, old.relativeGap) else {
      return nil
    }
    solution.iterations += fit.solution.iterations
    if new.relativeGap <= settings.tolerance { solution.status = .solved }
    var result = fit
    (result.program, result.solution) = (program, solution)
    return result
  }
}
