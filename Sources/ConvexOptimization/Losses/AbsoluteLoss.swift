import LinearAlgebra

/// Absolute loss ℓ(F) = Σ_k s_k ‖F_k − Y_k‖₁, whose minimiser is a median.
///
/// Conjugate of one entry: a y on |a| ≤ 1.
public struct AbsoluteLoss<Element: Scalar>: EntrywiseLoss {
  public static var name: String { "absolute" }
  public var data: WeightedTargets<Element>

  /// - Parameters:
  ///   - targets: Y: n × c, finite.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  public init(targets: Matrix<Element>, weights: [Element]? = nil) throws(LossError) {
    data = try WeightedTargets(targets, weights: weights)
  }

  public var entrySmoothness: Element { .infinity }
  public var isPiecewiseLinear: Bool { true }

  public func kink(sample k: Int, output j: Int) -> Kink<Element>? {
    data.kink(k, position: targets[k, j], left: -1, right: 1)
  }

  public func term(_ f: Element, _ y: Element) -> Element { abs(f - y) }

  /// The sign of f − y; the subgradient 0 at the kink.
  public func slope(_ f: Element, _ y: Element) -> Element { f > y ? 1 : f < y ? -1 : 0 }

  public func curvature(_: Element, _: Element) -> Element { 0 }

  public func minimiser(near x: Element, _ y: Element, step t: Element) -> Element {
    x - y > t ? x - t : y - x > t ? x + t : y
  }

  public func conjugateTerm(_ a: Element, _ y: Element) -> Element {
    abs(a) <= 1 + .slack ? a * y : .infinity
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: EntryPass<Element>) -> Element { pass.run(self) }
}
