import ConvexOptimization
import LinearAlgebra

/// The convex program of a two-layer network over given activation patterns (Pilanci & Ergen 2020, eq. 8; gated
/// form: Mishkin, Sahiner & Pilanci 2022):
///
///     min ℓ(F) + λ Σ_g ‖u_g‖,   F_j = Σ_{g: output j} σ_g D_g X u_g,
///     with cones also (2D_g − I) X u_g ≥ 0   (ReLU networks; without them: gated ReLU networks)
///
/// over groups g = (pattern D, sign σ, output j). With cones both signs occur (u and v of the papers); without
/// them the sign is +1. Every feasible point decodes to a network with the same predictions and objective
/// ℓ + (λ/2) Σ (‖w1‖² + w2²), each of whose neurons feeds one output.
///
/// Samples may have several rows of X each, such as the patches of an image, whose outputs add up: then ℓ(S F), with S the
/// sums over the rows of each sample, and every dual constraint is one on Sᵀθ (`RowSums`; Ergen & Pilanci 2021,
/// *Implicit convex regularizers of CNN architectures*).
public struct TwoLayerProgram: Sendable {
  /// X: n × d, with the constant column of the bias where there is one; nK × d for K rows a sample.
  public let x: Matrix<Double>
  /// S.
  public let pooling: RowSums
  public let loss: any Loss<Double>
  /// The loss by name, with its parameters.
  public let kind: LossKind
  public let parameters: LossParameters
  public private(set) var λ: Double
  public private(set) var patterns: ActivationPatterns
  /// Whether the groups are confined to the cones of their patterns (ReLU) or free (gated ReLU).
  public let isConstrained: Bool

  /// Throws where λ is not positive and finite, or X, patterns and loss are of different heights.
  public init(
    x: Matrix<Double>, loss: any Loss<Double>, kind: LossKind, parameters: LossParameters = LossParameters(),
    λ: Double, patterns: ActivationPatterns, isConstrained: Bool, pooling: RowSums = .identity
  ) throws(ProgramError) {
    guard λ > 0, λ.isFinite else { throw .regularisation(λ) }
    guard x.rows == loss.samples * pooling.size, patterns.bits.rows == x.rows else {
      throw .shapes(x: x.rows, targets: loss.samples * pooling.size, patterns: patterns.bits.rows)
    }
    self.x = x
    self.pooling = pooling
    self.loss = loss
    self.kind = kind
    self.parameters = parameters
    self.λ = λ
    self.patterns = patterns
    self.isConstrained = isConstrained
  }

  /// The same program with another λ. Throws where that is not positive and finite.
  public func with(λ: Double) throws(ProgramError) -> TwoLayerProgram {
    guard λ > 0, λ.isFinite else { throw .regularisation(λ) }
    var program = self
    program.λ = λ
    return program
  }

  /// The program over the patterns with the given indices, in that order.
  public func selecting(patterns indices: [Int]) -> TwoLayerProgram {
    var program = self
    program.patterns = patterns.selecting(indices)
    return program
  }

  public var samples: Int { loss.samples }
  /// Rows of X, one a sample or more.
  public var rows: Int { x.rows }
  public var features: Int { x.columns }
  public var outputs: Int { loss.outputs }

  /// Signs that groups may have.
  public var signs: [Double] { isConstrained ? [1, -1] : [1] }

  /// All groups of the program: patterns × signs × outputs.
  public var allGroups: [TwoLayerGroup] {
    (0..<patterns.count).flatMap { pattern in
      signs.flatMap { sign in
        (0..<outputs).map { TwoLayerGroup(pattern: pattern, sign: sign, output: $0) }
      }
    }
  }
}

/// One group of a two-layer program.
public struct TwoLayerGroup: Sendable, Hashable, Codable {
  public var pattern: Int
  public var sign: Double
  public var output: Int

  public init(pattern: Int, sign: Double, output: Int) {
    self.pattern = pattern
    self.sign = sign
    self.output = output
  }
}

/// A primal point of a two-layer program and the dual point that came with it.
public struct TwoLayerPoint: Sendable {
  /// The groups with coefficients, each at most once.
  public var groups: [TwoLayerGroup]
  /// u_g: one row a group.
  public var coefficients: Matrix<Double>
  /// θ: n × c, in the domain of θ ↦ ℓ*(−θ).
  public var θ: Matrix<Double>
  /// With cones: multipliers α ≥ 0 of groups, up to a factor, that show θ to be feasible, where a solver has them;
  /// a certificate looks for others where these do not suffice.
  public var multipliers: [TwoLayerGroup: SparseVector]

  public init(
    groups: [TwoLayerGroup], coefficients: Matrix<Double>, θ: Matrix<Double>,
    multipliers: [TwoLayerGroup: SparseVector] = [:]
  ) {
    self.groups = groups
    self.coefficients = coefficients
    self.θ = θ
    self.multipliers = multipliers
  }
}

/// What can be wrong with the data of a program.
public enum ProgramError: Error, Sendable, Equatable, CustomStringConvertible {
  case regularisation(Double)
  case shapes(x: Int, targets: Int, patterns: Int)
  /// The same of programs without patterns.
  case heights(x: Int, targets: Int)
  case memory(needed: Int, limit: Int)
  /// Of a semidefinite program over so many matrices of an order.
  case semidefiniteMemory(matrices: Int, order: Int, needed: Int, limit: Int)
  /// For the local training that pattern refinement begins with.
  case trainingMemory(needed: Int, limit: Int)
  /// ρ of hinges in place of cones.
  case penaltyWeight(Double)
  /// The group's coefficients lie outside the span of its cone.
  case noConeDecomposition(TwoLayerGroup)

  public var description: String {
    switch self {
    case .regularisation(let λ): "λ is \(λ): give a positive, finite number"
    case .shapes(let x, let targets, let patterns):
      "X has \(x) rows, the targets \(targets), the patterns \(patterns): they must agree"
    case .heights(let x, let targets): "X has \(x) rows, the targets \(targets): they must agree"
    case .semidefiniteMemory(let matrices, let order, let needed, let limit):
      "a semidefinite program over \(matrices) matrices of order \(order) needs \(memorySize(needed, .up)), the limit is "
        + "\(memorySize(limit, .down)): take fewer features (--ignore) or outputs, or raise --max-memory"
    case .memory(let needed, let limit):
      "this program needs \(memorySize(needed, .up)), the limit is \(memorySize(limit, .down)): "
        + "take fewer patterns or samples, or raise --max-memory"
    case .trainingMemory(let needed, let limit):
      "refinement begins with local training, which needs \(memorySize(needed, .up)), the limit is \(memorySize(limit, .down)): "
        + "take a number of patterns (--patterns), fewer samples or features, or raise --max-memory"
    case .penaltyWeight(let ρ): "the weight of violated cones is \(ρ): give a positive, finite number"
    case .noConeDecomposition(let group):
      "the weights of pattern \(group.pattern) into output \(group.output) are no difference of two "
        + "vectors of its cone, which has no interior: take gates g with x_kᵀg ≠ 0 for every sample"
    }
  }
}
