import ConvexOptimization
import LinearAlgebra

/// A lifted model of a network with L hidden layers, whose outputs X_1 … X_L are variables beside the weights:
///
///     min ℓ(X_L W_L + 1 b_Lᵀ) + Σ_l ρ_l ‖W_l‖_F² + Σ_{l<L} λ_l D_l(X_{l+1}, X_l W_l + 1 b_lᵀ),   X_0 = X: n × d
///
/// With D the Fenchel divergences this is the model of Gu, Askari & El Ghaoui (2019, eq. 5); with the squared distances on
/// φ's range that of Askari, Negiar, Sambharya & El Ghaoui (2018). Convex in every block; for fixed weights the former
/// falls apart into samples. At feed-forward outputs every D is 0 and the value is the network's own.
public struct LiftedProgram<Element: Scalar>: Sendable {
  /// X: n × d.
  public let x: Matrix<Element>
  /// What X_L W_L + b_L is to fit: ℓ.
  public let output: LayerFit<Element>
  /// c.
  public let outputs: Int
  /// D_0 … D_{L−1}.
  public let penalties: [any LayerPenalty<Element>]
  /// λ_0 … λ_{L−1}, positive.
  public let λ: [Element]
  /// ρ_0 … ρ_L, at least 0. Biases are free of it.
  public let ρ: [Element]

  /// - Throws: `LiftedError` for a loss or an activation without bounded slope, λ not positive, ρ negative, or counts
  ///   that differ.
  public init(
    x: Matrix<Element>, loss: any Loss<Element>, kind: LossKind, activations: [Activation],
    form: LiftedForm = .fenchel, λ: [Element], ρ: [Element]
  ) throws {
    guard loss.smoothness.isFinite else { throw LiftedError.lossNotSmooth(kind) }
    try self.init(
      x: x, output: .loss(loss), targets: loss.targets, activations: activations, form: form, λ: λ, ρ: ρ)
  }

  /// The model of a network whose last layer projects onto the simplex, with cross-entropy of these probabilities:
  /// min_Z f(Z) + λ_L‖Z − X_L W_L − b_L‖² in place of ℓ (Askari, Negiar, Sambharya & El Ghaoui 2018, eq. 15).
  ///
  /// - Throws: `LiftedError` as above, also where λ_L is not positive.
  public init(
    x: Matrix<Element>, probabilities entropy: SimplexCrossEntropy<Element>, outputWeight λ_L: Element,
    activations: [Activation], form: LiftedForm = .squaredDistance, λ: [Element], ρ: [Element]
  ) throws {
    try Self.check([λ_L], "λ of the last layer", count: 1, allowed: "a finite number greater than 0") {
      $0 > 0
    }
    try self.init(
      x: x, output: .probabilities(MoreauEnvelope(entropy, 1 / (2 * λ_L))), targets: entropy.targets,
      activations: activations, form: form, λ: λ, ρ: ρ)
  }

  private init(
    x: Matrix<Element>, output: LayerFit<Element>, targets: Matrix<Element>, activations: [Activation],
    form: LiftedForm, λ: [Element], ρ: [Element]
  ) throws {
    penalties = try activations.map { activation in
      switch form {
      case .fenchel: try FenchelPenalty<Element>(activation)
      case .squaredDistance: try SquaredDistancePenalty<Element>(activation)
      }
    }
    guard x.rows == targets.rows else {
      throw LiftedError.shape("\(x.rows) rows of inputs and \(targets.rows) of targets")
    }
    try Self.check(λ, "λ", count: activations.count, allowed: "finite numbers greater than 0") { $0 > 0 }
    try Self.check(ρ, "ρ", count: activations.count + 1, allowed: "finite numbers of at least 0") { $0 >= 0 }
    (self.x, self.output, outputs, self.λ, self.ρ) = (x, output, targets.columns, λ, ρ)
  }

  /// The model of one batch, without ρ; counts and ranges are those of a model that was checked.
  init(
    x: Matrix<Element>, output: LayerFit<Element>, outputs: Int, penalties: [any LayerPenalty<Element>],
    λ: [Element]
  ) {
    (self.x, self.output, self.outputs, self.penalties, self.λ) = (x, output, outputs, penalties, λ)
    ρ = [Element](repeating: 0, count: penalties.count + 1)
  }

  /// Another model's layers and data with other λ and ρ, which must be as many and in their ranges.
  init(_ other: LiftedProgram, λ: [Element], ρ: [Element]) {
    (x, output, outputs, penalties) = (other.x, other.output, other.outputs, other.penalties)
    (self.λ, self.ρ) = (λ, ρ)
  }

