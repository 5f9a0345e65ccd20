import ConvexOptimization
import LinearAlgebra
import RealModule

/// K-FAC (Martens & Grosse 2015) for h(W) = ℓ(f_W(X))/Σs + (η/2)‖W‖²: the gradient preconditioned by Kronecker factors
/// of the curvature, Δ = −(A + …)⁻¹ ∇h (G + …)⁻¹ a layer, and of Δ and the last step δ₀ the combination
///
///     δ = αΔ + μδ₀,   (α, μ) minimising ∇hᵀδ + ½δᵀ(Jᵀ∇²ℓ J/Σs + (η + λ)I)δ
///
/// exactly on the batch (sections 6 and 7). The derivatives behind G are LᵀJ's adjoint at a random sign vector, L Lᵀ
/// the Hessian of the loss, which has the curvature as its mean. λ follows the gain ratio every few steps.
struct KFAC<Element: Scalar>: BatchMethod {
  /// λ.
  private(set) var damping = 1.0
  /// Steps between two refreshes of the factors; of the first steps every one refreshes.
  var refreshInterval = 5
  /// Steps between two changes of λ.
  var dampingInterval = 5
  private var steps = 0
  private var backpropagation: Backpropagation<Element>
  private let decay: Double
  private let random: Philox
  private var gradient: [Matrix<Element>]
  private var factors: [KroneckerFactors<Element>]
  private var lastStep: [Matrix<Element>]?

  init(for network: FeedForward<Element>, decay: Double, seed: UInt64) throws {
    try network.requireDense(for: "K-FAC")
    backpropagation = try Backpropagation(network.activations)
    self.decay = decay
    random = Philox(seed: seed, stream: 1 << 40)
    gradient = network.zeros
    factors = network.weights.map { KroneckerFactors(for: $0) }
  }

  mutating func step(
    _ network: inout FeedForward<Element>, on batch: Batch<Element>, learningRate: Double
  ) -> BatchStep {
    let value = Double(
      backpropagation.gradient(
        of: network, batch.x, loss: batch.loss, scale: Element(1 / batch.mass), decay: Element(decay),
        into: &gradient))
    let loss = (value - decay / 2 * Double(network.squaredNorm)) * batch.mass
    guard value.isFinite else { return BatchStep(loss: loss, outcome: .failed) }
    let hessian = batch.loss.hessianFactor(at: backpropagation.output)
    if steps % refreshInterval == 0 || steps < refreshInterval {
      guard refresh(network, batch, hessian) else { return BatchStep(loss: loss, outcome: .failed) }
    }
    steps += 1
    let (δ, promised) = combination(network, batch, hessian)
    var trial = network
    trial.add(Element(learningRate), δ)
    guard trial.isFinite else { return BatchStep(loss: loss, outcome: .failed) }
    network = trial
    lastStep = δ
    if steps % dampingInterval == 0 {
      adapt(value - backpropagation.objective(of: network, on: batch, decay: decay), promised: promised)
    }
    return BatchStep(loss: loss, outcome: .advanced)
  }

  /// New means and factorisations from the batch.
  private mutating func refresh(
    _ network: FeedForward<Element>, _ batch: Batch<Element>, _ hessian: HessianFactor<Element>
  ) -> Bool {
    let output = backpropagation.output
    var signs: Matrix<Element> = Philox(seed: random.seed, stream: random.stream + UInt64(steps))
      .uniformMatrix(output.rows, output.columns)
    signs.replaceByCenteredSigns()
    hessian.apply(&signs)
    var unused = network.zeros
    backpropagation.adjoint(network, batch.x, signs, into: &unused)
    let roots = batch.loss.weights.map { $0.squareRoot() }
    let isWeighted = roots.contains { $0 != 1 }
    let γ = (damping + decay).squareRoot()
    for l in factors.indices {
      var x = l == 0 ? batch.x : backpropagation.outputs[l - 1]
      if isWeighted { x.scaleRows(by: roots) }
      factors[l].update(
        x: x, constants: network.hasBias ? roots : nil, d: backpropagation.deltas[l], mass: batch.mass)
      guard factors[l].factorise(damping: γ) else { return false }
    }
    return true
  }

  /// δ, and by how much it should lower h.
  private func combination(
    _ network: FeedForward<Element>, _ batch: Batch<Element>, _ hessian: HessianFactor<Element>
  ) -> (step: [Matrix<Element>], promised: Double) {
    var directions = [zip(factors, gradient).map { $0.precondition($1) }]
    if let lastStep { directions.append(lastStep) }
    let images = directions.map { direction in
      var image = backpropagation.tangent(network, batch.x, along: direction)
      hessian.applyTransposed(&image)
      return image
    }
    func curvature(_ i: Int, _ j: Int) -> Double {
      Double(images[i].inner(images[j])) / batch.mass + (decay + damping)
        * inner(directions[i], directions[j])
    }
    let slopes = directions.map { inner(gradient, $0) }
    var weights = [-slopes[0] / curvature(0, 0)]
    if directions.count == 2 {
      let (a, b, c) = (curvature(0, 0), curvature(0, 1), curvature(1, 1))
      let determinant = a * c - b * b
      if determinant > 1e-6 * a * c {
        weights = [
          (b * slopes[1] - c * slopes[0]) / determinant, (b * slopes[0] - a * slopes[1]) / determinant,
        ]
      }
    }
    if !weights.allSatisfy(\.isFinite) { weights = [0] }
    var step = directions[0]
    for l in step.indices {
      step[l].scale(by: Element(weights[0]))
      if weights.count == 2 { step[l].add(Element(weights[1]), directions[1][l]) }
    }
    return (step, -zip(weights, slopes).reduce(0.0) { $0 + $1.0 * $1.1 } / 2)
  }

  mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("damping", &damping)
    try state.carry("steps", &steps)
    for l in factors.indices { try state.carry("factors.\(l)", &factors[l]) }
    try state.carry("last-step", optional: &lastStep, blank: gradient) { try $0.carry("layer", &$1) }
  }

  private mutating func adapt(_ gain: Double, promised: Double) {
    let change = Double.pow(0.95, dampingInterval)
    if gain > 0.75 * promised { damping = max(damping * change, 1e-8) }
    if !(gain >= 0.25 * promised) { damping /= change }
  }
}

extension Matrix {
  /// Entries of [0, 1] become −1 below ½ and 1 above.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  fileprivate mutating func replaceByCenteredSigns() {
    let count = count
    withMutablePointer { a in for i in 0..<count { a[i] = a[i] < 0.5 ? -1 : 1 } }
  }
}
