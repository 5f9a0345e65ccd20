import ConvexOptimization
import LinearAlgebra

/// Batched block-coordinate descent on a Fenchel lifted model, one step a block (after Gu, Askari & El Ghaoui 2019,
/// Algorithm 2 with K = 1): for every batch the outputs X_L … X_1 move once from the forward pass to where the layer above
/// wants them, then every layer's weights make one step toward these outputs, preconditioned by the curvature that
/// the exact block would have, γ‖W − W₀‖² included:
///
///     X_L:  one Newton step                    X_l = φ(U − c R(I + cWᵀW)⁻¹Wᵀ),  R = φ(U_{l+1}) − X_{l+1},  c = λ_l/λ_{l−1}
///     W_L:  W − M⁻¹∇ℓ,  M = L X̃ᵀX̃ + 2γI      W_l: V ← μV − ω λ M⁻¹X̃ᵀ(φ(X̃W) − X_{l+1}),  W ← W + V
///
/// with the share of unclipped samples of each unit as the curvature of B, and momentum μ on the centre of the
/// proximal term. Neither monotone nor exact: fast. `LiftedTraining` goes back an epoch where it goes wrong. A step
/// follows its own batch; what training gives out is a running mean W̄, which follows many.
///
/// In networks with convolutions γ would have to differ by orders of magnitude from layer to layer (appendix C has 1e-4 to 1):
/// there it is what makes each step a share η of the weights' own length, M = X̃ᵀX̃ + δ tr(X̃ᵀX̃)/d I, and η falls to
/// nearly nothing over the run. Layers before averages or a convolution, whose adjoint spreads each error over many
/// entries, have a λ smaller than that above by a factor.
struct BatchDescent<Element: Scalar>: Resumable {
  let settings: BatchDescentSettings
  var network: FeedForward<Element>
  /// W̄ ← W̄ + (W − W̄)/min(1 + t/10, T) after the t-th step: the mean looks back on a tenth of the run at most. W itself where
  /// blocks are solved.
  private(set) var average: FeedForward<Element>
  private var layers: [LayerState<Element>]
  let penalties: [FenchelPenalty<Element>]
  private var batches = 0
  /// Grows with the epochs.
  var proximityFactor: Element = 1
  /// Steps are shorter by this.
  private(set) var caution: Element = 1
  /// λ_0 … λ_{L−1}.
  let λ: [Element]
  /// How much of the run is over, from 0 to 1.
  var progress = 0.0

  /// `moments` are those of the inputs in their axes.
  ///
  /// - Throws: `LiftedError.notSmooth` for an activation whose slope is not bounded.
  init(_ network: FeedForward<Element>, settings: BatchDescentSettings, moments: [Element]) throws {
    self.network = network
    average = network
    self.settings = settings
    penalties = try network.activations.map { try FenchelPenalty($0) }
    λ = Self.weights(of: network, settings)
    layers = network.weights.map {
      LayerState(velocity: Matrix($0.rows, $0.columns), metric: .unknown)
    }
    if network.activations.count > 0, network.maps[0] == .dense {
      layers[0].metric = .diagonal(network.hasBias ? moments + [1] : moments)
    }
  }

  static func weights(
    of network: FeedForward<Element>, _ settings: BatchDescentSettings
  ) -> [Element] {
    var λ = [Element](repeating: Element(settings.λ), count: network.activations.count)
    for l in λ.indices.dropLast().reversed() {
      λ[l] = λ[l + 1] / (network.maps[l + 1] == .dense ? 1 : Element(settings.imagePull))
    }
    return λ
  }

  private var last: Int { network.activations.count }

  /// One batch X: m × d with its loss. Returns the loss of the network as it was; nil, with nothing changed, where the run is
  /// interrupted before it, or between blocks that are solved.
  mutating func step(
    _ x: Matrix<Element>, _ loss: any Loss<Element>, isInterrupted: () -> Bool
  ) -> Element? {
    if isInterrupted() { return nil }
    let value = settings.solvesBlocks ? solvedStep(x, loss, isInterrupted) : singleStep(x, loss)
    if value != nil { takeMean() }
    return value
  }

  private mutating func singleStep(_ x: Matrix<Element>, _ loss: any Loss<Element>) -> Element {
    let forward = ForwardPass(network, x)
    let value = loss.value(at: forward.inputs[last])
    let targets = self.targets(forward, loss)
    var layers: [LayerState<Element>] = []
    swap(&layers, &self.layers)
    Parallel.forEach(in: &layers) { l, layer in
      let inputs = LayerInputs(
        l == 0 ? x : targets[l - 1], through: network.maps[l], hasBias: network.hasBias)
      if l == last {
        moveLast(&layer, inputs, loss)
      } else {
        move(&layer, l, inputs, known: l == 0 ? forward.outputs[0] : nil, toward: targets[l])
      }
    }
    swap(&layers, &self.layers)
    for l in 0...last {
      shrink(l)
      network.weights[l].add(1, self.layers[l].velocity)
    }
    return value
  }

