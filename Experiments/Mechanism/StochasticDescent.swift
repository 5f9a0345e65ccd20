import ConvexOptimization
import Fenchel
import LinearAlgebra

/// A network whose weights go down the slope of its own training objective, a few samples at a time.
protocol DescentModel {
  /// n.
  var samples: Int { get }
  /// The objective over all samples: a sum of losses, and the penalty.
  var objective: Double { get }
  /// One step against the slope of the samples' mean loss and 1/n of the penalty, whose mean over batches is that of
  /// the objective, divided by n.
  mutating func step(on batch: ArraySlice<Int>, rate: Double) throws
}

/// Stochastic gradient descent of any network, with the same batches, schedule and clock for all.
struct StochasticDescent: Sendable {
  var epochs: Int
  var batchSize: Int
  var rate: Double
  var schedule = LearningRateSchedule.cosine

  /// The network at the end, and the way there.
  struct Outcome<Model> {
    var model: Model
    var curve: ObjectiveCurve
  }

  /// Trains from a network, until cancelled. Objectives are noted at epochs that lie ever farther apart; seconds are of
  /// steps alone.
  func run<Model: DescentModel>(
    _ start: Model, name: String, seed: UInt64, _ options: ExperimentOptions
  ) throws -> Outcome<Model> {
    let order = Minibatches(samples: start.samples, batchSize: batchSize, seed: seed)
    let clock = ContinuousClock()
    var (model, seconds, next) = (start, Duration.zero, 1)
    var points = [ObjectiveCurve.Point(epoch: 0, seconds: 0, objective: start.objective)]
    var status = Status.completed
    for epoch in 0..<epochs {
      if options.isCancelled {
        status = .cancelled
        break
      }
      let begin = clock.now
      let rate = rate * schedule.factor(epoch: epoch, of: epochs)
      for batch in order.epoch(epoch) { try model.step(on: batch, rate: rate) }
      seconds += clock.now - begin
      guard epoch + 1 == next || epoch + 1 == epochs else { continue }
      next = max(next + 1, next * 11 / 10)
      let point = ObjectiveCurve.Point(
        epoch: epoch + 1, seconds: seconds / .seconds(1), objective: model.objective)
      points.append(point)
      options.progress?(Progress(phase: name, iteration: point.epoch, seconds: point.seconds))
      guard point.objective.isFinite else {
        status = .numericalFailure
        break
      }
    }
    return Outcome(
      model: model, curve: ObjectiveCurve(method: name, seed: seed, points: points, status: status))
  }

  /// The runs from every seed with that of the rates which has the least mean objective at the end.
  static func best<Model: DescentModel>(
    of rates: [Double], name: String, seeds: Range<UInt64>, _ options: ExperimentOptions,
    settings: StochasticDescent, start: (UInt64) throws -> Model
  ) throws -> (rate: Double, runs: [Outcome<Model>]) {
    var best: (rate: Double, value: Double, runs: [Outcome<Model>])?
    for rate in rates where !options.isCancelled {
      var own = settings
      own.rate = rate
      let runs = try seeds.map { try own.run(start($0), name: name, seed: $0, options) }
      let value = runs.reduce(0) { $0 + ($1.curve.final ?? .infinity) } / Double(runs.count)
      if best.map({ value < $0.value }) ?? true { best = (rate, value, runs) }
    }
    return best.map { ($0.rate, $0.runs) } ?? (settings.rate, [])
  }
}
