/// A convolution without bias as an operator on images in columns.
public struct ConvolutionOperator<Element: Scalar>: LinearOperator {
  public let convolution: Convolution
  /// W.
  public let weights: Matrix<Element>

  public init(_ convolution: Convolution, _ weights: Matrix<Element>) {
    (self.convolution, self.weights) = (convolution, weights)
  }

  public var rows: Int { convolution.output.count }
  public var columns: Int { convolution.input.count }

  public func apply(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    var u = Matrix<Element>(x.columns, rows)
    convolution.apply(x.transposed, weights, hasBias: false, into: &u)
    y = u.transposed
  }

  public func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) {
    var v = Matrix<Element>(y.columns, columns)
    convolution.pullBack(y.transposed, weights, into: &v)
    x = v.transposed
  }
}

/// Averages as an operator on images in columns.
public struct AveragePoolingOperator<Element: Scalar>: LinearOperator {
  public let pooling: AveragePooling
  public init(_ pooling: AveragePooling) { self.pooling = pooling }
  public var rows: Int { pooling.output.count }
  public var columns: Int { pooling.input.count }

  public func apply(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    y = pooling.averages(x.transposed).transposed
  }

  public func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) {
    var v = Matrix<Element>(y.columns, columns)
    pooling.spread(y.transposed, to: &v)
    x = v.transposed
  }
}

extension LinearOperator {
  /// An estimate of ‖A‖₂² by the power method on AᵀA from a fixed random vector; never above it, but for rounding.
  public func squaredNormEstimate(steps: Int = 20, seed: UInt64 = 0) -> Element {
    var x: Matrix<Element> = Philox(seed: seed).normalMatrix(columns, 1)
    var y = Matrix<Element>(rows, 1)
    var value: Element = 0
    for _ in 0..<steps {
      let norm = x.frobeniusNorm
      guard norm > 0, norm.isFinite else { return value }
      x.scale(by: 1 / norm)
      apply(x, into: &y)
      value = y.inner(y)
      applyAdjoint(y, into: &x)
    }
    return value
  }
}
