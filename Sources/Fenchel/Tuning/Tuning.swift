import ConvexOptimization
import LinearAlgebra

/// A search over settings: every trial is trained on the same rows and measured on the same others, which are held out of
/// the training data; no test set is looked at. The trials follow from the seed and each other, so that a search that
/// goes on from its journal is the one that was not stopped.
public struct Tuning: Sendable {
  /// What all trials share.
  public var settings: TrainingSettings
  public var space: SearchSpace
  public var method: SearchMethod
  /// How many, those that fail included: the same for every method.
  public var trials: Int
  /// Nil for the usual one of the target.
  public var measure: TuningMeasure?

  /// - Throws: `TuningError.empty` where there is nothing to search.
  public init(
    settings: TrainingSettings, space: SearchSpace, method: SearchMethod = .bayesian, trials: Int = 20,
    measure: TuningMeasure? = nil
  ) throws {
    guard !space.dimensions.isEmpty else { throw TuningError.empty }
    (self.settings, self.space, self.method) = (settings, space, method)
    (self.trials, self.measure) = (trials, measure)
  }

  /// Runs the trials, or what is left of them in a journal. A trial that fails or diverges is one without a score.
  ///
  /// - Parameters:
  ///   - validation: rows held out, read with the schema of `data`.
  ///   - observer: called with every trial, those of the journal first.
  /// - Throws: `TuningError.journal` and `.damaged` for a journal that is none of this search, `FileWriteError` where it
  ///   cannot be written. Errors of a training make a failed trial.
  public func run(
    _ data: Dataset<Double>, validation: Dataset<Double>, from start: InitialModel? = nil,
    journal: TuningJournal? = nil, cancellation: Cancellation? = nil, progress: ProgressHandler? = nil,
    observer: (Trial, _ isBest: Bool) -> Void = { _, _ in }
  ) throws -> TuningReport {
    let measure = measure ?? .usual(for: data.schema.task)
    let proposals = Proposals(space: space, method: method, seed: settings.seed)
    var report = TuningReport(
      model: settings.model, method: method, measure: measure, space: space, trials: [], rows: data.rows,
      validationRows: validation.rows, seconds: 0)
    let known = try journal?.open(try identity(data, validation, measure)) ?? []
    while report.trials.count < max(trials, known.count), cancellation?.isRequested != true {
      let values = proposals.next(
        after: report.trials.map { ($0.values, $0.score.map { measure.cost($0) }) })
      let number = report.trials.count + 1
      var trial: Trial
      if number <= known.count {
        trial = known[number - 1]
        guard trial.values == values, trial.number == number else {
          throw TuningError.journal(
            path: journal?.path ?? "", "its trial \(number) is not the one of this search")
        }
      } else {
        trial = Trial(number: number, values: values, status: "failed", seconds: 0)
        let run = timed {
          outcome(of: values, data, validation, start, measure, cancellation: cancellation, progress)
        }
        guard cancellation?.isRequested != true else { break }
        (trial.status, trial.score, trial.validation, trial.failure) = run.0
        trial.seconds = run.1
        try journal?.append(trial)
      }
      report.add(trial)
      observer(trial, report.best == number - 1)
    }
    report.settings = try report.best.map { try settings(with: report.trials[$0].values) }
    return report
  }

  /// The settings of a trial.
  ///
  /// - Throws: `TuningError`.
  public func settings(with values: [String: String]) throws -> TrainingSettings {
    var result = settings
    for (name, text) in values.sorted(by: { $0.key < $1.key }) {
      try TunableSetting.named(name, of: settings.model).apply(text, to: &result)
    }
    return result
  }

  private typealias Outcome = (status: String, score: Double?, card: Scorecard?, failure: String?)

  private func outcome(
    of values: [String: String], _ data: Dataset<Double>, _ validation: Dataset<Double>,
    _ start: InitialModel?,
    _ measure: TuningMeasure, cancellation: Cancellation?, _ progress: ProgressHandler?
  ) -> Outcome {
    do {
      let result = try train(
        data, test: validation, settings: try settings(with: values), from: start, cancellation: cancellation,
        progress: progress)
      let (card, status) = (result.report.test, result.report.status)
      guard status != Status.numericalFailure.name else {
        return (status, nil, card, "the numbers of the training left their range")
      }
      let score = card.flatMap { measure.value(of: $0) }
      return (status, score, card, score == nil ? "no finite \(measure.rawValue)" : nil)
    } catch {
      return ("failed", nil, nil, "\(error)")
    }
  }

  /// What tells this search from others: all that decides which trials it makes and what comes of them.
  private func identity(
    _ data: Dataset<Double>, _ validation: Dataset<Double>, _ measure: TuningMeasure
  ) throws -> SearchIdentity {
    var shared = settings
    (shared.threads, shared.maxMemory) = (nil, nil)
    return SearchIdentity(
      version: Release.version, settings: shared, space: space, method: method, measure: measure,
      data: data.sha256, rows: data.rows, validation: validation.sha256, validationRows: validation.rows,
      schema: SHA256.hexDigest(Array(try JSONText.encode(data.schema).utf8)))
  }
}

/// What tells a search from others.
struct SearchIdentity: Codable, Equatable {
  var version: String
  var settings: TrainingSettings
  var space: SearchSpace
  var method: SearchMethod
  var measure: TuningMeasure
  var data: String
  var rows: Int
  var validation: String
  var validationRows: Int
  /// SHA-256 of the schema.
  var schema: String
}

extension TuningReport {
  fileprivate mutating func add(_ trial: Trial) {
    trials.append(trial)
    seconds += trial.seconds
    guard let score = trial.score else { return }
    let isBetter = best.flatMap { trials[$0].score }.map { measure.cost(score) < measure.cost($0) } ?? true
    if isBetter { best = trials.count - 1 }
  }
}
