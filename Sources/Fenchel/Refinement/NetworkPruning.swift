import ConvexOptimization
import LinearAlgebra

/// Makes a network of neurons smaller without ever raising its objective ℓ(F) + λ Σ ‖u_m‖.
///
/// Three steps: neurons of one pattern, sign and output are added up; neurons whose removal lowers the objective go; and while
/// the contributions c_m = σ_m (X û_m)₊, û = u/‖u‖, of one output's neurons are linearly dependent, weight moves along the
/// dependence until a neuron vanishes. Contributions are summed over the rows of each sample. So at most rank ≤ n neurons stay
/// for each output (Mishkin & Pilanci 2023, *Optimal sets and solution paths of ReLU networks*, §4: an optimum needs no more).
public struct NetworkPruning: Sendable {
  private let x: Matrix<Double>
  private let loss: any Loss<Double>
  private let λ: Double
  private let pooling: RowSums

  public init(x: Matrix<Double>, loss: any Loss<Double>, λ: Double, pooling: RowSums = .identity) {
    (self.x, self.loss, self.λ, self.pooling) = (x, loss, λ, pooling)
  }

  /// A network with an objective not above that of `neurons`, by all three steps. Cost n²m + nm² and one
  /// evaluation of the loss for each neuron.
  public func pruned(_ neurons: NeuronSet) throws(FactorisationError) -> NeuronSet {
    let present = neurons.selecting(neurons.norms.indices.filter { neurons.norms[$0] > 0 })
    return try independent(removingUseless(merged(present)))
  }

  /// ℓ(F) + λ Σ ‖u_m‖.
  public func objective(_ neurons: NeuronSet) -> Double {
    loss.value(at: predictions(neurons)) + λ * neurons.norms.reduce(0, +)
  }

  /// F_j = Σ_{m: output j} σ_m (X u_m)₊.
  public func predictions(_ neurons: NeuronSet) -> Matrix<Double> {
    var f = Matrix<Double>(loss.samples, loss.outputs)
    let z = contributions(neurons.vectors, neurons.signs)
    for k in 0..<f.rows { for m in 0..<neurons.count { f[k, neurons.outputs[m]] += z[k, m] } }
    return f
  }

  /// The neurons of one pattern, sign and output added up: the same predictions, no larger penalty.
  public func merged(_ neurons: NeuronSet) -> NeuronSet {
    guard neurons.count > 1 else { return neurons }
    return neurons.merged(bits: BitMatrix(signsOf: x, timesTransposed: neurons.vectors))
  }

  /// Drops neurons, shortest first, whose removal does not raise the objective.
  public func removingUseless(_ neurons: NeuronSet) -> NeuronSet {
    let weights = pruning.removingUseless(neurons.norms, parts(neurons))
    return neurons.selecting(weights.indices.filter { weights[$0] > 0 })
  }

  /// Moves weight along linear dependences of the contributions until those of each output are independent:
  /// predictions stay to rounding and the penalty does not grow. Where rounding would raise the objective by more
  /// than 10⁻¹² of it, the neurons are returned as they are.
  public func independent(_ neurons: NeuronSet) throws(FactorisationError) -> NeuronSet {
    let old = neurons.norms
    let norms = try pruning.independent(old, parts(neurons))
    guard norms != old else { return neurons }
    var result = neurons
    result.vectors.scaleRows(by: zip(norms, old).map { $1 > 0 ? $0 / $1 : 1 })
    result = result.selecting(norms.indices.filter { norms[$0] > 0 })
    let before = objective(neurons)
    return objective(result) <= before + 1e-12 * abs(before) ? result : neurons
  }

  private var pruning: ContributionPruning { ContributionPruning(loss: loss, λ: λ) }

  /// What neurons of unit length contribute.
  private func parts(_ neurons: NeuronSet) -> ContributionPruning.Parts {
    .init(columns: contributions(neurons.vectors.withUnitRows, neurons.signs), outputs: neurons.outputs)
  }

  /// S σ_m (X u_m)₊: n × m.
  private func contributions(_ vectors: Matrix<Double>, _ signs: [Double]) -> Matrix<Double> {
    var z = matrixProduct(x, .no, vectors, .yes)
    let m = vectors.rows
    z.withMutablePointer { z in
      for k in 0..<x.rows { for i in 0..<m { z[k * m + i] = signs[i] * max(z[k * m + i], 0) } }
    }
    return pooling(z)
  }
}
