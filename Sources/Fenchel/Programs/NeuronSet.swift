import LinearAlgebra

/// Neurons of a two-layer ReLU network in the coordinates of its convex program, each feeding one output:
///
///     f_j(x) = Σ_{m: output j} σ_m (xᵀu_m)_+,   penalty λ Σ_m ‖u_m‖.
///
/// u = w₁|w₂| and σ = sign w₂ for a neuron (xᵀw₁)_+ w₂ with ‖w₁‖ = |w₂|, where weight decay
/// (λ/2)(‖w₁‖² + w₂²) equals λ‖u‖ (Pilanci & Ergen 2020, §3).
public struct NeuronSet: Sendable, Equatable {
  /// u_m: one row a neuron.
  public var vectors: Matrix<Double>
  public var signs: [Double]
  public var outputs: [Int]

  public init(vectors: Matrix<Double>, signs: [Double], outputs: [Int]) {
    precondition(vectors.rows == signs.count && signs.count == outputs.count, "one sign and output a neuron")
    self.vectors = vectors
    self.signs = signs
    self.outputs = outputs
  }

  /// The neurons of a point of a program with cones.
  public init(_ point: TwoLayerPoint) {
    self.init(
      vectors: point.coefficients, signs: point.groups.map(\.sign), outputs: point.groups.map(\.output))
  }

  public var count: Int { signs.count }

  /// No neurons on d features.
  public static func none(features d: Int) -> NeuronSet {
    NeuronSet(vectors: Matrix(0, d), signs: [], outputs: [])
  }

  /// The neurons of both sets.
  public func appending(_ other: NeuronSet) -> NeuronSet {
    NeuronSet(
      vectors: Matrix(
        count + other.count, vectors.columns, storage: vectors.storage + other.vectors.storage),
      signs: signs + other.signs, outputs: outputs + other.outputs)
  }

  /// The neurons with the given indices.
  public func selecting(_ indices: [Int]) -> NeuronSet {
    NeuronSet(
      vectors: vectors.selectingRows(indices), signs: indices.map { signs[$0] },
      outputs: indices.map { outputs[$0] })
  }

  /// ‖u_m‖ for each neuron.
  public var norms: [Double] {
    vectors.rowNorms
  }

  /// The neurons merged where they share pattern, sign and output: their vectors add up, predictions stay and
  /// the penalty does not grow (triangle inequality); neurons with u = 0 go. `bits` holds the patterns of the
  /// neurons, one column each.
  public func merged(bits: BitMatrix) -> NeuronSet {
    struct Key: Hashable {
      var words: [UInt64]
      var sign: Double
      var output: Int
    }
    let rows = bits.transposed
    var places: [Key: Int] = [:]
    var result = NeuronSet.none(features: vectors.columns)
    for (m, norm) in norms.enumerated() where norm > 0 {
      let key = Key(words: Array(rows.row(m)), sign: signs[m], output: outputs[m])
      if let place = places[key] {
        for j in 0..<vectors.columns { result.vectors[place, j] += vectors[m, j] }
      } else {
        places[key] = result.count
        result = result.appending(selecting([m]))
      }
    }
    return result
  }
}
