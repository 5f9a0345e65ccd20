/// What the training of a generator came to, field by field as `--json` prints it.
public struct GenerativeReport: Codable, Sendable, Equatable {
  public var source: String
  public var sha256: String
  public var images: Int
  public var height: Int
  public var width: Int
  public var generator: GeneratorKind
  /// k.
  public var noise: Int
  public var seed: UInt64
  /// Edges of the pictures that were asked for; a run that was stopped may have fewer stages.
  public var sizes: [Int]
  public var stages: [Stage]
  /// How the run ended.
  public var status: String
  public var seconds: Double
  public var environment: TrainingReport.EnvironmentSummary

  public struct Stage: Codable, Sendable, Equatable {
    /// Edge of the pictures.
    public var size: Int
    public var beta: Double
    /// σ_max² of the data, their mean taken away.
    public var largest: Double
    /// r, the rank of G*.
    public var rank: Int
    /// ‖G*‖_F².
    public var optimum: Double
    /// ‖XᵀX − G*ᵀG*‖₂, computed anew from X and G*.
    public var constraint: Double
    /// Whether that is at most β, but for the rounding of the products: 1e-12 of σ_max².
    public var holds: Bool
    /// The same for what the generator puts out.
    public var generatedConstraint: Double
    /// ‖F − G*‖_F / ‖G*‖_F of what the generator puts out.
    public var residual: Double
    /// ‖W‖_F² of a linear generator, ‖W₁‖_F² + ‖W₂‖_F² of a ReLU generator.
    public var weights: Double
    /// Of a ReLU generator: between which numbers the least ‖W₁‖_F² + ‖W₂‖_F² lies among networks of any width that put out G*
    /// exactly.
    public var exactWeights: Bounds?
    /// Hidden neurons of a ReLU generator.
    public var neurons: Int?
    /// ‖D F − F'‖_F / ‖F'‖_F: how far the pictures, brought to the size of the stage before, are from those of that stage.
    public var change: Double?
    /// Of a ReLU generator: ½‖F − G*‖_F² + (λ/2)(‖W₁‖_F² + ‖W₂‖_F²) among networks whose neurons feed one direction of G* each.
    public var certificate: TrainingReport.CertificateSummary?
    public var lambda: Double?
    public var status: String
    public var seconds: Double
  }

  /// Numbers that another one lies between.
  public struct Bounds: Codable, Sendable, Equatable {
    public var lower: Double
    public var upper: Double

    public init(lower: Double, upper: Double) {
      self.lower = lower
      self.upper = upper
    }
  }
}
