import ConvexOptimization
import LinearAlgebra

/// A choice by cross-validation, and the model trained with it on all data.
public struct CrossValidationResult: Sendable {
  public var report: CrossValidationReport
  public var model: ModelFile
  public var status: Status
}

/// Chooses λ/λ_max (and the model) by k-fold cross-validation, stratified by class, and trains with the choice on
/// all data. The score is accuracy for classes and −rmse for numbers; ties go to the larger λ.
///
/// The time limit is that of all of it. Of N trainings that the comparison needs it takes no more than the share
/// 1 − max(1/10, 1/(N + 1)) of the limit, so that the last training has time; candidates that it leaves without a score on
/// every fold are not chosen from, and the status is then that of the limit.
///
/// Errors: those of `train`, and of `Split.folds` for fewer rows than folds.
public func crossValidate(
  _ data: Dataset<Double>, settings: TrainingSettings, models: [ModelKind], ratios: [Double], folds: Int,
  cancellation: Cancellation? = nil, progress: ProgressHandler? = nil
) throws -> CrossValidationResult {
  guard !ratios.isEmpty, !models.isEmpty else { throw PathError.noRatios }
  if let other = models.first(where: { !$0.isConvexProgram }) { throw PathError.notConvex(other) }
  let strata: [Int32]? = if case .classes(let indices, _) = data.targets { indices } else { nil }
  let splits = try Split.folds(folds, rows: data.rows, seed: settings.seed, strata: strata)
  let deadline = Deadline(in: settings.timeLimit)
  let planned = models.count * ratios.count
  var comparison = Comparison(data: data, splits: splits, settings: settings, progress: progress)
  comparison.limits.seconds = settings.timeLimit.map {
    $0 * (1 - max(0.1, 1 / Double(planned * folds + 1)))
  }
  comparison.limits.cancellation = cancellation
  let start = ContinuousClock.now
  let (candidates, interruption) = try comparison.run(models, ratios.sorted(by: >))
  let best = candidates.indices.reduce(0) { best, next in
    candidates[next].mean > candidates[best].mean || candidates[best].mean.isNaN ? next : best
  }
  var chosen = settings
  chosen.model = candidates[best].model
  (chosen.lambda, chosen.timeLimit) = (.ratio(candidates[best].lambdaRatio), deadline.secondsLeft)
  var result = try train(data, settings: chosen, cancellation: cancellation, progress: progress)
  result.report.settings.timeLimit = settings.timeLimit
  result.model.report.settings.timeLimit = settings.timeLimit
  let report = CrossValidationReport(
    folds: folds, score: strata == nil ? "-rmse" : "accuracy", candidates: candidates, planned: planned,
    best: best, seconds: start.duration(to: .now).seconds, report: result.report)
  return CrossValidationResult(report: report, model: result.model, status: interruption ?? result.status)
}

/// Scores candidates on the folds.
private struct Comparison {
  let data: Dataset<Double>
  let splits: [Split]
  let settings: TrainingSettings
  var progress: ProgressHandler?
  var limits = Limits()

  /// The candidates with a score on every fold, and why there are not all of them; the first with the scores that it has where
  /// none was finished.
  func run(
    _ models: [ModelKind], _ ratios: [Double]
  ) throws -> (candidates: [CrossValidationReport.Candidate], interruption: Status?) {
    let deadline = limits.deadline
    var candidates: [CrossValidationReport.Candidate] = []
    for model in models {
      for ratio in ratios {
        let (candidate, interruption) = try scored(model, ratio, deadline)
        if let interruption { return (candidates.isEmpty ? [candidate] : candidates, interruption) }
        candidates.append(candidate)
      }
    }
    return (candidates, nil)
  }

  /// A candidate with its score on every fold, or on those before an interruption.
  private func scored(
    _ model: ModelKind, _ ratio: Double, _ deadline: Deadline
  ) throws -> (CrossValidationReport.Candidate, Status?) {
    var (trial, scores, neurons) = (settings, [Double](), [Double]())
    trial.model = model
    (trial.lambda, trial.bound) = (.ratio(ratio), BoundEffort.none)
    var interruption = limits.interruption(at: deadline)
    for split in splits where interruption == nil {
      trial.timeLimit = deadline.secondsLeft
      let result = try train(
        data.selectingRows(split.train), test: data.selectingRows(split.test), settings: trial,
        cancellation: limits.cancellation, progress: progress)
      scores.append(result.report.test.map(score) ?? .nan)
      neurons.append(Double(result.report.network.neurons))
      let isCut = result.status == .stoppedAtLimit(.time) || result.status == .cancelled
      interruption =
        isCut ? result.status : scores.count < splits.count ? limits.interruption(at: deadline) : nil
    }
    let mean = neurons.isEmpty ? 0 : neurons.reduce(0, +) / Double(neurons.count)
    let candidate = CrossValidationReport.Candidate(
      model: model, lambdaRatio: ratio, scores: scores.isEmpty ? [.nan] : scores, neurons: mean)
    return (candidate, interruption)
  }
}

/// Larger is better.
private func score(_ card: Scorecard) -> Double { card.accuracy ?? card.rmse.map { -$0 } ?? -card.loss }