  /// Counts a step, and takes its weights into the mean.
  private mutating func takeMean() {
    batches += 1
    let memory = settings.solvesBlocks ? 1 : min(1 + batches / 10, settings.averagedSteps)
    let share = 1 / Element(memory)
    for l in network.weights.indices {
      average.weights[l].scale(by: 1 - share)
      average.weights[l].add(share, network.weights[l])
    }
  }

  /// Forgets the momentum and takes steps of half the length from here on.
  mutating func slowDown() {
    caution *= 2
    for l in layers.indices { layers[l].velocity.scale(by: 0) }
  }

  mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("weights", &network.weights)
    try state.carry("average", &average.weights)
    var velocities = layers.map(\.velocity)
    try state.carry("velocities", &velocities)
    for l in layers.indices { layers[l].velocity = velocities[l] }
    try state.carry("batches", &batches)
    var shorter = Double(caution)
    try state.carry("caution", &shorter)
    caution = Element(shorter)
    for l in layers.indices {
      let order = network.weights[l].rows
      try state.within("layer.\(l)") { state in
        try layers[l].metric.transfer(&state, order: order)
        try state.carry("moment", optional: &layers[l].moment, blank: Matrix(order, order)) {
          try $0.carry("mean", &$1)
        }
      }
    }
  }

  /// Whether all weights are numbers.
  var isFinite: Bool { (network.weights + average.weights).allSatisfy(\.frobeniusNorm.isFinite) }

  /// Whether steps are so short that training stands still.
  var hasStopped: Bool { caution > 1000 }

  /// ω.
  private var relaxation: Element { Element(settings.relaxation) / caution }

  /// The outputs X_1 … X_L that the layers above want.
  private func targets(_ forward: ForwardPass<Element>, _ loss: any Loss<Element>) -> [Matrix<Element>] {
    var targets: [Matrix<Element>] = []
    for l in (0..<last).reversed() {
      let u = forward.inputs[l]
      let isLast = l == last - 1
      let fit: LayerFit<Element> =
        isLast ? .loss(loss) : .outputs(targets[0], penalties[l + 1], weight: λ[l + 1])
      let block = OutputBlock(
        fit: fit, weights: network.weights[l + 1], map: network.maps[l + 1], hasBias: network.hasBias,
        penalty: penalties[l],
        weight: λ[l], toward: u)
      targets.insert(block.singleStep(from: forward.inputs[l + 1], outputs: forward.outputs[l]), at: 0)
    }
    return targets
  }

  /// V of the last layer's weights: one whole step, without momentum; γ alone makes it shorter.
  private func moveLast(
    _ layer: inout LayerState<Element>, _ x: LayerInputs<Element>, _ loss: any Loss<Element>
  ) {
    let γ = caution * γ(last, samples: x.samples)
    refresh(&layer, last, x, curvature: loss.smoothness, γ)
    let t = x.product(network.weights[last])
    var gradient = t
    loss.gradient(at: t, into: &gradient)
    var step = x.pullBack(gradient)
    layer.metric.divide(&step, activity: [], proximity: 2 * γ, samples: Element(x.samples))
    step.scale(by: -1)
    layer.velocity = step
  }

  /// V of the weights of a layer l before the last, for inputs whose outputs φ(X̃W) may be known.
  private func move(
    _ layer: inout LayerState<Element>, _ l: Int, _ x: LayerInputs<Element>, known: Matrix<Element>?,
    toward outputs: Matrix<Element>
  ) {
    let γ = γ(l, samples: x.samples)
    var v = known ?? x.product(network.weights[l])
    if known == nil { penalties[l].divergence.map(&v) }
    let activity = penalties[l].divergence.columnSlopes(at: v)
    let mean = activity.reduce(0, +) / Element(max(activity.count, 1))
    if l > 0 || network.maps[0] != .dense { refresh(&layer, l, x, curvature: λ[l] * mean, γ) }
    v.add(-1, outputs)
    var step = x.pullBack(v)
    layer.metric.divide(
      &step, activity: activity.map { λ[l] * max($0, 0.05) }, proximity: 2 * γ, samples: Element(x.samples))
    layer.velocity.scale(by: Element(settings.momentum))
    layer.velocity.add(-(share(of: step, l) ?? relaxation * λ[l]), step)
  }

  /// The proximal step of a ridge on the weights of layer l, measured like the steps: W ← W/(1 + κη).
  private mutating func shrink(_ l: Int) {
    guard let η = stepShare, settings.ridge > 0 else { return }
    network.weights[l].scale(by: 1 / (1 + Element(settings.ridge * η)))
  }

  /// η now.
  private var stepShare: Double? {
    settings.stepShare.map { $0 * (1 - progress * (1 - BatchDescentSettings.lastShare)) / Double(caution) }
  }

  /// What makes a step η of the length of the weights, where steps are measured so.
  private func share(of step: Matrix<Element>, _ l: Int) -> Element? {
    guard let η = stepShare else { return nil }
    let length = step.frobeniusNorm
    guard length > 0, length.isFinite else { return 0 }
    return Element(η) * network.weights[l].frobeniusNorm / length
  }

  /// Factorises a layer's metric anew where that is due. The last layer's is that of the batch, always: its whole steps
  /// would leave the region where another one holds. Those between follow the mean over the batches.
  private func refresh(
    _ layer: inout LayerState<Element>, _ l: Int, _ x: LayerInputs<Element>, curvature: Element, _ γ: Element
  ) {
    let isDue = batches < 10 || batches.isMultiple(of: settings.refreshInterval)
    guard l == last || isDue else { return }
    var m = l < last ? x.gramEstimate : x.gram
    if l < last {
      let share = Element(max(settings.refreshShare, 1 / Double(batches + 1)))
      m.scale(by: share)
      if let moment = layer.moment { m.add((1 - share) * Element(x.samples), moment) }
      var moment = m
      moment.scale(by: 1 / Element(x.samples))
      layer.moment = moment
    }
    if l < last, settings.stepShare != nil {
      let trace = (0..<m.rows).reduce(Element(0)) { $0 + m[$1, $1] }
      for i in 0..<m.rows { m[i, i] += Element(settings.damping) * trace / Element(m.rows) }
    } else {
      m.scale(by: curvature)
      for i in 0..<m.rows { m[i, i] += 2 * γ }
    }
    if let factor = try? Cholesky(m) { layer.metric = .factor(factor) }
  }
}

