import ConvexOptimization
import Fenchel

/// How a training went: the accuracy on samples that it did not see, before the first epoch and after every one.
public struct LearningCurve: Sendable, Equatable {
  public struct Point: Sendable, Equatable {
    public var epoch: Int
    /// Of training alone, since it began.
    public var seconds: Double
    public var accuracy: Double
  }

  /// The method, the same for all its seeds.
  public var method: String
  public var seed: UInt64
  public var points: [Point]
  /// How it ended.
  public var status: Status

  /// The accuracy at the end.
  public var final: Double? { points.last?.accuracy }
}

extension [LearningCurve] {
  /// The curves of a method.
  func of(_ method: String) -> [LearningCurve] { filter { $0.method == method } }

  /// Accuracies at the end of a method's curves.
  func final(_ method: String) -> Measurement? { Measurement(of(method).compactMap(\.final)) }

  /// Accuracies after an epoch of a method's curves.
  func accuracy(_ method: String, epoch: Int) -> Measurement? {
    Measurement(of(method).compactMap { curve in curve.points.first { $0.epoch == epoch }?.accuracy })
  }

  /// The mean over the seeds as a line, by epochs or by seconds, with so many standard deviations to either side.
  func line(
    _ method: String, bySeconds: Bool = false, deviations: Double = 1, note: String = "", level: Double? = nil
  ) -> ChartLine {
    let curves = of(method)
    let count = curves.map(\.points.count).min() ?? 0
    let points = (0..<count).compactMap { index -> ChartLine.Point? in
      let here = curves.map { $0.points[index] }
      guard let accuracy = Measurement(here.map(\.accuracy)) else { return nil }
      let seconds = here.reduce(0) { $0 + $1.seconds } / Double(here.count)
      return ChartLine.Point(
        x: bySeconds ? seconds : Double(here[0].epoch), y: accuracy.mean,
        spread: deviations * (accuracy.deviation ?? 0))
    }
    return ChartLine(method, note: note, points: points, level: level)
  }
}
