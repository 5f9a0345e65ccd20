import LinearAlgebra

/// The ℓ1 norm Ω(x) = λ Σ |x_ij|, the lasso, which sets single entries to zero.
///
/// Its dual norm is max |u_ij|/λ. Every operation costs the number of entries.
public struct L1Norm<Element: Scalar>: Penalty {
  public let λ: Element

  /// - Throws: `ParameterError` unless λ is finite and ≥ 0.
  public init(_ λ: Element) throws(ParameterError) {
    try ParameterError.checkNonnegative(λ, "λ", of: "ℓ1 norm")
    self.λ = λ
  }

  public func value(at x: Matrix<Element>) -> Element { λ * absoluteSum(x.storage) }

  /// Soft thresholding: sign(x) (|x| − γλ)₊ entry by entry.
  @discardableResult
  public func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element {
    let size = withPointers(x, x, &y.storage) { x0, _, y in softThreshold(x.count, x0, γ * λ, y) }
    return λ * size
  }

  /// 0 where every |u_ij| ≤ λ, up to rounding, otherwise +∞.
  public func conjugateValue(at u: Matrix<Element>) -> Element {
    absoluteMaximum(u.storage) <= .inside(λ) ? 0 : .infinity
  }

  /// max |u_ij|/λ; for λ = 0: 0 at u = 0, otherwise +∞.
  public func dualNorm(of u: Matrix<Element>) -> Element {
    let largest = absoluteMaximum(u.storage)
    return largest == 0 ? 0 : largest / λ
  }

  /// The norm of g + λ sign(x) where x ≠ 0 and of (|g| − λ)₊ where x = 0.
  public func subdifferentialDistance(at x: Matrix<Element>, gradient g: Matrix<Element>) -> Element {
    withPointers(x, g) { signedDistance(x.count, $0, $1, λ) }.squareRoot()
  }
}

@specialized(where T == Double)
@specialized(where T == Float)
private func absoluteSum<T: Scalar>(_ x: [T]) -> T {
  var sum: T = 0
  for value in x { sum += abs(value) }
  return sum
}

@specialized(where T == Double)
@specialized(where T == Float)
private func absoluteMaximum<T: Scalar>(_ x: [T]) -> T {
  var largest: T = 0
  for value in x { largest = abs(value) <= largest ? largest : abs(value) }
  return largest
}

/// Writes the thresholded entries and returns the sum of their sizes.
@specialized(where T == Double)
@specialized(where T == Float)
private func softThreshold<T: Scalar>(
  _ count: Int, _ x: UnsafePointer<T>, _ threshold: T, _ y: UnsafeMutablePointer<T>
) -> T {
  var sum: T = 0
  for i in 0..<count {
    let size = max(abs(x[i]) - threshold, 0)
    y[i] = x[i] < 0 ? -size : size
    sum += size
  }
  return sum
}

@specialized(where T == Double)
@specialized(where T == Float)
private func signedDistance<T: Scalar>(
  _ count: Int, _ x: UnsafePointer<T>, _ g: UnsafePointer<T>, _ λ: T
) -> T {
  var sum: T = 0
  for i in 0..<count {
    let r = x[i] > 0 ? g[i] + λ : x[i] < 0 ? g[i] - λ : max(abs(g[i]) - λ, 0)
    sum += r * r
  }
  return sum
}
