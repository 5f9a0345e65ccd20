import ConvexOptimization
import LinearAlgebra

/// What to train and how: every choice of the command `train`, with its default.
public struct TrainingSettings: Codable, Sendable, Equatable {
  public var model = ModelKind.relu
  /// Widths, activation and schedule of models that are trained layer by layer; nil for convex programs.
  public var layers: LayerSettings?
  /// The loss, or nil to choose by the target: softmax or logistic for classes, squared for numbers.
  public var loss: LossKind?
  /// δ of the loss `huber` and τ of `quantile`, nil for 1 and 0.5. δ counts in the units of the targets as the loss sees
  /// them: standard deviations where these are scaled.
  public var lossParameters: LossParameters?
  public var lambda = Regularisation.ratio(0.01)
  public var patterns = PatternChoice.refine
  /// Which neurons several outputs share, nil for none: one group of neurons each.
  public var outputs: OutputCoupling?
  /// a, b and c of the model `polynomial`, nil for those near ReLU.
  public var coefficients: Polynomial?
  /// Where the model `batch-norm` normalises, nil for before the ReLU.
  public var normalisation: NormalisationPlace?
  /// Patches of the model `cnn`, nil for the default ones.
  public var convolution: PatchSettings?
  /// Neurons in the first layer of a sub-network of the model `three-layer`, nil for two.
  public var subnetwork: Int?
  /// Which norm of their first layers is one, nil for that of columns.
  public var columns: SubnetworkNorm?
  /// Hinges in place of the cones of that model, nil for cones.
  public var penalty: ConePenalty?
  public var solver = SolverChoice.auto
  /// Relative gap (primal − dual)/max(1, |primal|) at which training counts as solved.
  public var tolerance = 1e-4
  /// Whether a constant column is appended to X (penalised like the rest).
  public var bias = true
  /// Whether the columns of X (and y in regression) are scaled before training.
  public var standardise = true
  /// Arithmetic of the solver; certificates are always computed in Double. Programs with cones and sub-networks, losses with
  /// kinks, tolerances below 5e-5 and numbers outside of single precision take Double whatever is asked for; reports have the
  /// arithmetic that was used.
  public var precision = Precision.float
  public var seed: UInt64 = 0
  /// Seconds for all of a training, path or cross-validation, or nil for no limit.
  public var timeLimit: Double?
  /// Bytes, or nil for 80 % of the machine's memory.
  public var maxMemory: Double?
  /// Threads while training, or nil for those that `Parallel` has: all processors unless told otherwise.
  public var threads: Int?
  /// How much work goes into the bound over networks of any width, and in `tight` into the last of refinement; nil for
  /// `quick`; for ReLU networks.
  public var bound: BoundEffort?
  /// Seconds that it may take, or nil for no limit beside the effort's own.
  public var boundTime: Double?

  public init() {}

  /// Whether the model normalises after the ReLU.
  var normalisesOutputs: Bool { model == .batchNorm && normalisation == .after }

  /// How many random patterns are taken where patterns were to be refined and the model has no refinement: gated networks, whose
  /// patterns are their gates, those normalised after the ReLU, and hinges in place of cones. Nil where it has.
  var sampleForRefinement: Int? {
    switch model {
    case .threshold: 1000
    case .gatedReLU, .gatedCNN: 200
    case .batchNorm where normalisesOutputs: 200
    case .threeLayer where penalty != nil: 100
    default: nil
    }
  }

  /// What there is to say of these settings beside a result.
  var remarks: [String] {
    guard case .refine = patterns, let count = sampleForRefinement else { return [] }
    let others = model == .threeLayer ? "--patterns N or exact" : "--patterns N, exact or a file"
    return ["no refinement for this model: up to \(count) random patterns; or \(others)"]
  }

  /// δ and τ.
  package var parameters: LossParameters { lossParameters ?? LossParameters() }

  /// Whether neurons feed all outputs.
  var sharesNeurons: Bool { outputs == .nuclear }

  /// The activation of the models `polynomial` and `quadratic`.
  var activation: Polynomial { model == .quadratic ? .quadratic : coefficients ?? .nearReLU }

  /// Neurons of a sub-network where nothing is said, and the most: the rows that bound their cones grow as 3ᵐ.
  public static var defaultSubnetwork: Int { 2 }
  public static var largestSubnetwork: Int { 4 }

  /// The layers with every number that the method has; nil for convex programs.
  var resolvedLayers: LayerSettings? {
    guard !model.isConvexProgram else { return layers }
    var layers = layers ?? LayerSettings(for: model)
    if let numbers = try? model.numbers(with: layers.numbers ?? [:]) { layers.numbers = numbers }
    return layers
  }

