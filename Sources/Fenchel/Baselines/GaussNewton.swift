import ConvexOptimization
import LinearAlgebra

/// The generalised Gauss–Newton method with Levenberg's damping, for h(W) = ℓ(f_W(X))/Σs + (η/2)‖W‖²: a step δ solves
///
///     (Jᵀ∇²ℓ J/Σs + (η + λ)I) δ = −∇h
///
/// by conjugate gradients, with J the derivative of the predictions (Schraudolph 2002). It is taken where h falls by
/// it. λ grows where h falls by less than ¼ of what the quadratic model promises, and shrinks above ¾ (Marquardt
/// 1963; Martens 2010). Cost of an iteration: 8n times the number of weights.
struct GaussNewton<Element: Scalar>: BatchMethod {
  /// λ, changed by every step.
  private(set) var damping = 1.0
  /// Conjugate gradients end at this residual relative to ‖∇h‖, or after as many iterations.
  var solver = ConjugateGradient(tolerance: 0.1, maximumIterations: 50)
  /// Values of λ that a step tries.
  var attempts = 12
  private var backpropagation: Backpropagation<Element>
  private let decay: Double
  private var gradient: [Matrix<Element>]

  init(for network: FeedForward<Element>, decay: Double) throws {
    backpropagation = try Backpropagation(network.activations)
    self.decay = decay
    gradient = network.zeros
  }

  mutating func step(
    _ network: inout FeedForward<Element>, on batch: Batch<Element>, learningRate: Double
  ) -> BatchStep {
    let scale = Element(1 / batch.mass)
    let value = Double(
      backpropagation.gradient(
        of: network, batch.x, loss: batch.loss, scale: scale, decay: Element(decay), into: &gradient))
    let loss = (value - decay / 2 * Double(network.squaredNorm)) * batch.mass
    guard value.isFinite else { return BatchStep(loss: loss, outcome: .failed) }
    var downhill = flattened(gradient)
    downhill.scale(by: -1)
    let system = GaussNewtonOperator(
      network: network, x: batch.x, point: backpropagation,
      factor: batch.loss.hessianFactor(at: backpropagation.output), scale: scale, shift: Element(decay))
    for _ in 0..<attempts {
      let δ = solver.solve(system.shifted(by: Element(damping)), downhill).solution
      let promised = (Double(downhill.inner(δ)) + damping * Double(δ.inner(δ))) / 2
      guard promised > Double(Element.ulpOfOne) * abs(value) else { break }
      var trial = network
      trial.add(Element(learningRate), parted(δ, like: gradient))
      let gain = value - backpropagation.objective(of: trial, on: batch, decay: decay)
      adapt(gain / promised)
      guard gain > 0, trial.isFinite else { continue }
      network = trial
      return BatchStep(loss: loss, outcome: .advanced)
    }
    return BatchStep(loss: loss, outcome: .stalled)
  }

  mutating func transfer(_ state: inout StateTransfer) throws { try state.carry("damping", &damping) }

  private mutating func adapt(_ ratio: Double) {
    if ratio > 0.75 { damping = max(damping / 4, 1e-12) }
    if !(ratio >= 0.25) { damping *= ratio > 0 ? 2 : 8 }
  }
}

/// α JᵀL LᵀJ + σI on ℝᴺ, with J at the point of a forward pass and L Lᵀ the Hessian of the loss there.
struct GaussNewtonOperator<Element: Scalar>: LinearOperator {
  let network: FeedForward<Element>
  let x: Matrix<Element>
  let point: Backpropagation<Element>
  let factor: HessianFactor<Element>
  /// α.
  let scale: Element
  /// σ.
  var shift: Element

  /// The same with σ + λ.
  func shifted(by λ: Element) -> Self {
    var result = self
    result.shift += λ
    return result
  }

  var rows: Int { network.parameters }
  var columns: Int { rows }

  /// For one vector, c = 1.
  func apply(_ v: Matrix<Element>, into y: inout Matrix<Element>) {
    var images = point.tangent(network, x, along: parted(v, like: network.weights))
    factor.applyTransposed(&images)
    factor.apply(&images)
    images.scale(by: scale)
    var (point, products) = (point, network.zeros)
    point.adjoint(network, x, images, into: &products)
    y = flattened(products)
    y.add(shift, v)
  }

  func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) { apply(y, into: &x) }
}
