import ConvexOptimization

/// What a training run came to, field by field as `--json` prints it and a model file keeps it.
public struct TrainingReport: Codable, Sendable, Equatable {
  public var status: String
  public var model: ModelKind
  public var loss: LossKind
  public var samples: Int
  public var features: Int
  public var outputs: Int
  /// Of convex programs only, like the next three.
  public var lambda: Double?
  /// Least λ at which the zero network is optimal for these patterns.
  public var lambdaMax: Double?
  public var patterns: Patterns?
  public var certificate: CertificateSummary?
  public var network: NetworkSummary
  public var iterations: Int
  public var seconds: Double
  /// Of training by epochs.
  public var history: [Epoch]?
  /// The epoch whose weights were kept, where early stopping chose it; 0 for the start.
  public var bestEpoch: Int?
  /// Of lifted models, where asked for.
  public var lagrangianDual: DualSummary?
  /// Where the time went, where patterns were refined; otherwise nil.
  public var refinement: RefinementPhases?
  /// The program with hinges in place of cones, where one trained the network.
  public var penalty: PenaltySummary?
  public var peakMemoryBytes: Int
  public var train: Scorecard
  public var test: Scorecard?
  /// All settings, resolved.
  public var settings: TrainingSettings
  public var environment: EnvironmentSummary
  public var data: DataSummary
  /// What the user should know and that did not stop the run.
  public var warnings: [String]

  public init(
    status: Status, model: ModelKind, loss: LossKind, samples: Int, features: Int, outputs: Int,
    network: NetworkSummary, iterations: Int, seconds: Double, peakMemoryBytes: Int, train: Scorecard,
    test: Scorecard?, settings: TrainingSettings, environment: EnvironmentSummary, data: DataSummary,
    warnings: [String] = []
  ) {
    self.status = status.name
    self.model = model
    self.loss = loss
    self.samples = samples
    self.features = features
    self.outputs = outputs
    self.network = network
    self.iterations = iterations
    self.seconds = seconds
    self.peakMemoryBytes = peakMemoryBytes
    self.train = train
    self.test = test
    self.settings = settings
    self.environment = environment
    self.data = data
    self.warnings = warnings
  }

  /// The activation patterns of the program.
  public struct Patterns: Codable, Sendable, Equatable {
    public var count: Int
    /// Whether they are all patterns of the data.
    public var exact: Bool

    public init(count: Int, exact: Bool) {
      self.count = count
      self.exact = exact
    }
  }

  /// The proof: dual ≤ optimum of the scope ≤ primal.
  public struct CertificateSummary: Codable, Sendable, Equatable {
    @FiniteOrNull public var primal: Double
    @FiniteOrNull public var dual: Double
    @FiniteOrNull public var gap: Double
    @FiniteOrNull public var relativeGap: Double
    public var scope: Certificate.Scope
    /// Largest relative violation max |θᵀ(Xw)₊|/λ − 1 over ‖w‖ ≤ 1 that a search found: an estimate, never a
    /// bound. Nil where no search was made; 0 or less where none was found.
    public var heuristicViolation: Double?
    /// The bound over networks of any width, where there is one.
    public var global: GlobalSummary?

    public init(_ certificate: Certificate, heuristicViolation: Double? = nil) {
      primal = certificate.primal
      dual = certificate.dual
      gap = certificate.gap
      relativeGap = certificate.relativeGap
      scope = certificate.scope
      self.heuristicViolation = heuristicViolation
    }
  }

  /// A proven lower bound on the objective of every network of any width.
  public struct GlobalSummary: Codable, Sendable, Equatable {
    @FiniteOrNull public var bound: Double
    public var kind: Kind
    /// (primal − bound)/max(1, |primal|).
    @FiniteOrNull public var relativeGap: Double
    /// A weak bound over networks whose neurons may feed several outputs; nil for one output.
    public var shared: Double?
    /// Seconds that the search for the bound took.
    public var seconds: Double
    public var proof: Proof
    /// Of a proof by cones: how many for a sign and output at most.
    public var cones: Int?
    /// Of a proof by multipliers: into how many pieces outputs, signs and directions were parted.
    public var pieces: Int?

    /// How it is proven: by the program's own bound over all patterns, by multipliers, or by branch and bound over cones.
    public enum Proof: String, Codable, Sendable {
      case patterns, multipliers, cones
    }

    /// What the bound says of the network.
    public enum Kind: String, Codable, Sendable {
      /// The network is no further from the best of any width than the gap says.
      case certified
      /// The gap is at most 1e-4 of the objective: there is no better network to speak of.
      case exact
    }

