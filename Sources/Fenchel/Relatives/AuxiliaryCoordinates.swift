import ConvexOptimization
import LinearAlgebra

/// The numbers of `AuxiliaryCoordinates`.
public struct AuxiliaryCoordinateSettings: RelativeSettings {
  /// μ at first. Carreira-Perpiñán & Wang begin at 1.
  public var μ = 1.0
  /// By which μ is multiplied after every sweep. The paper multiplies by 10 once the sweeps at one μ have converged;
  /// a factor a sweep is ours.
  public var growth = 1.1
  /// The weight ρ of ρ‖W_L‖² of the last layer, which keeps its regression from being singular. Ours.
  public var ridge = 1e-3
  /// Gauss–Newton steps of a block. The paper makes few, until convergence at last.
  public var steps = 1.0
  /// Conjugate gradients of a Gauss–Newton step. Ours: the paper factorises each system.
  public var iterations = 4.0

  public init() {}

  public static var numbers: [RelativeNumber<Self>] {
    [
      RelativeNumber("mu", \.μ), RelativeNumber("growth", \.growth, .atLeastOne),
      RelativeNumber("ridge", \.ridge), RelativeNumber("steps", \.steps, .count),
      RelativeNumber("iterations", \.iterations, .count),
    ]
  }

  private enum CodingKeys: String, CodingKey {
    case μ = "mu"
    case growth, ridge, steps, iterations
  }
}

/// The method of auxiliary coordinates (Carreira-Perpiñán & Wang 2014): every sample's outputs of all hidden layers become
/// coordinates Z_1 … Z_L of their own, tied to the network by a quadratic penalty that grows,
///
///     min ℓ(Z_L W_L + 1 b_Lᵀ) + ρ‖W_L‖² + (μ/2) Σ_{l<L} ‖Z_{l+1} − φ_l(Z_l W_l + 1 b_lᵀ)‖²,   Z_0 = X
///
/// A sweep is a W-step, in which every layer, and in it every unit, is fitted to its outputs alone, and a Z-step, in which
/// every sample moves its coordinates. Both by Gauss–Newton steps with a search along the line, so that at one μ none
/// raises the objective; the last layer and the coordinates below it are convex problems and solved as such. The paper
/// moves all coordinates of a sample together; here layer after layer, from the last to the first. As μ → ∞ stationary
/// points of the network's own problem come out.
package struct AuxiliaryCoordinates<Element: Scalar>: SweepMethod {
  private let x: Matrix<Element>
  private let loss: any Loss<Element>
  private let settings: AuxiliaryCoordinateSettings
  private let divergences: [any ActivationDivergence<Element>]
  package private(set) var network: FeedForward<Element>
  /// Z_1 … Z_L.
  package private(set) var coordinates: [Matrix<Element>]
  /// μ.
  package private(set) var penalty: Double
  private let firstInputs: Matrix<Element>
  private let firstMetric: Cholesky<Element>

  /// - Throws: `RelativeError` for numbers out of range, activations that couple entries or jump, and losses without
  ///   gradient.
  package init(
    _ network: FeedForward<Element>, _ data: SweepData<Element>,
    settings: AuxiliaryCoordinateSettings = AuxiliaryCoordinateSettings()
  ) throws {
    try settings.check()
    let (x, loss) = (data.x, data.loss)
    guard loss.smoothness.isFinite else { throw RelativeError.lossNotSmooth(data.kind) }
    divergences = try network.activations.map { activation in
      let divergence = activation.divergence(Element.self)
      guard divergence.isEntrywise else { throw RelativeError.notEntrywise(activation) }
      guard divergence.smoothness.isFinite else { throw RelativeError.notSmooth(activation) }
      return divergence
    }
    (self.network, self.x, self.loss, self.settings) = (network, x, loss, settings)
    coordinates = ForwardPass(network, x).outputs
    penalty = settings.μ
    firstInputs = x.augmented(hasBias: network.hasBias)
    firstMetric = try factorised(gramMatrix(firstInputs, .yes), shift: 0)
  }

  private var μ: Element { Element(penalty) }
  private var last: Int { network.activations.count }

  package mutating func sweep() throws {
    for l in 0...last { try updateWeights(l) }
    for l in (0..<last).reversed() { try updateCoordinates(l) }
    objectiveOfSweep = objective(at: penalty)
    penalty *= settings.growth
  }

  /// The value at the μ of the last sweep.
  package var objective: Double { objectiveOfSweep ?? objective(at: penalty) }
  private var objectiveOfSweep: Double?

  private func inputs(_ l: Int) -> Matrix<Element> { l == 0 ? x : coordinates[l - 1] }

  private func preactivations(_ l: Int) -> Matrix<Element> {
    var u = Matrix<Element>(x.rows, network.weights[l].columns)
    network.preactivate(inputs(l), layer: l, into: &u)
    return u
  }

  private func activated(_ l: Int) -> Matrix<Element> {
    var v = preactivations(l)
    divergences[l].map(&v)
    return v
  }

  /// The W-step of one layer.
  package mutating func updateWeights(_ l: Int) throws {
    let w = network.weights[l]
    let inputs = l == 0 ? firstInputs : coordinates[l - 1].augmented(hasBias: network.hasBias)
    guard l < last else {
      let block = WeightBlock(
        fit: .loss(loss), inputs: inputs, hasBias: network.hasBias, ridge: Element(settings.ridge), center: w)
      network.weights[l] = try block.minimise(from: w, tolerance: 1e-4, maximumSteps: 20)
      return
    }
    let metric = l == 0 ? firstMetric : try factorised(gramMatrix(inputs, .yes), shift: 0)
    let block = MatchingBlock(
      side: .weights(inputs: inputs, metric: metric), divergence: divergences[l], targets: coordinates[l])
    network.weights[l] = block.minimise(
      from: w, steps: Int(settings.steps), iterations: Int(settings.iterations))
  }

  /// The Z-step of the outputs of layer l < L.
  package mutating func updateCoordinates(_ l: Int) throws {
    let (z, w) = (coordinates[l], network.weights[l + 1])
    guard l + 1 == last else {
      let block = MatchingBlock(
        side: .inputs(weights: w, hasBias: network.hasBias), divergence: divergences[l + 1],
        targets: coordinates[l + 1], proximity: 1, center: activated(l))
      coordinates[l] = block.minimise(
        from: z, steps: Int(settings.steps), iterations: Int(settings.iterations))
      return
    }
    let block = OutputBlock(
      fit: .loss(loss), weights: w, hasBias: network.hasBias,
      penalty: try SquaredDistancePenalty<Element>(.identity), weight: μ / 2, toward: activated(l))
    let found = try block.solve(from: z, tolerance: 1e-4, maximumSteps: 20)
    if block.value(found) <= block.value(z) { coordinates[l] = found }
  }

  /// The value at some μ.
  package func objective(at μ: Double) -> Double {
    let w = network.weights[last]
    var value = Double(loss.value(at: preactivations(last)))
    value += settings.ridge * Double(squaredWeights(w, hasBias: network.hasBias))
    for l in 0..<last { value += μ / 2 * squaredDistance(coordinates[l], activated(l)) }
    return value
  }

  package mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("weights", &network.weights)
    try state.carry("coordinates", &coordinates)
    try state.carry("penalty", &penalty)
  }
}
