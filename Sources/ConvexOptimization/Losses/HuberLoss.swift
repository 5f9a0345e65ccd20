import LinearAlgebra

/// Huber loss with r = F − Y: Σ_k s_k Σ_j h(r_kj), h(r) = ½r² for |r| ≤ δ and δ(|r| − ½δ) beyond; smooth with
/// constant max s.
///
/// Conjugate of one entry: ½a² + a y on |a| ≤ δ.
public struct HuberLoss<Element: Scalar>: EntrywiseLoss {
  public static var name: String { "huber" }
  public var data: WeightedTargets<Element>
  public let δ: Element

  /// - Parameters:
  ///   - targets: Y: n × c, finite.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  ///   - δ: the residual at which the loss turns linear, finite and > 0, in the units of Y.
  public init(targets: Matrix<Element>, weights: [Element]? = nil, delta δ: Element) throws(LossError) {
    guard δ > 0, δ.isFinite else {
      throw .parameter(name: "Huber δ", value: Double(δ), allowed: "a finite number greater than 0")
    }
    data = try WeightedTargets(targets, weights: weights)
    self.δ = δ
  }

  public var entrySmoothness: Element { 1 }

  /// The Moreau envelope of δ|f − y|.
  public func kink(sample k: Int, output j: Int) -> Kink<Element>? {
    data.kink(k, position: targets[k, j], left: -δ, right: δ, isEnveloped: true)
  }

  public func term(_ f: Element, _ y: Element) -> Element {
    let r = abs(f - y)
    let q = r < δ ? r : δ
    return q * (r - q / 2)
  }

  public func slope(_ f: Element, _ y: Element) -> Element {
    let r = f - y
    return r > δ ? δ : r < -δ ? -δ : r
  }

  public func curvature(_ f: Element, _ y: Element) -> Element { abs(f - y) <= δ ? 1 : 0 }

  public func minimiser(near x: Element, _ y: Element, step t: Element) -> Element {
    let r = x - y
    return abs(r) <= δ * (1 + t) ? x - r * (t / (1 + t)) : r > 0 ? x - t * δ : x + t * δ
  }

  public func conjugateTerm(_ a: Element, _ y: Element) -> Element {
    abs(a) <= δ * (1 + .slack) ? a * (a / 2 + y) : .infinity
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: EntryPass<Element>) -> Element { pass.run(self) }
}