    public init(_ bound: GlobalBound, primal: Double) {
      self.bound = bound.value
      let gap = (primal - bound.value) / max(1, abs(primal))
      relativeGap = gap
      kind = GlobalBounding.isExact(bound.value, primal: primal) ? .exact : .certified
      shared = bound.sharedValue.flatMap { $0.isFinite ? $0 : nil }
      seconds = bound.seconds
      switch bound.proof {
      case .patterns: proof = .patterns
      case .multipliers(let multipliers): (proof, pieces) = (.multipliers, multipliers.pieces.count)
      case .cones(_, _, let count): (proof, cones) = (.cones, count)
      }
    }
  }

  /// The Lagrangian dual of training a network, where its multipliers were ascended.
  public struct DualSummary: Codable, Sendable, Equatable {
    public var kind: Kind
    /// The last value of the ascent: G rises with λ, so that it stands for all before it.
    @FiniteOrNull public var value: Double
    /// The least value of a network met on the way, ridges included: the optimum is no larger.
    @FiniteOrNull public var network: Double
    /// In the order of the ascent.
    public var ascent: [DualEstimate]

    /// What a value says of the optimum.
    public enum Kind: String, Codable, Sendable {
      /// The inner problem was minimised locally: the value may lie above the optimum.
      case estimate
    }

    public init(_ ascent: [DualEstimate]) {
      kind = .estimate
      value = ascent.last?.value ?? .nan
      network = ascent.reduce(.infinity) { min($0, $1.network) }
      self.ascent = ascent
    }
  }

  /// The decoded network.
  public struct NetworkSummary: Codable, Sendable, Equatable {
    public var neurons: Int
    /// Number of layers, activations not counted.
    public var layers: Int
    /// The network's own training objective ℓ(f(X)) + λ·penalty, recomputed from the decoded weights.
    @FiniteOrNull public var objective: Double

    public init(_ network: Network, objective: Double) {
      neurons = network.neurons
      layers = network.layers.count { if case .activation = $0 { false } else { true } }
      self.objective = objective
    }
  }

  /// Where the run took place.
  public struct EnvironmentSummary: Codable, Sendable, Equatable {
    public var version: String
    public var threads: Int
    public var blasCore: String
    public var processor: String

    public init(version: String, threads: Int, blasCore: String, processor: String) {
      self.version = version
      self.threads = threads
      self.blasCore = blasCore
      self.processor = processor
    }
  }

  /// The data that was trained on.
  public struct DataSummary: Codable, Sendable, Equatable {
    public var rows: Int
    public var columns: Int
    /// SHA-256 of the data as read.
    public var sha256: String
    /// True where the data stayed in their file; absent where they were in memory.
    public var isStreamed: Bool?

    public init(rows: Int, columns: Int, sha256: String, isStreamed: Bool? = nil) {
      self.rows = rows
      self.columns = columns
      self.sha256 = sha256
      self.isStreamed = isStreamed
    }

    private enum CodingKeys: String, CodingKey {
      case rows, columns, sha256
      case isStreamed = "streamed"
    }
  }
}

/// How well a network does on some data.
public struct Scorecard: Codable, Sendable, Equatable {
  /// Σ_k s_k ℓ_k / Σ_k s_k: the loss as a weighted mean, so that data of different sizes compare.
  @FiniteOrNull public var loss: Double
  /// For classes.
  public var accuracy: Double?
  public var logLoss: Double?
  /// For numbers, in the units of the target.
  public var rmse: Double?
  public var mae: Double?
  public var rSquared: Double?

  public init(
    loss: Double, accuracy: Double? = nil, logLoss: Double? = nil, rmse: Double? = nil, mae: Double? = nil,
    rSquared: Double? = nil
  ) {
    self.loss = loss
    self.accuracy = accuracy
    self.logLoss = logLoss
    self.rmse = rmse
    self.mae = mae
    self.rSquared = rSquared
  }
}

/// A number that JSON shows as null when it is NaN or infinite (JSON has no such numbers); null reads as NaN.
@propertyWrapper
public struct FiniteOrNull: Codable, Sendable, Equatable {
  public var wrappedValue: Double
  public init(wrappedValue: Double) { self.wrappedValue = wrappedValue }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    wrappedValue = container.decodeNil() ? .nan : try container.decode(Double.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if wrappedValue.isFinite { try container.encode(wrappedValue) } else { try container.encodeNil() }
  }
}

extension Status {
  /// The status in one word, as reports and model files have it.
  public var name: String {
    switch self {
    case .solved: "solved"
    case .completed: "completed"
    case .stoppedAtLimit(let limit): "\(limit.rawValue)-limit"
    case .stalled: "stalled"
    case .numericalFailure: "numerical-failure"
    case .cancelled: "cancelled"
    }
  }
}
