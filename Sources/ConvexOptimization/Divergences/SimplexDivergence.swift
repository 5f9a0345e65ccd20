import LinearAlgebra

/// The divergence of the projection onto the simplex, φ(u) = Π(u) for rows with v ≥ 0, Σ v = 1:
///
///     Φ(v) = ½‖v‖² on the simplex,   Φ*(u) = uᵀΠ(u) − ½‖Π(u)‖².
///
/// A projection costs a sort of p entries.
public struct SimplexDivergence<Element: Scalar>: RowwiseDivergence {
  public var name: String { "simplex" }
  public init() {}

  public var smoothness: Element { 1 }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func potential(_ v: UnsafeBufferPointer<Element>) -> Element {
    v.isOnSimplex ? v.reduce(0) { $0 + $1 * $1 } / 2 : .infinity
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func activate(_ u: UnsafeBufferPointer<Element>, into v: UnsafeMutablePointer<Element>) -> Element {
    project(u, scale: 1, into: v)
    var sum: Element = 0
    for i in u.indices { sum += v[i] * (u[i] - v[i] / 2) }
    return sum
  }

  /// d less its mean over the entries with v > 0, 0 elsewhere.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func multiplyByDerivative(
    at v: UnsafeBufferPointer<Element>, _ d: UnsafeMutablePointer<Element>
  ) {
    var (sum, count): (Element, Element) = (0, 0)
    for i in v.indices where v[i] > 0 {
      sum += d[i]
      count += 1
    }
    for i in v.indices { d[i] = v[i] > 0 ? d[i] - sum / count : 0 }
  }

  public func invert(_ v: UnsafeBufferPointer<Element>, into u: UnsafeMutablePointer<Element>) {
    for i in v.indices { u[i] = v[i] }
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func minimise(
    near x: UnsafeBufferPointer<Element>, step γ: Element, into v: UnsafeMutablePointer<Element>
  ) {
    project(x, scale: 1 / (1 + γ), into: v)
  }

  /// v ← Π(scale·x): (scale·x − ν)₊ with the ν that makes the sum 1, found among the sorted entries (Held, Wolfe &
  /// Crowder 1974).
  @inline(__always)
  private func project(
    _ x: UnsafeBufferPointer<Element>, scale: Element, into v: UnsafeMutablePointer<Element>
  ) {
    var (sum, ν): (Element, Element) = (-1, 0)
    let largest = x.max() ?? 0
    for (i, value) in x.map({ scale * ($0 - largest) }).sorted(by: >).enumerated() {
      sum += value
      let level = sum / Element(i + 1)
      if value > level { ν = level }
    }
    for i in x.indices { v[i] = max(scale * (x[i] - largest) - ν, 0) }
  }
}

extension UnsafeBufferPointer where Element: Scalar {
  /// Whether all entries are at least 0 and add to 1, to rounding.
  @inline(__always)
  var isOnSimplex: Bool {
    var sum: Element = 0
    for value in self {
      guard value >= 0 else { return false }
      sum += value
    }
    return abs(sum - 1) <= 16 * .ulpOfOne * Element(count)
  }
}
