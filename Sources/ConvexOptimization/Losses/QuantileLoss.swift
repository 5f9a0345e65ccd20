import LinearAlgebra

/// Quantile (pinball) loss ℓ(F) = Σ_k s_k Σ_j max(τ(Y − F)_kj, (τ − 1)(Y − F)_kj), whose minimiser is a
/// τ-quantile: τ is what a prediction that is too low costs, 1 − τ what one that is too high costs.
///
/// Conjugate of one entry: a y on −τ ≤ a ≤ 1 − τ.
public struct QuantileLoss<Element: Scalar>: EntrywiseLoss {
  public static var name: String { "quantile" }
  public var data: WeightedTargets<Element>
  public let τ: Element

  /// - Parameters:
  ///   - targets: Y: n × c, finite.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  ///   - τ: the quantile, strictly between 0 and 1.
  public init(targets: Matrix<Element>, weights: [Element]? = nil, tau τ: Element) throws(LossError) {
    guard τ > 0, τ < 1 else {
      throw .parameter(name: "quantile τ", value: Double(τ), allowed: "a number strictly between 0 and 1")
    }
    data = try WeightedTargets(targets, weights: weights)
    self.τ = τ
  }

  public var entrySmoothness: Element { .infinity }
  public var isPiecewiseLinear: Bool { true }

  public func kink(sample k: Int, output j: Int) -> Kink<Element>? {
    data.kink(k, position: targets[k, j], left: -τ, right: 1 - τ)
  }

  public func term(_ f: Element, _ y: Element) -> Element { f > y ? (1 - τ) * (f - y) : τ * (y - f) }

  /// −τ below y, 1 − τ above; the subgradient 0 at the kink.
  public func slope(_ f: Element, _ y: Element) -> Element { f > y ? 1 - τ : f < y ? -τ : 0 }

  public func curvature(_: Element, _: Element) -> Element { 0 }

  public func minimiser(near x: Element, _ y: Element, step t: Element) -> Element {
    let (down, up) = (t * (1 - τ), t * τ)
    return x - y > down ? x - down : y - x > up ? x + up : y
  }

  public func conjugateTerm(_ a: Element, _ y: Element) -> Element {
    a >= -τ - .slack && a <= 1 - τ + .slack ? a * y : .infinity
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: EntryPass<Element>) -> Element { pass.run(self) }
}
