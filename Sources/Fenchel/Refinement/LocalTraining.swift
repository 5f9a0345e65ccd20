import ConvexOptimization
import LinearAlgebra

/// Ordinary local training of a two-layer ReLU network by L-BFGS on its weights, each neuron feeding one output:
///
///     min ℓ(F) + (λ/2) Σ_m (‖w_m‖² + a_m²),   F_j = Σ_{m: output j} a_m (X w_m)_+.
///
/// The start of pattern refinement, and the rival that refinement must never fall behind. Deterministic: the
/// weights begin at seeded random numbers. Cost of one evaluation: 4 n d m.
public struct LocalTraining {
  private let x: Matrix<Double>
  private let loss: any Loss<Double>
  private let λ: Double
  public var cancellation: Cancellation?

  public init(x: Matrix<Double>, loss: any Loss<Double>, λ: Double) {
    self.x = x
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
    let size = rowSize > 0 ? targetSize / (rowSize * Double(perOutput).squareRoot()) : 1
    for i in 0..<vectors.count { vectors.storage[i] *= size / Double(d).squareRoot() }
    return NeuronSet(
      vectors: vectors, signs: (0..<m).map { $0 / loss.outputs % 2 == 0 ? 1 : -1 },
      outputs: (0..<m).map { $0 % loss.outputs })
  }

  private static let stream: UInt64 = 0x6c6f_6361_6c

  /// Trains from the given neurons, for at most so many evaluations and seconds.
  public func run(from start: NeuronSet, evaluations: Int, seconds: Double? = nil) -> Outcome {
    let clock = ContinuousClock()
    let began = clock.now
    let (m, d) = (start.count, x.columns)
    var weights = [Double](repeating: 0, count: m * (d + 1))
    for (i, norm) in start.norms.enumerated() {
      let root = norm.squareRoot()
      for j in 0..<d where root > 0 { weights[i * d + j] = start.vectors[i, j] / root }
      weights[m * d + i] = start.signs[i] * root
    }
    var network = WeightGradient(x: x, loss: loss, λ: λ, outputs: start.outputs)
    let method = LBFGS(
      memory: 20, maximumIterations: evaluations, maximumEvaluations: evaluations, gradientTolerance: 1e-9,
      decreaseTolerance: 1e-12, cancellation: cancellation)
    let result = method.minimise(
      from: weights,
      shouldContinue: { _ in seconds.map { began.duration(to: clock.now).seconds < $0 } ?? true },
      { weights, gradient in network.value(at: weights, into: &gradient) })
    return Outcome(
      neurons: neurons(result.point, outputs: start.outputs), objective: result.value,
      evaluations: result.evaluations, seconds: began.duration(to: clock.now).seconds)
  }

  /// u = w|a|, σ = sign a.
  private func neurons(_ weights: [Double], outputs: [Int]) -> NeuronSet {
    let (m, d) = (outputs.count, x.columns)
    var vectors = Matrix<Double>(m, d)
    var signs = [Double](repeating: 1, count: m)
    for i in 0..<m {
      let a = weights[m * d + i]
      signs[i] = a < 0 ? -1 : 1
      for j in 0..<d { vectors[i, j] = weights[i * d + j] * abs(a) }
    }
    return NeuronSet(vectors: vectors, signs: signs, outputs: outputs)
  }
}
