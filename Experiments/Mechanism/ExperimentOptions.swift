import ConvexOptimization

/// How much of an experiment is run, and on what.
public struct ExperimentOptions: Sendable {
  /// Whether to run a small one on data inside the program instead of the paper's setting.
  public var isQuick = false
  /// Seeds, in place of the experiment's own number.
  public var seeds: Int?
  /// Training samples that are held out and scored in place of the test samples: how settings were chosen.
  public var heldOut: Int?
  public var cancellation: Cancellation?
  public var progress: ProgressHandler?

  public init() {}

  var isCancelled: Bool { cancellation?.isRequested == true }

  /// The seeds 0, 1, … of an experiment: two in a quick run.
  func seeds(of experiment: some Experiment) -> Range<UInt64> {
    0..<UInt64(seeds ?? (isQuick ? min(2, experiment.seeds) : experiment.seeds))
  }
}
