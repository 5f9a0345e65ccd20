import LinearAlgebra

extension Scalar {
  /// ‖x‖₂ over n entries: a plain dot product where its square is a safe number, the scaled algorithm where it
  /// is not. Cost n.
  static func euclideanNorm(_ n: Int, _ x: UnsafePointer<Self>) -> Self {
    let square = dot(n, x, x)
    let smallest = leastNormalMagnitude / (ulpOfOne * ulpOfOne)
    return square > smallest && square < greatestFiniteMagnitude ? square.squareRoot() : norm2(n, x)
  }

  /// The number at which a norm equal to `bound` up to rounding still counts as inside.
  static func inside(_ bound: Self) -> Self { bound + bound * slack }
}
