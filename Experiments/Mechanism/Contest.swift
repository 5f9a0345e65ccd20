import ConvexOptimization
import Fenchel

/// Methods that train the same network from the same weights on the same images, seed by seed, with the end values that a
/// paper gives for them.
struct Contest {
  struct Entry {
    var method: TrainingMethod
    var initialiser = Initialiser.xavier
    /// The paper's accuracy at the end; nil where the paper does not have the method.
    var paper: Double?
    /// Used in place of the contest's seeds where fewer are enough.
    var seeds: Int?
  }

  var hidden: [Int] = []
  /// The hidden layers where they are not all dense.
  var plan: LayerPlan?
  var loss: LossKind
  var entries: [Entry]
  /// Values that biases begin with.
  var bias = 0.1

  /// Runs every entry for every seed, until cancelled.
  func run(on images: ImageSet, seeds: Range<UInt64>, _ options: ExperimentOptions) throws -> [LearningCurve]
  {
    var curves: [LearningCurve] = []
    for entry in entries {
      for seed in seeds.prefix(entry.seeds ?? seeds.count) where !options.isCancelled {
        let start = try start(entry.initialiser, images, seed)
        let trained = try entry.method.train(start, on: images, loss: loss, seed: seed, options)
        if !options.isCancelled { curves.append(trained.curve) }
      }
    }
    return curves
  }

  private func start(
    _ initialiser: Initialiser, _ images: ImageSet, _ seed: UInt64
  ) throws -> FeedForward<Float> {
    try (plan ?? .dense(hidden)).network(
      inputs: images.inputs, outputs: images.classes, image: images.shape, initialiser: initialiser,
      bias: bias,
      seed: seed)
  }

  /// The same without the paper's values, for other data than its own.
  var withoutPaper: Contest {
    var contest = self
    for index in entries.indices { contest.entries[index].paper = nil }
    return contest
  }

  /// Ours beside the paper's at the end of every curve.
  func comparisons(_ curves: [LearningCurve], group: String = "") -> [Comparison] {
    entries.map {
      Comparison(
        group: group, name: $0.method.name, ours: curves.final($0.method.name),
        paper: $0.paper.map { Measurement($0) })
    }
  }

  /// The curves by epochs and by seconds.
  func charts(
    _ curves: [LearningCurve], title: String, subtitle: String, epochs: String = "epochs",
    accuracies: ClosedRange<Double>?
  ) -> [(name: String, chart: LineChart)] {
    func chart(_ axis: ChartAxis, bySeconds: Bool) -> LineChart {
      let lines = entries.map { entry in
        let name = entry.method.name
        return curves.line(
          name, bySeconds: bySeconds, note: note(curves.final(name), entry.paper), level: entry.paper)
      }
      return LineChart(
        title: title, subtitle: subtitle, x: axis, y: ChartAxis("test accuracy", range: accuracies),
        lines: lines.filter { !$0.points.isEmpty }, levelName: "end value in the paper")
    }
    let last = curves.map { $0.points.last?.epoch ?? 0 }.max() ?? 0
    return [
      ("epochs", chart(ChartAxis(epochs, range: 0...Double(max(last, 1))), bySeconds: false)),
      ("seconds", chart(ChartAxis("seconds of training", isLogarithmic: true), bySeconds: true)),
    ]
  }

  private func note(_ ours: Measurement?, _ paper: Double?) -> String {
    let end = ours.map { "ends at \(fixedDecimal($0.mean, digits: 4))" } ?? ""
    return end + (paper.map { ", the paper’s at \(fixedDecimal($0, digits: 3))" } ?? "")
  }
}

extension [Comparison] {
  /// What is below the paper's, said plainly; one remark for each.
  func shortfalls(by margin: Double = 0.001) -> [String] {
    compactMap { row in
      guard let ours = row.ours, let paper = row.paper, ours.mean < paper.mean - margin else { return nil }
      let name = row.group.isEmpty ? row.name : "\(row.group), \(row.name)"
      return "\(name): ours is worse, \(fixedDecimal(ours.mean, digits: 4)) against "
        + "\(fixedDecimal(paper.mean, digits: 3)) in the paper"
    }
  }
}
