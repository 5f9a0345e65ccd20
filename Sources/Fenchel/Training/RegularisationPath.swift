import ConvexOptimization
import LinearAlgebra

/// A regularisation path and how it ended.
public struct PathResult: Sendable {
  public var report: PathReport
  public var status: Status
}

/// Solves the same program for λ = ratio·λ_max, ratios falling, each from the groups of the one before. With given,
/// sampled or all patterns these stay the same along the path; with refinement each point finds its own.
///
/// The time limit is that of the whole path: past it, or cancelled, it ends with the points that are there, of which the first
/// always is one. The status is the first that is not `solved`.
public func path(
  _ data: Dataset<Double>, test: Dataset<Double>? = nil, settings: TrainingSettings, ratios: [Double],
  cancellation: Cancellation? = nil, progress: ProgressHandler? = nil
) throws -> PathResult {
  try settings.onItsThreads {
    try PathRun(data, test, settings, cancellation, progress).result(ratios)
  }
}

/// The points of a path, one after another.
private struct PathRun {
  private let data: Dataset<Double>
  private let test: Dataset<Double>?
  private let settings: TrainingSettings
  private let problem: TrainingProblem
  private let limits: Limits
  private let progress: ProgressHandler?

  init(
    _ data: Dataset<Double>, _ test: Dataset<Double>?, _ settings: TrainingSettings,
    _ cancellation: Cancellation?, _ progress: ProgressHandler?
  ) throws {
    guard settings.model.isConvexProgram else { throw PathError.notConvex(settings.model) }
    (self.data, self.test, self.settings, self.progress) = (data, test, settings, progress)
    problem = try TrainingProblem(data, settings: settings)
    limits = Limits(seconds: settings.timeLimit, cancellation: cancellation)
  }

  func result(_ ratios: [Double]) throws -> PathResult {
    let deadline = limits.deadline
    var points: [PathReport.Point] = []
    var status = Status.solved
    var earlier: ConvexFit?
    var last: TrainingReport?
    let (_, seconds) = try timed {
      for ratio in ratios.sorted(by: >) {
        if last != nil, let interruption = limits.interruption(at: deadline) {
          if status == .solved { status = interruption }
          break
        }
        let (fit, result) = try point(ratio, after: earlier, seconds: deadline.secondsLeft)
        if let point = PathReport.Point(result.report) { points.append(point) }
        if status == .solved { status = result.status }
        (earlier, last) = (fit, result.report)
      }
    }
    guard var last else { throw PathError.noRatios }
    last.settings.timeLimit = settings.timeLimit
    return PathResult(
      report: PathReport(
        model: settings.model, loss: problem.kind, lambdaMax: last.lambdaMax ?? 0, points: points,
        planned: ratios.count, seconds: seconds, settings: last.settings, environment: last.environment,
        data: last.data),
      status: status)
  }

  private func point(
    _ ratio: Double, after earlier: ConvexFit?, seconds: Double?
  ) throws -> (ConvexFit, TrainingResult) {
    var own = settings
    (own.lambda, own.bound, own.timeLimit) = (.ratio(ratio), BoundEffort.none, seconds)
    let fitting = ConvexFitting(
      problem: problem, settings: own, cancellation: limits.cancellation, progress: progress)
    let (fit, time) = try timed { try fitting.fit(after: earlier) }
    let result = try TrainingSummary(problem.frame, data, test, own).result(
      of: fit.certified(for: problem), seconds: time)
    return (fit, result)
  }
}

/// What is wrong with a path or a cross-validation as asked for.
public enum PathError: Error, CustomStringConvertible, Sendable, Equatable {
  case noRatios
  case notConvex(ModelKind)

  public var description: String {
    switch self {
    case .noRatios: "give at least one ratio λ/λ_max above 0 and at most 1"
    case .notConvex(let model):
      "ratios of λ_max are for convex programs, not for the model \(model.rawValue); take "
        + ModelKind.convexPrograms.map(\.rawValue).joined(separator: " or ")
    }
  }
}