  private static func check(
    _ values: [Element], _ name: String, count: Int, allowed: String, _ isAllowed: (Element) -> Bool
  ) throws {
    guard values.count == count else { throw LiftedError.count(name, values.count, expected: count) }
    if let wrong = values.first(where: { !($0.isFinite && isAllowed($0)) }) {
      throw LiftedError.parameter(name, Double(wrong), allowed: allowed)
    }
  }

  /// - Throws: `LiftedError.shape` where a network does not fit the data.
  static func check(_ network: FeedForward<Element>, inputs d: Int, outputs c: Int) throws {
    let widths = network.widths
    guard widths[0] == d, widths[widths.count - 1] == c else {
      throw LiftedError.shape(
        "a network of \(widths[0]) inputs and \(widths[widths.count - 1]) outputs for data of \(d) and \(c)")
    }
  }

  /// L.
  public var hiddenLayers: Int { penalties.count }
}

/// The two kinds of lifted models.
public enum LiftedForm: Sendable {
  /// Fenchel divergences of the activations.
  case fenchel
  /// Squared distances on the range of the activation.
  case squaredDistance
}

/// A point of a lifted model: weights, and the outputs X_1 … X_L that they are fitted to.
public struct LiftedPoint<Element: Scalar>: Sendable {
  public var network: FeedForward<Element>
  public var outputs: [Matrix<Element>]

  /// The point that a network itself makes, X_{l+1} = φ_l(X_l W_l + b_l).
  public init(forward network: FeedForward<Element>, on x: Matrix<Element>) {
    self.network = network
    outputs = []
    var input = x
    for (l, activation) in network.activations.enumerated() {
      var u = network.preactivations(input, layer: l)
      activation.divergence(Element.self).map(&u)
      input = u
      outputs.append(input)
    }
  }
}

/// The value of a lifted model, term by term.
public struct LiftedObjective: Sendable, Equatable {
  /// ℓ(X_L W_L + b_L).
  public var loss: Double
  /// λ_l D_l(X_{l+1}, X_l W_l + b_l) for l = 0 … L − 1.
  public var penalties: [Double]
  /// ρ_l ‖W_l‖² for l = 0 … L.
  public var ridges: [Double]

  public var total: Double { loss + penalties.reduce(0, +) + ridges.reduce(0, +) }
}

extension LiftedProgram {
  /// The value at a point. Cost: a forward pass.
  public func objective(at point: LiftedPoint<Element>) -> LiftedObjective {
    var objective = LiftedObjective(loss: 0, penalties: [], ridges: [])
    for l in 0...hiddenLayers {
      let value = Double(fit(ofLayer: l, at: point).value(at: preactivations(ofLayer: l, at: point)))
      if l < hiddenLayers { objective.penalties.append(value) } else { objective.loss = value }
      let w = point.network.weights[l]
      objective.ridges.append(Double(ρ[l] * squaredWeights(w, hasBias: point.network.hasBias)))
    }
    return objective
  }

  /// X_l.
  func inputs(ofLayer l: Int, at point: LiftedPoint<Element>) -> Matrix<Element> {
    l == 0 ? x : point.outputs[l - 1]
  }

  /// X_l W_l + 1 b_lᵀ.
  func preactivations(ofLayer l: Int, at point: LiftedPoint<Element>) -> Matrix<Element> {
    point.network.preactivations(inputs(ofLayer: l, at: point), layer: l)
  }

  /// What the pre-activations of layer l are to fit: X_{l+1}, or the targets.
  func fit(ofLayer l: Int, at point: LiftedPoint<Element>) -> LayerFit<Element> {
    l == hiddenLayers ? output : .outputs(point.outputs[l], penalties[l], weight: λ[l])
  }

  /// The block of X_{l+1}, l = 0 … L − 1, with everything else as at the point; `u` are its layer's pre-activations where
  /// they are known.
  package func outputBlock(
    _ l: Int, at point: LiftedPoint<Element>, toward u: Matrix<Element>? = nil
  ) -> OutputBlock<Element> {
    OutputBlock(
      fit: fit(ofLayer: l + 1, at: point), weights: point.network.weights[l + 1],
      map: point.network.maps[l + 1], hasBias: point.network.hasBias, penalty: penalties[l], weight: λ[l],
      toward: u ?? preactivations(ofLayer: l, at: point))
  }

  /// The block of W_l, l = 0 … L, held near `center` by γ.
  package func weightBlock(
    _ l: Int, at point: LiftedPoint<Element>, proximity γ: Element = 0, center: Matrix<Element>? = nil,
    gram: Matrix<Element>? = nil
  ) -> WeightBlock<Element> {
    let hasBias = point.network.hasBias
    return WeightBlock(
      fit: fit(ofLayer: l, at: point),
      inputs: LayerInputs(inputs(ofLayer: l, at: point), through: point.network.maps[l], hasBias: hasBias),
      hasBias: hasBias, ridge: ρ[l], proximity: γ, center: center ?? point.network.weights[l], gram: gram)
  }
}
