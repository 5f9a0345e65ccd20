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
/// The status is the first that is not `solved`.
public func path(
  _ data: Dataset<Double>, test: Dataset<Double>? = nil, settings: TrainingSettings, ratios: [Double],
  cancellation: Cancellation? = nil, progress: ProgressHandler? = nil
) throws -> PathResult {
  guard settings.model.isConvexProgram else { throw PathError.notConvex(settings.model) }
  let problem = try TrainingProblem(data, settings: settings)
  var points: [PathReport.Point] = []
  var status = Status.solved
  var earlier: ConvexFit?
  var last: TrainingReport?
  let (_, seconds) = try timed {
    for ratio in ratios.sorted(by: >) {
      var pointSettings = settings
      (pointSettings.lambda, pointSettings.bound) = (.ratio(ratio), BoundEffort.none)
      let fitting = ConvexFitting(
        problem: problem, settings: pointSettings, cancellation: cancellation, progress: progress)
      let (fit, seconds) = try timed { try fitting.fit(after: earlier) }
      let result = try TrainingSummary(problem.frame, data, test, pointSettings).result(
        of: fit.certified(for: problem), seconds: seconds)
      if let point = PathReport.Point(result.report) { points.append(point) }
      last = result.report
      earlier = fit
      if status == .solved { status = result.status }
      if cancellation?.isRequested == true { break }
    }
  }
  guard let last else { throw PathError.noRatios }
  return PathResult(
    report: PathReport(
      model: settings.model, loss: problem.kind, lambdaMax: last.lambdaMax ?? 0, points: points,
      seconds: seconds, settings: last.settings, environment: last.environment, data: last.data),
    status: status)
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
