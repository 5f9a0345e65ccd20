import ConvexOptimization

/// A regularisation path: the same program solved for falling λ, each from the solution before.
public struct PathReport: Codable, Sendable, Equatable {
  public var model: ModelKind
  public var loss: LossKind
  public var lambdaMax: Double
  public var points: [Point]
  /// Points that were asked for; a limit may have left fewer.
  public var planned: Int
  public var seconds: Double
  public var settings: TrainingSettings
  public var environment: TrainingReport.EnvironmentSummary
  public var data: TrainingReport.DataSummary

  public init(
    model: ModelKind, loss: LossKind, lambdaMax: Double, points: [Point], planned: Int,
    seconds: Double, settings: TrainingSettings, environment: TrainingReport.EnvironmentSummary,
    data: TrainingReport.DataSummary
  ) {
    self.model = model
    self.loss = loss
    self.lambdaMax = lambdaMax
    self.points = points
    self.planned = planned
    self.seconds = seconds
    self.settings = settings
    self.environment = environment
    self.data = data
  }

  /// The solution at one λ.
  public struct Point: Codable, Sendable, Equatable {
    public var lambda: Double
    public var status: String
    public var certificate: TrainingReport.CertificateSummary
    public var network: TrainingReport.NetworkSummary
    /// Of programs over activation patterns.
    public var patterns: TrainingReport.Patterns?
    public var iterations: Int
    public var seconds: Double
    public var train: Scorecard
    public var test: Scorecard?

    /// The point that a report is about; nil where it is not of a convex program.
    public init?(_ report: TrainingReport) {
      guard let λ = report.lambda, let proof = report.certificate else { return nil }
      lambda = λ
      status = report.status
      certificate = proof
      network = report.network
      patterns = report.patterns
      iterations = report.iterations
      seconds = report.seconds
      train = report.train
      test = report.test
    }
  }
}

/// A choice of λ and model by cross-validation, and the model trained with that choice on all data.
public struct CrossValidationReport: Codable, Sendable, Equatable {
  public var folds: Int
  /// What is compared, such as `accuracy` or `rmse`.
  public var score: String
  public var candidates: [Candidate]
  /// Candidates that were to be compared; a limit may have left fewer.
  public var planned: Int
  /// Index of the chosen candidate.
  public var best: Int
  public var seconds: Double
  /// The training on all data with the chosen settings.
  public var report: TrainingReport

  public init(
    folds: Int, score: String, candidates: [Candidate], planned: Int, best: Int, seconds: Double,
    report: TrainingReport
  ) {
    self.folds = folds
    self.score = score
    self.candidates = candidates
    self.planned = planned
    self.best = best
    self.seconds = seconds
    self.report = report
  }

  /// One setting, and how it did on the rows left out.
  public struct Candidate: Codable, Sendable, Equatable {
    public var model: ModelKind
    public var lambdaRatio: Double
    /// The score on each fold.
    public var scores: [Double]
    public var mean: Double
    /// Standard error of the mean over the folds.
    public var standardError: Double
    /// Mean number of neurons.
    public var neurons: Double

    public init(model: ModelKind, lambdaRatio: Double, scores: [Double], neurons: Double) {
      self.model = model
      self.lambdaRatio = lambdaRatio
      self.scores = scores
      self.neurons = neurons
      let count = Double(scores.count)
      let mean = scores.reduce(0, +) / count
      let variance = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(1, count - 1)
      self.mean = mean
      standardError = (variance / count).squareRoot()
    }
  }
}
