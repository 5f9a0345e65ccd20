/// A linear map A: ℝ^columns → ℝ^rows that can be applied, column by column, to blocks of vectors.
public protocol LinearOperator<Element>: Sendable {
  associatedtype Element: Scalar
  /// Length of A x.
  var rows: Int { get }
  /// Length of x.
  var columns: Int { get }
  /// Y ← A X, for X: columns × c and Y: rows × c (already of that shape).
  func apply(_ x: Matrix<Element>, into y: inout Matrix<Element>)
  /// X ← Aᵀ Y, for Y: rows × c and X: columns × c (already of that shape).
  func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>)
}

extension LinearOperator {
  /// A X.
  public func callAsFunction(_ x: Matrix<Element>) -> Matrix<Element> {
    var y = Matrix<Element>(rows, x.columns)
    apply(x, into: &y)
    return y
  }

  /// Aᵀ Y.
  public func adjoint(_ y: Matrix<Element>) -> Matrix<Element> {
    var x = Matrix<Element>(columns, y.columns)
    applyAdjoint(y, into: &x)
    return x
  }
}

/// A matrix as an operator.
public struct DenseOperator<Element: Scalar>: LinearOperator {
  public let matrix: Matrix<Element>
  public init(_ matrix: Matrix<Element>) { self.matrix = matrix }
  public var rows: Int { matrix.rows }
  public var columns: Int { matrix.columns }
  public func apply(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    addProduct(matrix, .no, x, .no, to: &y, beta: 0)
  }
  public func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) {
    addProduct(matrix, .yes, y, .no, to: &x, beta: 0)
  }
}

/// diag(w) as an operator; with 1/diag(A) it is Jacobi's preconditioner.
public struct DiagonalOperator<Element: Scalar>: LinearOperator {
  public let diagonal: [Element]
  public init(_ diagonal: [Element]) { self.diagonal = diagonal }
  public var rows: Int { diagonal.count }
  public var columns: Int { diagonal.count }
  public func apply(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    precondition(x.rows == rows && y.rows == rows && y.columns == x.columns, "shapes of a diagonal product")
    y = x
    let c = x.columns
    y.withMutablePointer { y in for i in 0..<rows { Element.scale(c, diagonal[i], y + i * c) } }
  }
  public func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) { apply(y, into: &x) }
}

/// The identity of ℝⁿ.
public struct IdentityOperator<Element: Scalar>: LinearOperator {
  public let rows: Int
  public var columns: Int { rows }
  public init(_ rows: Int) { self.rows = rows }
  public func apply(_ x: Matrix<Element>, into y: inout Matrix<Element>) { y = x }
  public func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) { x = y }
}
