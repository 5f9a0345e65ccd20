import LinearAlgebra

/// Poisson loss ℓ(F) = Σ_k s_k Σ_j (exp F_kj − Y_kj F_kj) with counts Y ≥ 0: the negative log-likelihood of a
/// Poisson law of mean exp F without the constant log Y!. Not smooth: its gradient grows like exp F.
///
/// Conjugate of one entry: v log v − v with v = a + y ≥ 0.
public struct PoissonLoss<Element: Scalar>: EntrywiseLoss {
  public static var name: String { "poisson" }
  public static var entriesPerTile: Int { 4096 }
  public var data: WeightedTargets<Element>

  /// - Parameters:
  ///   - targets: Y: n × c, finite and ≥ 0.
  ///   - weights: s: n numbers ≥ 0; nil means 1 for all.
  public init(targets: Matrix<Element>, weights: [Element]? = nil) throws(LossError) {
    data = try WeightedTargets(targets, weights: weights, allowed: "numbers of at least 0") { $0 >= 0 }
  }

  public var entrySmoothness: Element { .infinity }

  public func term(_ f: Element, _ y: Element) -> Element {
    let mean = Element.exp(f)
    return mean.isFinite ? mean - y * f : .infinity
  }

  public func slope(_ f: Element, _ y: Element) -> Element { .exp(f) - y }

  public func curvature(_ f: Element, _: Element) -> Element { .exp(f) }

  /// f + t exp f = x + t y =: b has the solution f = b − ω(b + log t), ω the Wright function.
  public func minimiser(near x: Element, _ y: Element, step t: Element) -> Element {
    let b = x + t * y
    let w = wrightOmega(b + .log(t))
    return w > 1 ? .log(w) - .log(t) : b - w
  }

  public func conjugateTerm(_ a: Element, _ y: Element) -> Element {
    let v = a + y
    guard v >= -.slack * max(1, y) else { return .infinity }
    return v <= 0 ? 0 : v.entropy - v
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  public func run(_ pass: EntryPass<Element>) -> Element { pass.run(self) }
}
