import LinearAlgebra

extension PolynomialProgram {
  /// The network that a point stands for, of the same predictions and objective: w_m of norm one, then σ, then α_m into
  /// the neuron's output. With `hasBias` the last column of X is the constant 1 and becomes the bias.
  public func decode(_ point: PolynomialPoint, hasBias: Bool) throws -> Network {
    let (inputs, norms) = (features - (hasBias ? 1 : 0), point.neurons.norms)
    let live = norms.indices.filter { norms[$0] > 0 }
    let width = max(live.count, 1)  // the zero network keeps one neuron, which feeds nothing
    var hidden = Matrix<Double>(inputs, width)
    var bias = [Double](repeating: 0, count: width)
    var output = Matrix<Double>(width, outputs)
    if live.isEmpty { if inputs > 0 { hidden[0, 0] = 1 } else { bias[0] = 1 } }
    for (m, neuron) in live.enumerated() {
      for j in 0..<inputs { hidden[j, m] = point.neurons.vectors[neuron, j] / norms[neuron] }
      if hasBias { bias[m] = point.neurons.vectors[neuron, inputs] / norms[neuron] }
      output[m, point.neurons.outputs[neuron]] = point.neurons.signs[neuron] * norms[neuron]
    }
    return try Network(layers: [
      .dense(Dense(weights: hidden, bias: bias)), .polynomial(activation), .dense(Dense(weights: output)),
    ])
  }

  /// The neurons of semidefinite matrices: the rows of `vectors` are |α| w with ‖w‖ = 1. At most as many as the rank.
  ///
  /// Without b and c these are the eigenvectors by their eigenvalues, otherwise the terms of a `NeuralDecomposition`.
  func neurons(of z: Matrix<Double>, relativeRank tolerance: Double) -> [[Double]] {
    guard let eigen = try? SymmetricEigen(z.symmetricPart), let largest = eigen.values.last, largest > 0
    else {
      return []
    }
    let kept = eigen.values.indices.reversed().filter { eigen.values[$0] > tolerance * largest }
    let rows = eigen.vectorsTransposed.selectingRows(kept)
    guard !isHomogeneous else {
      return kept.enumerated().map { i, k in rows.row(i).map { $0 * eigen.values[k] } }
    }
    let factors = kept.enumerated().map { i, k in rows.row(i).map { $0 * eigen.values[k].squareRoot() } }
    return NeuralDecomposition(factors).terms.compactMap { term in
      let (v, t) = (Array(term.dropLast()), term.last ?? 0)
      let size = StrictArithmetic.norm(v)
      guard size > 0 else { return nil }
      let amplitude = (size * size + t * t) / 2  // both are equal but for rounding
      return v.map { $0 / size * (t < 0 ? -amplitude : amplitude) }
    }
  }

  /// The matrix Σ_m |α_m| (w_m, 1)(w_m, 1)ᵀ, or Σ_m |α_m| w_m w_mᵀ without b and c, of neurons as above.
  func matrix(of neurons: [[Double]]) -> Matrix<Double> {
    var z = Matrix<Double>(order, order)
    for vector in neurons {
      let amplitude = StrictArithmetic.norm(vector)
      guard amplitude > 0 else { continue }
      let w = vector.map { $0 / amplitude } + (isHomogeneous ? [] : [1])
      for i in 0..<order { for j in 0..<order { z[i, j] += amplitude * w[i] * w[j] } }
    }
    return z
  }
}

/// Z = Σ z_i z_iᵀ with ⟨J, Z⟩ = 0, J = diag(1, …, 1, −1), written as as many terms each of which has zᵀJz = 0 (Sturm &
/// Zhang 2003; the neural decomposition of Bartan & Pilanci 2021).
///
/// Two terms of opposite sign of zᵀJz are turned in their plane until one of them has zᵀJz = 0: cost p a turn, and as many
/// turns as terms. What rounding leaves of ⟨J, Z⟩ stays in the last term.
struct NeuralDecomposition {
  private(set) var terms: [[Double]] = []

  init(_ factors: [[Double]]) {
    var open = factors.map { (vector: $0, form: Self.form($0, $0)) }
    while open.count > 1,
      let plus = open.indices.max(by: { open[$0].form < open[$1].form }),
      let minus = open.indices.min(by: { open[$0].form < open[$1].form }),
      open[plus].form > 0, open[minus].form < 0
    {
      let (balanced, rest) = Self.turned(open[plus], open[minus])
      terms.append(balanced)
      open[plus] = (rest, Self.form(rest, rest))
      open.remove(at: minus)
    }
    terms += open.map(\.vector)
  }

  /// yᵀJz.
  private static func form(_ y: [Double], _ z: [Double]) -> Double {
    let (all, last) = (StrictArithmetic.dot(y, z), y.count - 1)
    return all - 2 * y[last] * z[last]
  }

  /// (y + t z)/√(1 + t²), whose form vanishes, and (z − t y)/√(1 + t²), for the smaller root t.
  private static func turned(
    _ y: (vector: [Double], form: Double), _ z: (vector: [Double], form: Double)
  ) -> ([Double], [Double]) {
    let mixed = form(y.vector, z.vector)
    let root = (mixed * mixed - y.form * z.form).squareRoot()
    let q = -(mixed + (mixed < 0 ? -root : root))
    let t = [q / z.form, y.form / q].filter(\.isFinite).min { abs($0) < abs($1) } ?? 0
    let norm = (1 + t * t).squareRoot()
    return (
      zip(y.vector, z.vector).map { ($0 + t * $1) / norm },
      zip(y.vector, z.vector).map { ($1 - t * $0) / norm }
    )
  }
}
