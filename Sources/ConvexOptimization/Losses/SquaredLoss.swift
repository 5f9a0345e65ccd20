import LinearAlgebra

/// Squared loss ℓ(F) = ½ Σ_k s_k ‖F_k − Y_k‖², smooth with constant max s.
///
/// Conjugate of one entry: ½a² + a y.
public struct SquaredLoss<Element: Scalar>: EntrywiseLoss {
  public static var name: String { "squared" }
  public var data: WeightedTargets<Element>

  /// - Parameters:
  ///   - targets: Y: n × c, finite.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  public init(targets: Matrix<Element>, weights: [Element]? = nil) throws(LossError) {
    data = try WeightedTargets(targets, weights: weights)
  }

  public var entrySmoothness: Element { 1 }

  public func term(_ f: Element, _ y: Element) -> Element {
    let r = f - y
    return r * r / 2
  }

  public func slope(_ f: Element, _ y: Element) -> Element { f - y }

  public func curvature(_: Element, _: Element) -> Element { 1 }

  public func minimiser(near x: Element, _ y: Element, step t: Element) -> Element {
    x + (y - x) * (t / (1 + t))
  }

  public func conjugateTerm(_ a: Element, _ y: Element) -> Element { a * (a / 2 + y) }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: EntryPass<Element>) -> Element { pass.run(self) }
}
