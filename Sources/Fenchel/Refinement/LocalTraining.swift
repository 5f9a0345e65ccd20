import ConvexOptimization
import LinearAlgebra

/// Ordinary local training of a two-layer ReLU network by L-BFGS on its weights, each neuron feeding one output:
///
///     min ℓ(F) + (λ/2) Σ_m (‖w_m‖² + a_m²),   F_j = S Σ_{m: output j} a_m (X w_m)_+,
///
/// with S the sums over the rows of each sample, mostly the identity.
///
/// The start of pattern refinement, and the rival that refinement must never fall behind. Deterministic: the
/// weights begin at seeded random numbers. Cost of one evaluation: 4 n d m.
public struct LocalTraining {
  let x: Matrix<Double>
  let loss: any Loss<Double>
  private let λ: Double
  let pooling: RowSums
  public var cancellation: Cancellation?

  public init(x: Matrix<Double>, loss: any Loss<Double>, λ: Double, pooling: RowSums = .identity) {
    self.x = x
    self.pooling = pooling
    self.loss = loss
    self.λ = λ
  }

  /// What a run found.
  public struct Outcome: Sendable {
    public var neurons: NeuronSet
    /// ℓ(F) + (λ/2) Σ (‖w‖² + a²).
    public var objective: Double
    public var evaluations: Int
    public var seconds: Double
  }

  /// Random neurons, `perOutput` for every output, with outputs' signs in turn: directions of N(0, I) and sizes
  /// such that a prediction has about the size of the targets.
  public func randomNeurons(perOutput: Int, seed: UInt64) -> NeuronSet {
    let (d, m) = (x.columns, perOutput * loss.outputs)
    var vectors: Matrix<Double> = Philox(seed: seed, stream: Self.stream).normalMatrix(m, d)
    let rowSize = (x.storage.reduce(0) { $0 + $1 * $1 } / Double(max(x.rows, 1))).squareRoot()
    let targetSize =
      (loss.targets.storage.reduce(0) { $0 + $1 * $1 } / Double(max(loss.targets.count, 1))).squareRoot()
    let count = Double(pooling.size) * Double(perOutput).squareRoot()
    let size = rowSize > 0 ? targetSize / (rowSize * count) : 1
    for i in 0..<vectors.count { vectors.storage[i] *= size / Double(d).squareRoot() }
    return NeuronSet(
      vectors: vectors, signs: (0..<m).map { $0 / loss.outputs % 2 == 0 ? 1 : -1 },
      outputs: (0..<m).map { $0 % loss.outputs })
  }

  private static let stream: UInt64 = 0x6c6f_6361_6c

  private static let method = LBFGS(memory: 20, gradientTolerance: 1e-9, decreaseTolerance: 1e-12)

  /// Bytes that training neurons takes which feed the given outputs, about, beside X: those of L-BFGS and of the
  /// gradient, and the neurons before and after.
  public func bytes(outputs: [Int]) -> Int {
    bytes(width: NeuronPanels(features: x.columns, outputs: outputs).width)
  }

  /// The same for `perOutput` neurons for every output.
  public func bytes(perOutput: Int) -> Int {
    bytes(width: loss.outputs * RectifiedProducts.panels(for: perOutput) * RectifiedProducts.lanes)
  }

  private func bytes(width: Int) -> Int {
    let length = width * (x.columns + 1)
    return Self.method.bytes(dimension: length) + WeightGradient.bytes(x, outputs: loss.outputs, width: width)
      + 3 * length * MemoryLayout<Double>.size
  }

  /// Trains from the given neurons, for at most so many evaluations and seconds.
  public func run(from start: NeuronSet, evaluations: Int, seconds: Double? = nil) -> Outcome {
    let clock = ContinuousClock()
    let began = clock.now
    let panels = NeuronPanels(features: x.columns, outputs: start.outputs)
    var network = WeightGradient(x: x, loss: loss, λ: λ, panels: panels, pooling: pooling)
    var method = Self.method
    (method.maximumIterations, method.maximumEvaluations) = (evaluations, evaluations)
    method.cancellation = cancellation
    let result = method.minimise(
      from: panels.weights(of: start),
      shouldContinue: { _ in seconds.map { began.duration(to: clock.now).seconds < $0 } ?? true },
      { weights, gradient in network.value(at: weights, into: &gradient) })
    return Outcome(
      neurons: panels.neurons(of: result.point), objective: result.value,
      evaluations: result.evaluations, seconds: began.duration(to: clock.now).seconds)
  }
}