  /// The same for a training on so many rows, with those numbers of lifted models that follow from depth and batches.
  func resolvedLayers(rows: Int) -> LayerSettings? {
    var layers = resolvedLayers
    if [.fenchel, .lifted].contains(model), let own = layers {
      layers?.numbers = (try? LiftedSettings.used(self, own, rows: rows)) ?? own.numbers
    }
    if model == .mlp, let own = layers, own.optimizer != .lbfgs {
      layers?.learningRate = own.learningRate ?? own.optimizer.defaultLearningRate
    }
    return layers
  }

  /// - Throws: `StreamError.method` where this training needs all samples at once.
  public func checkStream(rows: Int) throws {
    let layers = layers ?? LayerSettings(for: model)
    func refuse(_ why: String) -> StreamError { .method(why) }
    guard !model.isConvexProgram, !model.needsAllSamples else {
      throw refuse("the model \(model.rawValue) needs all data in memory")
    }
    if model == .mlp, layers.optimizer == .lbfgs { throw refuse("l-bfgs needs all data in memory") }
    if layers.initialiser == .lifted { throw refuse("the initialiser lifted needs all data in memory") }
    if layers.earlyStopping != nil { throw refuse("early stopping holds samples out of data in memory") }
    if layers.dualSteps != nil { throw refuse("the Lagrangian dual needs all data in memory") }
    guard rows > 1 else { throw refuse("one row is no stream") }
    guard layers.batchSize < rows else {
      throw refuse("a batch of \(layers.batchSize) samples is all of the data; take a smaller --batch-size")
    }
  }

  /// Bytes that reading and training may take: `maxMemory`, or four fifths of the machine's memory.
  /// What is no number, or negative, allows nothing.
  public var memoryLimit: Int {
    guard let maxMemory else { return ReadOptions.defaultMemoryLimit }
    return maxMemory > 0 ? Int(min(maxMemory, 1e18)) : 0
  }
}

/// The models that can be trained.
public enum ModelKind: String, Codable, Sendable, CaseIterable {
  /// Two-layer ReLU network: program (2) with cones.
  case relu
  /// Two-layer gated ReLU network: the group lasso without cones.
  case gatedReLU = "gated-relu"
  /// Two-layer ReLU network with batch normalisation before the ReLU: program (2) with cones on whitened data.
  case batchNorm = "batch-norm"
  /// Two-layer convolutional ReLU network, pooled over all positions: program (2) with cones on patches.
  case cnn
  /// Two-layer gated ReLU network on patches, pooled over all positions: the group lasso without cones.
  case gatedCNN = "gated-cnn"
  /// Two-layer network with the threshold activation: a LASSO over patterns.
  case threshold
  /// Network of parallel sub-networks with two ReLU layers: program (2) with cones of both layers.
  case threeLayer = "three-layer"
  /// Two-layer network with a polynomial activation: a semidefinite program.
  case polynomial
  /// Two-layer network with the activation t²: a program with the nuclear norm.
  case quadratic
  /// Network of any depth, lifted with the Fenchel divergences of its activations.
  case fenchel
  /// Network of any depth, lifted with squared distances on the ranges of its activations.
  case lifted
  /// Network of any depth, by alternating directions with a multiplier (Taylor et al. 2016).
  case admm
  /// Network of any depth, by block-coordinate descent on its three-splitting (Lau et al. 2018, Zeng et al. 2019).
  case bcd
  /// Network of any depth, by auxiliary coordinates (Carreira-Perpiñán & Wang 2014).
  case mac
  /// Network of any depth, by block-coordinate descent with Tikhonov's regularisation (Zhang & Brand 2017).
  case zhangBrand = "zhang-brand"
  /// Network of any depth, as a lifted proximal operator machine (Li, Fang & Lin 2019).
  case lpom
  /// Network of any depth, by the contrast of a lifted model's two states (Høier, Staudt & Zach 2023).
  case contrastive
  /// Network of any depth, trained by back-propagation.
  case mlp

  /// Whether training is a convex program, whose solution comes with a certificate.
  public var isConvexProgram: Bool { hasPatterns || self == .polynomial || self == .quadratic }

  /// Whether the convex program is one over activation patterns.
  public var hasPatterns: Bool {
    [.relu, .gatedReLU, .batchNorm, .cnn, .gatedCNN, .threshold, .threeLayer].contains(self)
  }

