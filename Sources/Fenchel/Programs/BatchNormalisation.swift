import LinearAlgebra

/// Batch normalisation before the ReLU as a map of the data (Ergen, Sahiner, Ozturkler, Pauly, Mardani & Pilanci 2021,
/// *Demystifying batch normalization in ReLU networks*). A neuron
///
///     (γ C X w/‖C X w‖ + α 1/√n)₊ w₂,   C = I − 11ᵀ/n,   penalty (λ/2)(γ² + α² + w₂²),
///
/// is one of a plain network, (U's)₊ w₂ with the penalty (λ/2)(‖s‖² + w₂²), on U' = [U, 1/√n], C X = U Σ Vᵀ: the direction w
/// is free, so that U s' with ‖s'‖ = γ is any normalised column, and s = (s', α). Hence all of the two-layer program holds on
/// U', and its neurons become ordinary ones with the statistics of the data inside: w = VΣ⁻¹s', b = α/√n − μᵀw.
///
/// With sample weights mean and norm are weighted, and n is Σ s, as if rows were repeated. Directions whose singular value
/// is below 1e-6 of the largest are left out.
public struct BatchNormalisation: FeatureMap {
  /// U': n × r, and one column more with a shift.
  public let data: Matrix<Double>
  public var pooling: RowSums { .identity }
  /// μ.
  private let mean: [Double]
  /// VΣ⁻¹: d × r.
  private let whitening: Matrix<Double>
  /// ΣVᵀ: r × d.
  private let colouring: Matrix<Double>
  /// 1/√n where neurons have a shift α.
  private let shift: Double?

  private static let leastRelativeVariation = 1e-6

  /// The map for inputs X: n × d with weights s. Cost about 6nd².
  ///
  /// - Parameter names: what columns are called in errors.
  /// - Throws: `BatchNormalisationError` for columns that do not vary.
  public init(
    _ x: Matrix<Double>, weights: [Double], hasShift: Bool, names: [String]
  ) throws(BatchNormalisationError) {
    let rows = weights.indices.filter { weights[$0] > 0 }
    let constant = (0..<x.columns).filter { j in rows.allSatisfy { x[$0, j] == x[rows[0], j] } }
    guard constant.isEmpty else { throw .constantColumns(constant.map { names[$0] }) }
    let total = StrictArithmetic.sum(weights)
    let mean = (0..<x.columns).map { StrictArithmetic.dot(weights, x.column($0)) / total }
    var centred = x
    for k in 0..<x.rows { for j in 0..<x.columns { centred[k, j] -= mean[j] } }
    var weighted = centred
    weighted.scaleRows(by: weights.map { $0.squareRoot() })
    guard let svd = try? SVD(weighted) else { throw .noDecomposition }
    let rank = svd.rank(tolerance: Self.leastRelativeVariation)
    var (whitening, colouring) = (
      svd.vTransposed.selectingRows(0..<rank), svd.vTransposed.selectingRows(0..<rank)
    )
    whitening.scaleRows(by: svd.values.prefix(rank).map { 1 / $0 })
    colouring.scaleRows(by: Array(svd.values.prefix(rank)))
    self.mean = mean
    self.whitening = whitening.transposed
    self.colouring = colouring
    shift = hasShift ? 1 / total.squareRoot() : nil
    let u = matrixProduct(centred, self.whitening)
    var data = Matrix<Double>(x.rows, rank + (hasShift ? 1 : 0))
    for k in 0..<x.rows {
      for j in 0..<rank { data[k, j] = u[k, j] }
      if let shift { data[k, rank] = shift }
    }
    self.data = data
  }

  init(_ problem: TrainingProblem) throws(BatchNormalisationError) {
    try self.init(
      problem.inputs, weights: problem.loss.weights, hasShift: problem.hasBias,
      names: problem.schema.featureNames)
  }

  /// The plain network on X of a two-layer ReLU network on U' without biases in its hidden layer.
  public func decode(_ network: Network) throws -> Network {
    guard case .relu(let hidden, let output) = network.twoLayerForm else { return network }
    var weights = Matrix<Double>(mean.count, hidden.weights.columns)
    var bias = [Double](repeating: 0, count: hidden.weights.columns)
    for m in 0..<hidden.weights.columns {
      let s = hidden.weights.column(m)
      let w = (0..<mean.count).map {
        StrictArithmetic.dot(whitening.row($0), Array(s.prefix(whitening.columns)))
      }
      weights.setColumn(m, w)
      bias[m] = (shift.map { $0 * s[whitening.columns] } ?? 0) - StrictArithmetic.dot(mean, w)
    }
    return try Network(hidden: Dense(weights: weights, bias: bias), output: output)
  }

  /// The network on U' of a two-layer ReLU network on X: its γ and α as weights. Nil for other networks, and for a shift
  /// where there is none.
  public func encode(_ network: Network) -> Network? {
    guard case .relu(let hidden, let output) = network.twoLayerForm, hidden.weights.rows == mean.count else {
      return nil
    }
    var weights = Matrix<Double>(data.columns, hidden.weights.columns)
    for m in 0..<hidden.weights.columns {
      guard let s = encode(hidden.weights.column(m), bias: hidden.bias[m]) else { return nil }
      weights.setColumn(m, s)
    }
    return try? Network(hidden: Dense(weights: weights), output: output)
  }

  /// (ΣVᵀw, √n (b + μᵀw)).
  private func encode(_ w: [Double], bias: Double) -> [Double]? {
    let s = (0..<colouring.rows).map { StrictArithmetic.dot(colouring.row($0), w) }
    let centre = StrictArithmetic.dot(mean, w)
    if let shift { return s + [(bias + centre) / shift] }
    return abs(bias + centre) <= 1e-9 * max(abs(bias), abs(centre), StrictArithmetic.norm(s)) ? s : nil
  }

  /// Gates on X, with or without a last coordinate for the bias, as gates on U'.
  func encode(gates: Matrix<Double>) throws(PatternError) -> Matrix<Double> {
    let d = mean.count
    guard gates.columns == d || gates.columns == d + 1 else {
      throw .width(gates: gates.columns, features: d + (shift == nil ? 0 : 1))
    }
    var result = Matrix<Double>(gates.rows, data.columns)
    for i in 0..<gates.rows {
      let row = gates.row(i)
      let w = Array(row.prefix(d))
      // Without a shift the gate goes through the mean.
      let bias = shift == nil ? -StrictArithmetic.dot(mean, w) : row.count > d ? row[d] : 0
      for (j, entry) in (encode(w, bias: bias) ?? []).enumerated() { result[i, j] = entry }
    }
    return result
  }
}

/// Why data cannot be normalised.
public enum BatchNormalisationError: Error, CustomStringConvertible, Sendable, Equatable {
  case constantColumns([String])
  case noDecomposition

  public var description: String {
    switch self {
    case .constantColumns(let names):
      "batch normalisation divides by the deviation, which is 0 in \(names.count == 1 ? "column" : "columns") "
        + names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
        + "; leave \(names.count == 1 ? "it" : "them") out (--ignore)"
    case .noDecomposition: "the data have no singular value decomposition in Double; scale the columns"
    }
  }
}
