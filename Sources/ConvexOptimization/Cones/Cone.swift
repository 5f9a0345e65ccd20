import LinearAlgebra

/// A closed convex cone K of matrices, as its indicator function: 0 on K, +∞ off it.
///
/// Its proximal operator is the projection P_K whatever the step; its conjugate is the indicator of the polar
/// cone K° = { u : ⟨u, x⟩ ≤ 0 for all x ∈ K }, and x = P_K(x) + P_K°(x) (Moreau). Membership allows for
/// rounding: points within a few units in the last place of their size count as inside.
public protocol Cone<Element>: ProximableFunction, ConjugableFunction {
  /// Writes P_K(x) into `y`, a matrix of the shape of x.
  func project(_ x: Matrix<Element>, into y: inout Matrix<Element>)
  /// How exact the projection is, relative to ‖x‖.
  var projectionTolerance: Element { get }
}

extension Cone {
  public var projectionTolerance: Element { 64 * .ulpOfOne }

  /// P_K(x).
  public func projection(of x: Matrix<Element>) -> Matrix<Element> {
    var y = x
    project(x, into: &y)
    return y
  }

  /// ‖x − P_K(x)‖.
  public func distance(to x: Matrix<Element>) -> Element {
    var y = projection(of: x)
    y.scale(by: -1)
    y.add(1, x)
    return y.frobeniusNorm
  }

  /// Whether x lies in K, up to rounding.
  public func contains(_ x: Matrix<Element>) -> Bool {
    distance(to: x) <= projectionTolerance * x.frobeniusNorm
  }

  public func value(at x: Matrix<Element>) -> Element { contains(x) ? 0 : .infinity }

  @discardableResult
  public func prox(of x: Matrix<Element>, step _: Element, into y: inout Matrix<Element>) -> Element {
    project(x, into: &y)
    return 0
  }

  /// 0 where u lies in the polar cone, whose points are projected onto 0; otherwise +∞.
  public func conjugateValue(at u: Matrix<Element>) -> Element {
    projection(of: u).frobeniusNorm <= projectionTolerance * u.frobeniusNorm ? 0 : .infinity
  }
}
