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
/// Errors: those of `train`, and of `Split.folds` for fewer rows than folds.
public func crossValidate(
  _ data: Dataset<Double>, settings: TrainingSettings, models: [ModelKind], ratios: [Double], folds: Int,
  cancellation: Cancellation? = nil, progress: ProgressHandler? = nil
) throws -> CrossValidationResult {
  guard !ratios.isEmpty, !models.isEmpty else { throw PathError.noRatios }
  if let other = models.first(where: { !$0.isConvexProgram }) { throw PathError.notConvex(other) }
  let strata: [Int32]? = if case .classes(let indices, _) = data.targets { indices } else { nil }
  let splits = try Split.folds(folds, rows: data.rows, seed: settings.seed, strata: strata)
  var candidates: [CrossValidationReport.Candidate] = []
  let start = ContinuousClock.now
  search: for model in models {
    for ratio in ratios.sorted(by: >) {
      var trial = settings
      trial.model = model
      (trial.lambda, trial.bound) = (.ratio(ratio), BoundEffort.none)
      var scores: [Double] = []
      var neurons = 0.0
      for split in splits {
        let result = try train(
          data.selectingRows(split.train), test: data.selectingRows(split.test), settings: trial,
          cancellation: cancellation, progress: progress)
        scores.append(result.report.test.map(score) ?? .nan)
        neurons += Double(result.report.network.neurons) / Double(splits.count)
        if cancellation?.isRequested == true { break search }
      }
      candidates.append(.init(model: model, lambdaRatio: ratio, scores: scores, neurons: neurons))
    }
  }
  if candidates.isEmpty {
    candidates.append(.init(model: models[0], lambdaRatio: ratios.max() ?? 1, scores: [.nan], neurons: 0))
  }
  let best = candidates.indices.reduce(0) { best, next in
    candidates[next].mean > candidates[best].mean || candidates[best].mean.isNaN ? next : best
  }
  var chosen = settings
  chosen.model = candidates[best].model
  chosen.lambda = .ratio(candidates[best].lambdaRatio)
  let result = try train(data, settings: chosen, cancellation: cancellation, progress: progress)
  let report = CrossValidationReport(
    folds: folds, score: strata == nil ? "-rmse" : "accuracy", candidates: candidates, best: best,
    seconds: start.duration(to: .now).seconds, report: result.report)
  return CrossValidationResult(report: report, model: result.model, status: result.status)
}

/// Larger is better.
private func score(_ card: Scorecard) -> Double { card.accuracy ?? card.rmse.map { -$0 } ?? -card.loss }
