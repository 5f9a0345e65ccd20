/// The generators that can be trained.
public enum GeneratorKind: String, Codable, Sendable, CaseIterable {
  /// z ↦ zᵀW, the least W that puts out G*.
  case linear
  /// z ↦ (zᵀW₁)₊W₂, by the convex program of a two-layer network.
  case relu
}

/// β of the discriminator.
public enum DiscriminatorWeight: Codable, Sendable, Equatable {
  /// β itself, in units of XᵀX with greys from 0 to 1.
  case value(Double)
  /// β as a share of σ_max² of each stage.
  case ratio(Double)

  func value(largest: Double) -> Double {
    switch self {
    case .value(let β): β
    case .ratio(let share): share * largest
    }
  }
}

/// How a progressive generator is trained.
public struct GeneratorSettings: Sendable, Equatable {
  public var kind = GeneratorKind.linear
  /// Edges of the square pictures, a stage each, rising.
  public var sizes = [16, 32, 64]
  public var β = DiscriminatorWeight.ratio(0.02)
  /// k, or nil for the largest rank that a stage has.
  public var noise: Int?
  /// Of `relu`: λ as a share of λ_max, patterns, tolerance, precision, limits and threads; of both the seed.
  public var training = TrainingSettings()

  public init() {
    training.lambda = .ratio(0.005)
    training.bound = BoundEffort.none
  }
}
