import ConvexOptimization
import Fenchel

/// What an experiment found.
public struct Findings: Sendable {
  /// The setting as it was run, one remark a line: data, sizes, seeds, what differs from the paper's.
  public var setting: [String]
  /// Ours beside the paper's.
  public var comparisons: [Comparison] = []
  /// Every run, epoch by epoch.
  public var curves: [LearningCurve] = []
  /// Every run whose objective is of interest, point by point.
  public var descents: [ObjectiveCurve] = []
  /// Charts by the name of their file, without extension.
  public var charts: [(name: String, chart: LineChart)] = []
  /// Pictures by the name of their file, without extension.
  public var pictures: [(name: String, bitmap: GrayBitmap)] = []
  /// What the numbers say, one remark a line.
  public var remarks: [String] = []
  /// False where it was cancelled.
  public var isComplete = true

  public init(setting: [String]) { self.setting = setting }

  /// Trainings that broke down, one remark for each.
  var failures: [String] {
    let broken =
      curves.filter { $0.status == .numericalFailure }.map { ($0.method, $0.seed, $0.points.last?.epoch) }
      + descents.filter { $0.status == .numericalFailure }.map { ($0.method, $0.seed, $0.points.last?.epoch) }
    return broken.map { method, seed, epoch in
      "\(method), seed \(seed): broke down after epoch \(epoch ?? 0), with numbers that are not finite "
        + "or a system without solution"
    }
  }
}

/// A number of ours and the paper's.
public struct Comparison: Sendable, Equatable, Encodable {
  /// The rows of a table share it, such as `300-100, η = 1e-5`; empty where there is one group.
  public var group: String
  /// What was measured, such as `Adam`.
  public var name: String
  /// Nil where nothing was measured, as after cancellation.
  public var ours: Measurement?
  /// Nil where the paper has none.
  public var paper: Measurement?

  public init(group: String = "", name: String, ours: Measurement?, paper: Measurement? = nil) {
    (self.group, self.name, self.ours, self.paper) = (group, name, ours, paper)
  }

  /// Ours less the paper's.
  public var difference: Double? {
    guard let ours, let paper else { return nil }
    return ours.mean - paper.mean
  }
}