  /// Whether the network sees patches of its inputs under a kernel.
  public var hasKernel: Bool { self == .cnn || self == .gatedCNN }

  /// Whether that program confines its groups to the cones of the patterns of one layer of ReLUs.
  public var hasCones: Bool { [.relu, .batchNorm, .cnn].contains(self) }

  /// Whether its solver computes in Double whatever the precision: projections on cones need it.
  public var isDoubleAlone: Bool { hasCones || self == .threeLayer }

  /// Whether the method sweeps over all samples at once, and has no batches.
  public var needsAllSamples: Bool { [.lifted, .admm, .bcd, .mac, .zhangBrand].contains(self) }

  /// The models that are convex programs.
  public static var convexPrograms: [ModelKind] { allCases.filter(\.isConvexProgram) }

  /// The models that are trained layer by layer.
  public static var layered: [ModelKind] { allCases.filter { !$0.isConvexProgram } }
}

/// Where batch normalisation stands.
public enum NormalisationPlace: String, Codable, Sendable, CaseIterable {
  /// Of the ReLU's input: centred, with a shift.
  case before
  /// Of the ReLU's output: scaled alone.
  case after
}

/// Which norm of the first layer of a sub-network is at most one.
public enum SubnetworkNorm: String, Codable, Sendable, CaseIterable {
  /// Of each column.
  case unit
  /// Frobenius' of all of it.
  case frobenius
}

/// Hinges of violated cones as a penalty in place of the cones.
public struct ConePenalty: Codable, Sendable, Equatable {
  /// ρ, or nil for one that suits the loss.
  public var weight: Double?

  public init(weight: Double? = nil) { self.weight = weight }
}

/// Which neurons several outputs share.
public enum OutputCoupling: String, Codable, Sendable, CaseIterable {
  /// None: each neuron feeds one output.
  case groups
  /// All: each neuron feeds every output, which makes the penalty a nuclear norm.
  case nuclear
}

/// How strong the regularisation is.
public enum Regularisation: Sendable, Equatable {
  /// λ itself.
  case value(Double)
  /// λ = R·λ_max, where λ_max is the least λ at which the zero network is optimal.
  case ratio(Double)
}

extension Regularisation {
  /// λ itself, given λ_max; the ratio where that is 0.
  func value(largest λMax: Double) -> Double {
    switch self {
    case .value(let value): value
    case .ratio(let ratio): λMax > 0 ? ratio * λMax : ratio
    }
  }
}

/// Where the activation patterns of a program come from.
public enum PatternChoice: Sendable, Equatable {
  /// Local training, pricing and polishing, until no violated pattern is found.
  case refine
  /// All patterns of the data, by enumeration.
  case exact
  /// This many gates g ~ N(0, I), duplicates removed.
  case sampled(Int)
  /// These gates, one vector a row: P × d, or P × (d + 1) with a bias.
  case gates(Matrix<Double>)
}

/// The solvers by the names of the command line.
public enum SolverChoice: String, Codable, Sendable, CaseIterable {
  /// The one that suits the program.
  case auto
  /// Accelerated proximal gradients on working sets; differentiable losses.
  case fista
  /// Semismooth Newton on working sets; differentiable losses.
  case newton
  /// Every program.
  case interiorPoint = "interior-point"
}

/// Arithmetic of a solver.
public enum Precision: String, Codable, Sendable, CaseIterable {
  case float, double
}

extension Regularisation: Codable {
  private enum Key: String, CodingKey { case value, ratio }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    if let value = try container.decodeIfPresent(Double.self, forKey: .value) {
      self = .value(value)
    } else {
      self = .ratio(try container.decode(Double.self, forKey: .ratio))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch self {
    case .value(let value): try container.encode(value, forKey: .value)
    case .ratio(let ratio): try container.encode(ratio, forKey: .ratio)
    }
  }
}

/// Coded as `"refine"`, `"exact"`, a number, or `"gates"`. Gates themselves are tensors, not text: a model file
/// keeps them as `settings.gates`, and `"gates"` alone decodes to an empty matrix.
extension PatternChoice: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let count = try? container.decode(Int.self) {
      self = .sampled(count)
      return
    }
    switch try container.decode(String.self) {
    case "refine": self = .refine
    case "exact": self = .exact
    case "gates": self = .gates(Matrix(0, 0))
    case let other:
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "\(other) is none of refine, exact, gates or a number")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .refine: try container.encode("refine")
    case .exact: try container.encode("exact")
    case .sampled(let count): try container.encode(count)
    case .gates: try container.encode("gates")
    }
  }
}
