import LinearAlgebra

/// Squared hinge loss ℓ(F) = ½ Σ_k s_k Σ_j max(0, 1 − Y_kj F_kj)² with labels −1 and 1, with ½ like every square
/// here (LIBLINEAR leaves it out: its C is half of our weight); smooth with constant max s.
///
/// Conjugate of one entry: a y + ½a² on a y ≤ 0.
public struct SquaredHingeLoss<Element: Scalar>: EntrywiseLoss {
  public static var name: String { "squared-hinge" }
  public var data: WeightedTargets<Element>
  private let totalWeight: Element

  /// - Parameters:
  ///   - targets: Y: n × c, every entry −1 or 1.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  public init(targets: Matrix<Element>, weights: [Element]? = nil) throws(LossError) {
    data = try WeightedTargets(signs: targets, weights: weights)
    totalWeight = data.weights.reduce(0, +)
  }

  public var entrySmoothness: Element { 1 }

  /// The Moreau envelope of a slope so steep that it is one of the constraint y f ≥ 1: steeper, 16-fold, than any
  /// at which the loss is below its value at 0.
  public func kink(sample k: Int, output j: Int) -> Kink<Element>? {
    let y = targets[k, j]
    let steep = 16 * (Element(outputs) * totalWeight / max(weights[k], .leastNormalMagnitude)).squareRoot()
    return data.kink(
      k, position: y, left: y > 0 ? -steep : 0, right: y > 0 ? 0 : steep, isEnveloped: true)
  }

  public func term(_ f: Element, _ y: Element) -> Element {
    let slack = 1 - y * f
    return slack < 0 ? 0 : slack * slack / 2
  }

  public func slope(_ f: Element, _ y: Element) -> Element {
    let slack = 1 - y * f
    return slack < 0 ? 0 : -y * slack
  }

  public func curvature(_ f: Element, _ y: Element) -> Element { y * f < 1 ? 1 : 0 }

  public func minimiser(near x: Element, _ y: Element, step t: Element) -> Element {
    let margin = y * x
    return margin >= 1 ? x : y * (margin + (1 - margin) * (t / (1 + t)))
  }

  public func conjugateTerm(_ a: Element, _ y: Element) -> Element {
    let u = a * y
    return u <= .slack ? u * (1 + u / 2) : .infinity
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: EntryPass<Element>) -> Element { pass.run(self) }
}
