import LinearAlgebra

/// The gated ReLU layer f_j(x) = Σ_i 1[x̃ᵀg_i > 0] x̃ᵀw_{i,j}, with P gates and c outputs.
///
/// x̃ = x, or x̃ = (x, 1) when the layer has a bias: then the last coordinate of every gate and of every weight
/// vector belongs to the constant. Gates are fixed directions; only the w are learnt.
/// (Mishkin, Sahiner & Pilanci 2022, *Fast convex optimization for two-layer ReLU networks*.)
public struct Gated: LayerContent, Equatable {
  static let kind = "gated"
  public var kind: String { Self.kind }
  /// g_i as rows: P × d̃, where d̃ = inputs, plus 1 with a bias.
  public let gates: Matrix<Double>
  /// w_{i,j} as row i·c + j: (P·c) × d̃.
  public let weights: Matrix<Double>
  /// Whether the last coordinate multiplies the constant 1.
  public let hasBias: Bool

  /// - Throws: `NetworkError.shape` where the widths differ, or the rows of the weights are not a multiple of P.
  public init(gates: Matrix<Double>, weights: Matrix<Double>, hasBias: Bool) throws {
    try self.init(gates: gates, weights: weights, hasBias: hasBias, index: 0)
  }

  private init(gates: Matrix<Double>, weights: Matrix<Double>, hasBias: Bool, index: Int) throws {
    guard gates.rows > 0, gates.columns > (hasBias ? 1 : 0), weights.rows > 0 else {
      throw NetworkError.shape(index, "gates of \(gates.rows) × \(gates.columns) entries")
    }
    guard weights.columns == gates.columns else {
      throw NetworkError.shape(
        index, "weights have \(weights.columns) columns, the gates have \(gates.columns)")
    }
    guard weights.rows.isMultiple(of: gates.rows) else {
      throw NetworkError.shape(index, "\(weights.rows) weight vectors for \(gates.rows) gates")
    }
    self.gates = gates
    self.weights = weights
    self.hasBias = hasBias
  }

  public var inputs: Int? { gates.columns - (hasBias ? 1 : 0) }
  public var outputs: Int? { weights.rows / gates.rows }
  public var parameters: Int { gates.count + weights.count }

  /// Number of weight vectors w_{i,j} that are not zero: each is one gated neuron.
  public var activeVectors: Int {
    (0..<weights.rows).count { i in
      weights.storage[i * weights.columns..<(i + 1) * weights.columns].contains { $0 != 0 }
    }
  }

  public func apply(to x: Matrix<Double>) -> Matrix<Double> {
    let (n, p, c) = (x.rows, gates.rows, weights.rows / gates.rows)
    var result = Matrix<Double>(n, c)
    let (signs, values) = (product(x, gates), product(x, weights))
    result.withMutablePointer { f in
      withPointers(signs, values) { signs, values in
        for k in 0..<n {
          for i in 0..<p where signs[k * p + i] > 0 {
            Double.axpy(c, 1, values + (k * p + i) * c, f + k * c)
          }
        }
      }
    }
    return result
  }

  /// X̃ Vᵀ for a matrix V of row vectors of d̃ coordinates.
  private func product(_ x: Matrix<Double>, _ vectors: Matrix<Double>) -> Matrix<Double> {
    let (n, d, m, width) = (x.rows, x.columns, vectors.rows, vectors.columns)
    var result = Matrix<Double>(n, m)
    result.withMutablePointer { z in
      withPointers(x, vectors) { x, v in
        if hasBias {
          for k in 0..<n { for j in 0..<m { z[k * m + j] = v[j * width + width - 1] } }
        }
        Double.gemm(
          .no, .yes, m: n, n: m, k: d, alpha: 1, a: x, lda: d, b: v, ldb: width, beta: 1, c: z, ldc: m)
      }
    }
    return result
  }

  public var attributes: [String: Int] { ["bias": hasBias ? 1 : 0] }

  public var tensors: [String: Tensor] {
    let (p, c) = (gates.rows, weights.rows / gates.rows)
    return [
      "gates": Tensor(gates),
      "weight": Tensor(shape: [p, c, weights.columns], .float64(weights.storage)),
    ]
  }

  init(from parts: LayerParts) throws {
    let gates = try parts.doubles("gates", extents: 2)
    let weight = try parts.doubles("weight", extents: 3)
    guard weight.shape[0] == gates.shape[0] else {
      throw NetworkError.shape(parts.index, "\(weight.shape[0]) weight blocks for \(gates.shape[0]) gates")
    }
    try self.init(
      gates: Matrix(gates.shape[0], gates.shape[1], storage: gates.values),
      weights: Matrix(weight.shape[0] * weight.shape[1], weight.shape[2], storage: weight.values),
      hasBias: parts.attribute("bias") != 0, index: parts.index)
  }
}
