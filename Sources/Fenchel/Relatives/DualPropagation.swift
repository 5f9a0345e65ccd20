import ConvexOptimization
import LinearAlgebra

/// The numbers of `DualPropagation`.
public struct DualPropagationSettings: RelativeSettings {
  /// β, how far the outputs are nudged along the gradient of their loss, for each sample.
  public var nudge = 0.5

  public init() {}

  public static var numbers: [RelativeNumber<Self>] { [RelativeNumber("nudge", \.nudge)] }
}

/// Contrastive training of a lifted model (Zach & Estellers 2019; Høier, Staudt & Zach 2023, dual propagation): not the
/// value of the lifted model E is lowered, which for deep networks is as low for weak nearly linear fits, but the
/// difference between its minima with the outputs pushed toward and away from their targets,
///
///     min_W (1/β)(min_X [E + (β/2)ℓ] − min_X [E − (β/2)ℓ]),   E = Σ_l B_l(X_{l+1}, X_l W_l + 1 b_lᵀ)
///
/// Every layer has two states S⁺ and S⁻ whose mean is its activity and whose difference its error. From the forward pass,
/// one sweep from the last layer to the first finds both,
///
///     S⁺_{L+1} − S⁻_{L+1} = −β ∇ℓ(U_L),   S±_{l+1} = φ_l(U_l ± ½(S⁺_{l+2} − S⁻_{l+2}) W_{l+1}ᵀ),   l = L − 1, …, 0
///
/// and the weights have the gradient −(1/β) X̃_lᵀ(S⁺_{l+1} − S⁻_{l+1}), X_l the mean of S⁺_l and S⁻_l: no derivative of an
/// activation is needed, and errors do not fade with depth. As β → 0 it is that of back-propagation. A first-order
/// rule takes the steps, as in the papers. β = 0.5 is ours. Cost of an epoch: 6n times the number of weights.
package struct DualPropagation<Element: Scalar>: BatchMethod {
  private let settings: DualPropagationSettings
  private let divergences: [any ActivationDivergence<Element>]
  private var rule: any GradientRule<Element>
  private let decay: Double
  private var gradient: [Matrix<Element>]
  private var previous: [Matrix<Element>]

  /// - Throws: `RelativeError` for numbers out of range, activations that jump and optimizers that are no rule.
  package init(
    _ network: FeedForward<Element>, optimizer: Optimizer = .adam, decay: Double = 0,
    settings: DualPropagationSettings = DualPropagationSettings()
  ) throws {
    try settings.check()
    guard let rule = optimizer.rule(Element.self) else { throw RelativeError.secondOrder(optimizer) }
    divergences = try network.activations.map { activation in
      let divergence = activation.divergence(Element.self)
      guard divergence.smoothness.isFinite else { throw RelativeError.notSmooth(activation) }
      return divergence
    }
    (self.settings, self.rule, self.decay) = (settings, rule, decay)
    gradient = network.zeros
    previous = network.zeros
  }

  package mutating func step(
    _ network: inout FeedForward<Element>, on batch: Batch<Element>, learningRate: Double
  ) -> BatchStep {
    let loss = differentiate(network, batch.x, batch.loss, scale: Element(1 / batch.mass), into: &gradient)
    guard loss.isFinite else { return BatchStep(loss: Double(loss), outcome: .failed) }
    let isFinite = rule.update(
      &network.weights, previous: &previous, gradient: gradient, learningRate: learningRate,
      weightDecay: decay)
    if !isFinite { swap(&network.weights, &previous) }
    return BatchStep(loss: Double(loss), outcome: isFinite ? .advanced : .failed)
  }

  package mutating func transfer(_ state: inout StateTransfer) throws { try state.carry("rule", &rule) }

  /// The contrastive gradient of α times the loss into `gradient`; returns the loss of the network, without α.
  package func differentiate(
    _ network: FeedForward<Element>, _ x: Matrix<Element>, _ loss: any Loss<Element>, scale α: Element = 1,
    into gradient: inout [Matrix<Element>]
  ) -> Element {
    let pass = ForwardPass(network, x)
    let (last, β) = (network.activations.count, Element(settings.nudge))
    var difference = pass.inputs[last]
    let value = loss.gradient(at: pass.inputs[last], into: &difference)
    difference.scale(by: -β)
    for l in (0...last).reversed() {
      guard l > 0 else {
        collectGradient(x, difference, hasBias: network.hasBias, scale: -α / β, into: &gradient[0])
        break
      }
      let states = states(network, pass, below: l, difference)
      collectGradient(states.mean, difference, hasBias: network.hasBias, scale: -α / β, into: &gradient[l])
      difference = states.difference
    }
    return value
  }

  /// The mean and the difference of S±_l, for the difference of S±_{l+1}.
  private func states(
    _ network: FeedForward<Element>, _ pass: ForwardPass<Element>, below l: Int, _ difference: Matrix<Element>
  ) -> (mean: Matrix<Element>, difference: Matrix<Element>) {
    let u = pass.inputs[l - 1]
    let w = network.weights[l].firstRows(u.columns)
    var (up, down) = (u, u)
    addProduct(difference, .no, w, .yes, to: &up, alpha: 0.5)
    down.scale(by: 2)
    down.add(-1, up)
    divergences[l - 1].map(&up)
    divergences[l - 1].map(&down)
    var mean = up
    mean.add(1, down)
    mean.scale(by: 0.5)
    up.add(-1, down)
    return (mean, up)
  }
}
