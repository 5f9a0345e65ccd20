import ConvexOptimization
import LinearAlgebra

/// Makes a network of neurons smaller without ever raising its objective ℓ(F) + λ Σ ‖u_m‖.
///
/// Three steps: neurons of one pattern, sign and output are added up; neurons whose removal lowers the objective go;
/// and while the contributions c_m = σ_m (X û_m)₊, û = u/‖u‖, of one output's neurons are linearly dependent, weight
/// moves along the dependence until a neuron vanishes. Contributions are summed over the rows of each sample. So at most rank ≤ n neurons stay for each output (Mishkin &
/// Pilanci 2023, *Optimal sets and solution paths of ReLU networks*, §4: an optimum needs no more).
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
    let norms = neurons.norms
    let z = contributions(neurons.vectors, neurons.signs)
    var f = predictions(neurons)
    var value = loss.value(at: f)
    var isKept = [Bool](repeating: true, count: neurons.count)
    for m in norms.indices.sorted(by: { (norms[$0], $0) < (norms[$1], $1) }) {
      var without = f
      for k in 0..<f.rows { without[k, neurons.outputs[m]] -= z[k, m] }
      let trial = loss.value(at: without)
      guard trial <= value + λ * norms[m] else { continue }
      (f, value, isKept[m]) = (without, trial, false)
    }
    return neurons.selecting(isKept.indices.filter { isKept[$0] })
  }

  /// Moves weight along linear dependences of the contributions until those of each output are independent:
  /// predictions stay to rounding and the penalty does not grow. Where rounding would raise the objective by more
  /// than 10⁻¹² of it, the neurons are returned as they are.
  public func independent(_ neurons: NeuronSet) throws(FactorisationError) -> NeuronSet {
    var norms = neurons.norms
    for output in Set(neurons.outputs).sorted() {
      let members = neurons.outputs.indices.filter { neurons.outputs[$0] == output && norms[$0] > 0 }
      let directions = neurons.vectors.selectingRows(members).withUnitRows
      let columns = contributions(directions, members.map { neurons.signs[$0] })
      let reduced = try reduce(members.map { norms[$0] }, columns)
      for (m, weight) in zip(members, reduced) { norms[m] = weight }
    }
    var result = neurons
    for (m, old) in neurons.norms.enumerated() where old > 0 && norms[m] != old {
      for j in 0..<x.columns { result.vectors[m, j] *= norms[m] / old }
    }
    result = result.selecting(norms.indices.filter { norms[$0] > 0 })
    let before = objective(neurons)
    return objective(result) <= before + 1e-12 * abs(before) ? result : neurons
  }

  /// Weights t ≥ 0 with C t as before, Σ t not larger, and independent columns where t > 0.
  private func reduce(
    _ weights: [Double], _ columns: Matrix<Double>
  ) throws(FactorisationError) -> [Double] {
    var dependences = try nullSpace(columns)
    var t = weights
    while var β = dependences.popLast() {
      if β.reduce(0, +) < 0 { β = β.map { -$0 } }
      let scale = β.reduce(0) { max($0, abs($1)) }
      let falling = β.indices.filter { β[$0] > 1e-10 * scale && t[$0] > 0 }
      guard let leaving = falling.min(by: { (t[$0] / β[$0], $0) < (t[$1] / β[$1], $1) }) else { continue }
      let step = t[leaving] / β[leaving]
      for i in t.indices { t[i] = max(0, t[i] - step * β[i]) }
      t[leaving] = 0
      for d in dependences.indices where dependences[d][leaving] != 0 {
        let share = dependences[d][leaving] / β[leaving]
        for i in t.indices { dependences[d][i] -= share * β[i] }
        dependences[d][leaving] = 0
      }
    }
    return t
  }

  /// Vectors β with C β = 0 that span the null space: one for each column beyond the rank.
  private func nullSpace(_ columns: Matrix<Double>) throws(FactorisationError) -> [[Double]] {
    let qr = try QR(columns)
    let (rank, m) = (qr.rank(tolerance: 1e-11), columns.columns)
    return (rank..<max(m, rank)).map { column in
      var β = [Double](repeating: 0, count: m)
      β[qr.pivots[column]] = 1
      for i in (0..<rank).reversed() {
        var value = -qr.r[i, column]
        for j in i + 1..<max(rank, i + 1) { value -= qr.r[i, j] * β[qr.pivots[j]] }
        β[qr.pivots[i]] = value / qr.r[i, i]
      }
      return β
    }
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
