import Fenchel
import LinearAlgebra

/// What is written and printed of an experiment.
public struct ExperimentReport: Sendable, Encodable {
  public var experiment: String
  public var subject: String
  public var paper: Paper
  public var isQuick: Bool
  /// False where it was cancelled.
  public var isComplete: Bool
  public var setting: [String]
  /// What the paper leaves open or prints wrongly, and what is done here.
  public var openPoints: [String]
  public var comparisons: [Comparison]
  public var remarks: [String]
  public var environment: Environment
  public var seconds: Double
  /// The files with curves, charts and pictures.
  public var files: [String] = []

  public struct Environment: Sendable, Encodable {
    public var version: String
    public var processor: String
    public var threads: Int
    public var blasCore: String
  }

  public init(
    _ experiment: any Experiment, _ findings: Findings, _ options: ExperimentOptions, seconds: Double
  ) {
    (self.experiment, subject, paper) = (experiment.name, experiment.subject, experiment.paper)
    (isQuick, isComplete) = (options.isQuick, findings.isComplete)
    (setting, openPoints) = (findings.setting, experiment.openPoints)
    comparisons = findings.comparisons
    remarks = findings.remarks + findings.failures
    environment = Environment(
      version: Release.version, processor: ProcessMemory.processor, threads: Parallel.threads,
      blasCore: Parallel.blasCore)
    self.seconds = seconds
  }
}
