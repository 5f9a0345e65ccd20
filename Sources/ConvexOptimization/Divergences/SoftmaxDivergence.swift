import LinearAlgebra
import RealModule

/// The divergence of the softmax φ(u) = eᵘ/Σeᵘ of rows, the relative entropy of distributions:
///
///     Φ(v) = Σ v log v on the simplex,   Φ*(u) = log Σ eᵘ,   B(v, φ(w)) = Σ v log(v/φ(w)).
///
/// φ is Lipschitz with ½ (Böhning 1992); φ⁻¹(v) is log v up to a constant in each row, here with mean 0.
public struct SoftmaxDivergence<Element: Scalar>: RowwiseDivergence {
  public var name: String { "softmax" }
  public init() {}

  public var smoothness: Element { 0.5 }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func potential(_ v: UnsafeBufferPointer<Element>) -> Element {
    v.isOnSimplex ? v.reduce(0) { $0 + $1.entropy } : .infinity
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func activate(_ u: UnsafeBufferPointer<Element>, into v: UnsafeMutablePointer<Element>) -> Element {
    let largest = u.max() ?? 0
    var sum: Element = 0
    for i in u.indices { v[i] = u[i] - largest }
    Element.exponentials(v, u.count)
    for i in u.indices { sum += v[i] }
    Element.scale(u.count, 1 / sum, v)
    return largest + .log(sum)
  }

  /// v ∘ (d − ⟨v, d⟩).
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func multiplyByDerivative(
    at v: UnsafeBufferPointer<Element>, _ d: UnsafeMutablePointer<Element>
  ) {
    var inner: Element = 0
    for i in v.indices { inner += v[i] * d[i] }
    for i in v.indices { d[i] = v[i] * (d[i] - inner) }
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func invert(_ v: UnsafeBufferPointer<Element>, into u: UnsafeMutablePointer<Element>) {
    var mean: Element = 0
    for i in v.indices {
      u[i] = .log(v[i])
      mean += u[i] / Element(v.count)
    }
    guard mean.isFinite else { return }
    for i in v.indices { u[i] -= mean }
  }

  /// γ(1 + log v) + v = x + ν with Σ v = 1: v = γ ω(z) for Wright's ω at z = (x + ν)/γ − 1 − log γ, and ν by Newton
  /// steps within a bracket.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func minimise(
    near x: UnsafeBufferPointer<Element>, step γ: Element, into v: UnsafeMutablePointer<Element>
  ) {
    let p = Element(x.count)
    let (least, largest) = (x.min() ?? 0, x.max() ?? 0)
    // Where the largest entry is 1/p the sum is at most 1; where the least one is, at least 1.
    var low = γ * (1 - .log(p)) + 1 / p - largest
    var high = γ * (1 - .log(p)) + 1 / p - least
    var ν = low
    for _ in 0..<200 {
      var (sum, slope): (Element, Element) = (0, 0)
      for i in x.indices {
        let ω = wrightOmega((x[i] + ν) / γ - 1 - .log(γ))
        v[i] = γ * ω
        sum += v[i]
        slope += ω / (1 + ω)
      }
      if abs(sum - 1) <= 4 * .ulpOfOne * p { break }
      if sum > 1 { high = ν } else { low = ν }
      let newton = ν - (sum - 1) / slope
      let next = newton > low && newton < high ? newton : low + (high - low) / 2
      if next == ν || !(low < high) { break }
      ν = next
    }
    let sum = UnsafeMutableBufferPointer(start: v, count: x.count).reduce(0, +)
    Element.scale(x.count, 1 / sum, v)
  }
}
