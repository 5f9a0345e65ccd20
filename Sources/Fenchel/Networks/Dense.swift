import LinearAlgebra

/// The affine map x ↦ xᵀW + b, with W: inputs × outputs and b: outputs.
public struct Dense: LayerContent, Equatable {
  static let kind = "dense"
  public var kind: String { Self.kind }
  /// W: inputs × outputs, row-major.
  public let weights: Matrix<Double>
  /// b: one entry an output.
  public let bias: [Double]

  /// - Throws: `NetworkError.shape` where the bias is not as long as W is wide, or W has no entries.
  public init(weights: Matrix<Double>, bias: [Double]) throws {
    try self.init(weights: weights, bias: bias, index: 0)
  }

  /// An affine map without a constant term, b = 0.
  public init(weights: Matrix<Double>) throws {
    try self.init(weights: weights, bias: [Double](repeating: 0, count: weights.columns))
  }

  private init(weights: Matrix<Double>, bias: [Double], index: Int) throws {
    guard weights.count > 0 else {
      throw NetworkError.shape(index, "weights of \(weights.rows) × \(weights.columns) entries")
    }
    guard bias.count == weights.columns else {
      throw NetworkError.shape(index, "\(bias.count) biases for \(weights.columns) outputs")
    }
    self.weights = weights
    self.bias = bias
  }

  public var inputs: Int? { weights.rows }
  public var outputs: Int? { weights.columns }
  public var parameters: Int { weights.count + bias.count }

  public func apply(to x: Matrix<Double>) -> Matrix<Double> {
    let (n, d, m) = (x.rows, weights.rows, weights.columns)
    var result = Matrix<Double>(n, m)
    result.withMutablePointer { z in
      bias.withPointer { bias in
        for k in 0..<n { (z + k * m).update(from: bias, count: m) }
      }
      withPointers(x, weights) { x, w in
        Double.gemm(
          .no, .no, m: n, n: m, k: d, alpha: 1, a: x, lda: d, b: w, ldb: m, beta: 1, c: z, ldc: m)
      }
    }
    return result
  }

  public var attributes: [String: Int] { [:] }

  public var tensors: [String: Tensor] {
    [
      "weight": Tensor(weights),
      "bias": Tensor(shape: [bias.count], .float64(bias)),
    ]
  }

  init(from parts: LayerParts) throws {
    let weight = try parts.doubles("weight", extents: 2)
    let bias = try parts.doubles("bias", extents: 1)
    try self.init(
      weights: Matrix(weight.shape[0], weight.shape[1], storage: weight.values), bias: bias.values,
      index: parts.index)
  }
}