/// What the descent remembers of a layer.
private struct LayerState<Element: Scalar> {
  /// V, the last step of the weights with the momentum of those before it.
  var velocity: Matrix<Element>
  var metric: LayerMetric<Element>
  /// Mean of X̃ᵀX̃/m over the batches, of a layer between the first and the last.
  var moment: Matrix<Element>?
}

/// The numbers of `BatchDescent`. Proximities are for each sample of a batch, so that they hold for any batch size.
public struct BatchDescentSettings: Codable, Sendable, Equatable {
  /// λ of every layer; in networks with convolutions that of the last hidden one.
  public var λ = 1.0
  /// γ of the hidden layers' weights, for each sample of a batch.
  public var proximity = 0.07
  /// γ of the last layer's weights, for each sample of a batch.
  public var lastProximity = 0.2
  /// Both grow with the number e of the epoch as e^growth.
  public var proximityGrowth = 0.5
  /// μ.
  public var momentum = 0.8
  /// ω.
  public var relaxation = 3.0
  /// T: about how many of the last steps the running mean of the weights remembers; 1 for the last alone.
  public var averagedSteps = 12
  /// Batches between factorisations of the curvature of inner layers.
  public var refreshInterval = 10
  /// The share of a new batch in the mean curvature of inner layers.
  public var refreshShare = 0.1
  /// Whether every block is solved instead, without momentum and relaxation: the paper's Algorithm 2 as it is written.
  public var solvesBlocks = false
  /// K, where blocks are solved.
  public var alternations = 1
  /// η, where the steps of hidden layers' weights are measured by their length; nil where γ holds them.
  public var stepShare: Double?
  /// δ, where η is given.
  public var damping = 0.1
  /// κ, where η is given: weights are divided by 1 + κη with every step.
  public var ridge = 0.0
  /// λ_{l+1}/λ_l where layer l + 1 is a convolution or sees averages.
  public var imagePull = 5.0
  /// The share of η that is left at the end of a run.
  static let lastShare = 0.03

  public init() {}
}

/// The curvature of a layer's weights, as far as it is known.
private enum LayerMetric<Element: Scalar> {
  case unknown
  /// Second moments of the inputs in their axes, for which X̃ᵀX̃ is diagonal.
  case diagonal([Element])
  /// Of L X̃ᵀX̃ + 2γI.
  case factor(Cholesky<Element>)

  /// Takes up a factor of an order; diagonals are those of the inputs, which are known.
  mutating func transfer(_ state: inout StateTransfer, order: Int) throws {
    var packed: Matrix<Element>?
    if case .factor(let factor) = self { packed = factor.packedFactor }
    try state.carry("factor", optional: &packed, blank: Matrix(order, order)) { try $0.carry("packed", &$1) }
    guard state.isRestoring, let packed else { return }
    do {
      self = .factor(try Cholesky(packedFactor: packed))
    } catch { throw StateError("a curvature: \(error)") }
  }

  /// G ← M⁻¹G.
  func divide(
    _ g: inout Matrix<Element>, activity: [Element], proximity γ: Element, samples: Element
  ) {
    switch self {
    case .unknown: g.scale(by: 1 / γ)
    case .factor(let cholesky): cholesky.solve(inPlace: &g)
    case .diagonal(let moments):
      let (d, p) = (g.rows, g.columns)
      g.withMutablePointer { divideByOuterSum($0, d, p, moments, activity, samples, γ) }
    }
  }
}

/// g_ij ← g_ij / (m a_j λ_i + γ).
@specialized(where Element == Double)
@specialized(where Element == Float)
private func divideByOuterSum<Element: Scalar>(
  _ g: UnsafeMutablePointer<Element>, _ d: Int, _ p: Int, _ moments: [Element], _ activity: [Element],
  _ m: Element, _ γ: Element
) {
  for i in 0..<d {
    let (row, moment) = (g + i * p, m * moments[i])
    for j in 0..<p { row[j] /= moment * activity[j] + γ }
  }
}
