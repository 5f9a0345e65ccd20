import LinearAlgebra
import RealModule

/// Logistic loss ℓ(F) = Σ_k s_k Σ_j log(1 + exp(−Y_kj F_kj)) with labels −1 and 1; smooth with constant
/// ¼ max s.
///
/// Conjugate of one entry, with t = −a y ∈ [0, 1]: t log t + (1 − t) log(1 − t).
public struct LogisticLoss<Element: Scalar>: EntrywiseLoss {
  public static var name: String { "logistic" }
  public static var entriesPerTile: Int { 8192 }
  public var data: WeightedTargets<Element>

  /// - Parameters:
  ///   - targets: Y: n × c, every entry −1 or 1.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  public init(targets: Matrix<Element>, weights: [Element]? = nil) throws(LossError) {
    data = try WeightedTargets(signs: targets, weights: weights)
  }

  public var entrySmoothness: Element { 0.25 }

  public func term(_ f: Element, _ y: Element) -> Element {
    let margin = y * f
    return .log(onePlus: .exp(-abs(margin))) + (margin < 0 ? -margin : 0)
  }

  public func slope(_ f: Element, _ y: Element) -> Element { -y * logisticSigmoid(-y * f) }

  public func curvature(_ f: Element, _: Element) -> Element {
    let e = Element.exp(-abs(f))
    return e / ((1 + e) * (1 + e))
  }

  /// The margin m solves m = m₀ + t σ(−m), a root inside [m₀, min(m₀ + t, max(m₀, 0) + log(1 + t))], by
  /// Newton's method that falls back to bisection.
  public func minimiser(near x: Element, _ y: Element, step t: Element) -> Element {
    let start = y * x
    var (low, high) = (start, min(start + t, max(start, 0) + .log(onePlus: t)))
    var m = start + t * logisticSigmoid(-start) / (1 + t / 4)
    for _ in 0..<200 {
      if !(m > low && m < high) { m = low + (high - low) / 2 }
      let σ = logisticSigmoid(-m)
      let residual = (m - start) - t * σ
      if residual == 0 { break }
      if residual > 0 { high = m } else { low = m }
      let next = m - residual / (1 + t * σ * (1 - σ))
      if abs(next - m) <= Element.ulpOfOne * abs(m) / 2 || high - low <= m.ulp { return y * next }
      m = next
    }
    return y * m
  }

  public func conjugateTerm(_ a: Element, _ y: Element) -> Element {
    let raw = -a * y
    guard raw >= -.slack, raw <= 1 + .slack else { return .infinity }
    let t = min(max(raw, 0), 1)
    return t == 1 ? 0 : t.entropy + (1 - t) * .log(onePlus: -t)
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: EntryPass<Element>) -> Element {
    switch pass.operation {
    case .gradient: pass.softplusSum(writing: true)
    case .value: pass.softplusSum(writing: false)
    default: pass.run(self)
    }
  }
}

/// 1/(1 + exp(−x)) without overflow.
@inline(__always)
func logisticSigmoid<Element: Scalar>(_ x: Element) -> Element {
  let e = Element.exp(-abs(x))
  return (x >= 0 ? 1 : e) / (1 + e)
}

extension EntryPass {
  /// Σ s log(1 + exp(−y f)), by blocks through the vectorised kernel; writes s times the derivative too.
  @inline(__always)
  func softplusSum(writing: Bool) -> Element {
    let block = 512
    let entries = rows.lowerBound * outputs..<rows.upperBound * outputs
    return withTemporary(Element.self, 2 * block) { z in
      let value = z + block
      var total: Element = 0
      var first = entries.lowerBound
      while first < entries.upperBound {
        let count = min(block, entries.upperBound - first)
        for i in 0..<count { z[i] = -target[first + i] * input[first + i] }
        Element.softplus(z, value: value, count)
        if !isUnweighted { weigh(z, value, first, count) }
        for i in 0..<count { total = Relaxed.sum(total, value[i]) }
        if writing { for i in 0..<count { output[first + i] = -target[first + i] * z[i] } }
        first += count
      }
      return total
    }
  }

  @inline(__always)
  private func weigh(
    _ slope: UnsafeMutablePointer<Element>, _ value: UnsafeMutablePointer<Element>, _ first: Int, _ count: Int
  ) {
    for i in 0..<count {
      let s = weight[outputs == 1 ? first + i : (first + i) / outputs]
      slope[i] *= s
      value[i] = s.weighting(value[i])
    }
  }
}
