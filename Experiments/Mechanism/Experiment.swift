/// A figure or table of a paper, run anew.
///
/// One type an experiment, one file, in the folder of its paper; `ExperimentCatalogue` lists them all.
public protocol Experiment: Sendable {
  var paper: Paper { get }
  /// As the paper calls it: `figure-1`, `table-1`.
  var figure: String { get }
  /// What it shows, on one line.
  var subject: String { get }
  /// What the paper leaves open or prints wrongly, and what is done here; one remark a line.
  var openPoints: [String] { get }
  /// The seeds that a full run takes.
  var seeds: Int { get }
  /// The experiment itself. One that is cancelled returns what it has.
  ///
  /// Errors: `DataError` where data are missing, and those of training.
  func run(_ options: ExperimentOptions) throws -> Findings
}

extension Experiment {
  /// Its name on the command line, such as `gu-2019/figure-1`.
  public var name: String { "\(paper.key)/\(figure)" }
}

/// A paper whose figures and tables are run anew.
public struct Paper: Sendable, Equatable, Encodable {
  /// Its name on the command line, such as `gu-2019`.
  public let key: String
  /// Authors, title, where it appeared.
  public let citation: String

  public init(key: String, citation: String) { (self.key, self.citation) = (key, citation) }
}
