import LinearAlgebra

/// Hinge loss ℓ(F) = Σ_k s_k Σ_j max(0, 1 − Y_kj F_kj) with labels −1 and 1.
///
/// Conjugate of one entry: a y on 0 ≤ −a y ≤ 1.
public struct HingeLoss<Element: Scalar>: EntrywiseLoss {
  public static var name: String { "hinge" }
  public var data: WeightedTargets<Element>

  /// - Parameters:
  ///   - targets: Y: n × c, every entry −1 or 1.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  public init(targets: Matrix<Element>, weights: [Element]? = nil) throws(LossError) {
    data = try WeightedTargets(signs: targets, weights: weights)
  }

  public var entrySmoothness: Element { .infinity }
  public var isPiecewiseLinear: Bool { true }

  public func kink(sample k: Int, output j: Int) -> Kink<Element>? {
    let y = targets[k, j]
    return data.kink(k, position: y, left: y > 0 ? -1 : 0, right: y > 0 ? 0 : 1)
  }

  public func term(_ f: Element, _ y: Element) -> Element {
    let slack = 1 - y * f
    return slack < 0 ? 0 : slack
  }

  /// −y where y f < 1; the subgradient 0 at the kink.
  public func slope(_ f: Element, _ y: Element) -> Element { y * f < 1 ? -y : 0 }

  public func curvature(_: Element, _: Element) -> Element { 0 }

  public func minimiser(near x: Element, _ y: Element, step t: Element) -> Element {
    let margin = y * x
    return margin >= 1 ? x : 1 - margin > t ? x + t * y : y
  }

  public func conjugateTerm(_ a: Element, _ y: Element) -> Element {
    let t = -a * y
    return t >= -.slack && t <= 1 + .slack ? -t : .infinity
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: EntryPass<Element>) -> Element { pass.run(self) }
}
