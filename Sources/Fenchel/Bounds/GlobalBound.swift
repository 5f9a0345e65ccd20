import ConvexOptimization
import LinearAlgebra

/// A lower bound on the training objective of every two-layer ReLU network of any width whose neurons each feed one
/// output: for dual points θ with |Σ_i θ_ij (x_iᵀw)₊| ≤ λ for all ‖w‖ ≤ 1 and all j the dual objective −ℓ*(−θ) bounds
/// them all, and for any θ so do its multiples within the upper bounds U_j on those maxima.
public struct GlobalBound: Sendable {
  public var value: Double
  /// A bound over networks whose neurons may feed several outputs (`MeasuredDual.sharedValue`), valid but weak; nil for one
  /// output.
  public var sharedValue: Double?
  public var proof: Proof
  /// Seconds that the search for it took.
  public var seconds = 0.0

  /// The higher of two bounds, with the seconds of both.
  func joined(with other: GlobalBound?) -> GlobalBound {
    guard let other else { return self }
    var result = value >= other.value ? self : other
    result.seconds = seconds + other.seconds
    return result
  }

  /// How the U_j are shown.
  public enum Proof: Sendable {
    /// The program has all patterns of the data: its own certificate bounds every network.
    case patterns
    /// Explicit multipliers, checked by one factorisation for each sign and output, and for each piece of directions.
    case multipliers(BoundMultipliers)
    /// A branch and bound over cones that found no more than `lengths` (c × 2: both signs), for the dual point θ; checked
    /// by `ConeCheck` with about so many `cones`.
    case cones(θ: Matrix<Double>, lengths: Matrix<Double>, cones: Int)
  }
}

/// How much work goes into the bound over all networks.
public enum BoundEffort: String, Codable, Sendable, CaseIterable {
  case none
  /// The relaxation, as far as it takes a second or two, and for up to six features some thousand cones.
  case quick
  /// The relaxation whatever it takes, for up to six features half a million cones for each sign and output, and for up to
  /// 64 features 64 pieces of directions an output; before, patterns are refined until no search finds a violation.
  case tight

  /// Multiplications of the relaxation.
  var relaxationWork: Double {
    switch self {
    case .none: 0
    case .quick: 2e10
    case .tight: 1e14
    }
  }

  /// Cones for each sign and output.
  var cones: Int {
    switch self {
    case .none: 0
    case .quick: 2000
    case .tight: 500_000
    }
  }
}

extension StrictLoss {
  /// Where ℓ is least in each entry alone, the others fixed: ±∞ where it falls for ever.
  var minimisers: Matrix<Double> {
    var result = targets
    for i in 0..<result.count { result.storage[i] = minimiser(targets.storage[i]) }
    return result
  }
}
