import LinearAlgebra

/// The numbers of `TikhonovDescent`.
public struct TikhonovSettings: RelativeSettings {
  /// γ, the weight of every layer's (γ/2)‖X_{l+1} − X_l W_l‖².
  public var γ = 0.2
  /// ρ of ρ‖W_l‖².
  public var ridge = 1e-3
  /// θ.
  public var θ = 0.9

  public init() {}

  public static var numbers: [RelativeNumber<Self>] {
    [
      RelativeNumber("gamma", \.γ), RelativeNumber("ridge", \.ridge), RelativeNumber("theta", \.θ, .share),
    ]
  }

  private enum CodingKeys: String, CodingKey {
    case γ = "gamma"
    case ridge
    case θ = "theta"
  }
}

/// Convergent block-coordinate descent on a Tikhonov-regularised network (Zhang & Brand 2017): the lifted model with
/// squared distances on the activation's range,
///
///     min ℓ(X_L W_L + 1 b_Lᵀ) + Σ_l ρ‖W_l‖² + (γ/2) Σ_{l<L} ‖X_{l+1} − X_l W_l − 1 b_lᵀ‖²,   X_l ≥ 0 for ReLU
///
/// in which every block is strongly convex. Each block v is moved a part of the way to its minimiser, v ← (1 − θ)v + θv*,
/// the average that the paper's proof of convergence rests on; no update raises the objective. The paper treats the outputs
/// of all layers as one block; here they follow one another, from the last to the first. The values of γ, ρ and θ are ours.
package struct TikhonovDescent<Element: Scalar>: SweepMethod {
  package var descent: BlockCoordinateDescent<Element>

  /// - Throws: `RelativeError` for numbers out of range, `LiftedError` for activations that project onto no set and losses
  ///   without gradient.
  package init(
    _ network: FeedForward<Element>, _ data: SweepData<Element>,
    settings: TikhonovSettings = TikhonovSettings()
  ) throws {
    try settings.check()
    let layers = network.activations.count
    let program = try LiftedProgram(
      x: data.x, loss: data.loss, kind: data.kind, activations: network.activations, form: .squaredDistance,
      λ: [Element](repeating: Element(settings.γ / 2), count: layers),
      ρ: [Element](repeating: Element(settings.ridge), count: layers + 1))
    descent = try BlockCoordinateDescent(program, from: network, tolerance: 1e-3, maximumSteps: 10)
    descent.relaxation = Element(settings.θ)
  }

  package var network: FeedForward<Element> { descent.point.network }
  package var objective: Double { descent.objective.total }
  package mutating func sweep() throws { try descent.sweep() }

  package mutating func transfer(_ state: inout StateTransfer) throws { try state.carry("descent", &descent) }
}
