import ConvexOptimization
import LinearAlgebra

/// The numbers of `ProximalOperatorMachine`.
public struct ProximalOperatorSettings: RelativeSettings {
  /// μ of every layer. Li, Fang & Lin take 20.
  public var μ = 20.0
  /// Fixed-point steps of a layer's outputs for each batch.
  public var outputSteps = 1.0
  /// Steps of a layer's weights for each batch.
  public var weightSteps = 1.0
  /// ε of the metric X̃ᵀX̃ + εmI of weights, for each of the m samples of a batch. Ours.
  public var shift = 0.01

  public init() {}

  public static var numbers: [RelativeNumber<Self>] {
    [
      RelativeNumber("mu", \.μ), RelativeNumber("output-steps", \.outputSteps, .count),
      RelativeNumber("weight-steps", \.weightSteps, .count), RelativeNumber("shift", \.shift),
    ]
  }

  private enum CodingKeys: String, CodingKey {
    case μ = "mu"
    case outputSteps = "output-steps"
    case weightSteps = "weight-steps"
    case shift
  }
}

/// The lifted proximal operator machine (Li, Fang & Lin 2019): outputs of all layers, the last included, are variables,
///
///     min ℓ(X_{L+1}) + μ Σ_{l≤L} B_l(X_{l+1}, X_l W_l + 1 b_lᵀ)
///
/// with the penalty 1ᵀf(X_{l+1}) + 1ᵀg(U) + ½‖X_{l+1} − U‖² of the paper, which is the Fenchel divergence B of the activation
/// (of the identity for the last layer; Gu, Askari & El Ghaoui 2019, Appendix D). For every batch, from the forward pass:
///
///     X_{L+1} = argmin ℓ(X) + (μ/2)‖X − U_L‖²
///     X_{l+1} ← φ_l(U_l − (φ_{l+1}(X_{l+1} W_{l+1} + 1 b_{l+1}ᵀ) − X_{l+2}) W_{l+1}ᵀ),   l = L − 1, …, 0
///     W_l     ← W_l + (X̃_lᵀX̃_l + εmI)⁻¹ X̃_lᵀ(X_{l+1} − φ_l(X̃_l W_l))
///
/// The fixed-point step of X is the paper's; it contracts where ‖W‖ < 1, and where it would raise the value of its
/// block a step of majorised descent is made instead. The steps of W are those of the paper's Algorithm 2, majorised
/// descent on B, in the metric of the batch instead of its norm and without momentum.
package struct ProximalOperatorMachine<Element: Scalar>: BatchMethod {
  private let settings: ProximalOperatorSettings
  private let penalties: [FenchelPenalty<Element>]

  /// - Throws: `RelativeError` for numbers out of range, `LiftedError.notSmooth` for an activation that jumps.
  package init(
    _ network: FeedForward<Element>, settings: ProximalOperatorSettings = ProximalOperatorSettings()
  ) throws {
    try settings.check()
    self.settings = settings
    penalties = try network.activations.map { try FenchelPenalty($0) } + [FenchelPenalty(.identity)]
  }

  private var μ: Element { Element(settings.μ) }

  package mutating func step(
    _ network: inout FeedForward<Element>, on batch: Batch<Element>, learningRate: Double
  ) -> BatchStep {
    let pass = ForwardPass(network, batch.x)
    let last = network.activations.count
    let loss = Double(batch.loss.value(at: pass.inputs[last]))
    guard loss.isFinite else { return BatchStep(loss: loss, outcome: .failed) }
    let targets = targets(network, pass, batch.loss)
    var trial = network
    for l in 0...last {
      let x = (l == 0 ? batch.x : targets[l - 1]).augmented(hasBias: network.hasBias)
      let shift = Element(settings.shift * Double(x.rows))
      guard let ridge = try? RidgeRegression(x, shift: shift) else {
        return BatchStep(loss: loss, outcome: .failed)
      }
      for _ in 0..<Int(settings.weightSteps) {
        var residual = matrixProduct(x, trial.weights[l])
        penalties[l].divergence.map(&residual)
        residual.scale(by: -1)
        residual.add(1, targets[l])
        trial.weights[l].add(Element(learningRate), ridge.step(residual))
      }
    }
    guard trial.isFinite else { return BatchStep(loss: loss, outcome: .failed) }
    network = trial
    return BatchStep(loss: loss, outcome: .advanced)
  }

  /// Every batch begins anew from the network.
  package mutating func transfer(_: inout StateTransfer) throws {}

  /// X_1 … X_{L+1}.
  private func targets(
    _ network: FeedForward<Element>, _ pass: ForwardPass<Element>, _ loss: any Loss<Element>
  ) -> [Matrix<Element>] {
    let last = network.activations.count
    var targets = pass.inputs
    _ = loss.prox(of: pass.inputs[last], step: 1 / μ, into: &targets[last])
    for l in (0..<last).reversed() {
      let block = OutputBlock(
        fit: .outputs(targets[l + 1], penalties[l + 1], weight: μ), weights: network.weights[l + 1],
        hasBias: network.hasBias, penalty: penalties[l], weight: μ, toward: pass.inputs[l])
      targets[l] = block.fixedPointSteps(from: pass.outputs[l], count: Int(settings.outputSteps))
    }
    return targets
  }
}

extension OutputBlock {
  /// Steps Z ← φ(U − ∇f(Z W + 1 bᵀ)Wᵀ/(κλ)) of Li, Fang & Lin (2019, eq. 22): exact were f linear. One that raises the value
  /// is taken back for a majorised step, of a curvature that grows up to L‖W‖_F², where none can rise.
  package func fixedPointSteps(from start: Matrix<Element>, count: Int) -> Matrix<Element> {
    var z = start
    var t = image(of: z)
    var value = fit.value(at: t) + remainder(z)
    let w = weights.firstRows(u.columns)
    let bound = fit.smoothness * w.inner(w)
    for _ in 0..<count {
      var gradient = t
      fit.gradient(at: t, into: &gradient)
      let slope = pullBack(gradient)
      for curvature in [0, bound / 64, bound / 8, bound] {
        let next = minimiser(of: curvature, at: z, slope: slope)
        let image = image(of: next)
        let reached = fit.value(at: image) + remainder(next)
        guard reached <= value else { continue }
        (z, t, value) = (next, image, reached)
        break
      }
    }
    return z
  }
}
