import LinearAlgebra

/// The matrices with entries ≥ 0. Projection: max(x, 0), entry by entry.
public struct NonnegativeOrthant<Element: Scalar>: Cone {
  public init() {}

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func project(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    x.withPointer { x0 in
      y.withMutablePointer { y in
        for i in 0..<x.count { y[i] = x0[i] > 0 ? x0[i] : 0 }
      }
    }
  }
}
