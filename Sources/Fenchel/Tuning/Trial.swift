import LinearAlgebra

/// One training of a search, with what came of it.
public struct Trial: Codable, Sendable, Equatable {
  /// Counted from 1.
  public var number: Int
  /// The settings that were searched, by name, as the command line has them.
  public var values: [String: String]
  /// How training ended, or `failed`.
  public var status: String
  /// The measure on the rows held out; nil where training failed or the measure is no finite number.
  public var score: Double?
  public var validation: Scorecard?
  public var seconds: Double
  /// Why the trial has no score.
  public var failure: String?
}

/// What a search compares trials by, on rows held out.
public enum TuningMeasure: String, Codable, Sendable, CaseIterable {
  /// Share of right classes; more is better.
  case accuracy
  /// Mean loss.
  case loss
  /// Root mean square error of numbers.
  case rmse

  /// What suits a target.
  public static func usual(for task: LearningTask) -> TuningMeasure {
    task == .classification ? .accuracy : .rmse
  }

  /// The measure of a scorecard, nil where it has none that is finite.
  func value(of card: Scorecard) -> Double? {
    let value: Double? =
      switch self {
      case .accuracy: card.accuracy
      case .loss: card.loss
      case .rmse: card.rmse
      }
    return value.flatMap { $0.isFinite ? $0 : nil }
  }

  /// A score as less is better.
  func cost(_ score: Double) -> Double { self == .accuracy ? -score : score }
}

/// What a search came to, as `--json` prints it.
public struct TuningReport: Codable, Sendable, Equatable {
  public var model: ModelKind
  public var method: SearchMethod
  public var measure: TuningMeasure
  public var space: SearchSpace
  public var trials: [Trial]
  /// Place of the best trial among them: the first of equals; nil where none has a score.
  public var best: Int?
  /// Settings of the best trial.
  public var settings: TrainingSettings?
  public var rows: Int
  public var validationRows: Int
  /// Of all trials, those of earlier runs included.
  public var seconds: Double
}
