import LinearAlgebra

/// A convex function f: ℝ^{n×c} → ℝ ∪ {+∞} of a matrix.
public protocol ConvexFunction<Element>: Sendable {
  associatedtype Element: Scalar
  /// f(x), +∞ off the domain.
  func value(at x: Matrix<Element>) -> Element
}

/// A convex function with a Lipschitz gradient.
public protocol SmoothFunction<Element>: ConvexFunction {
  /// Writes ∇f(x) into `gradient` (of the shape of x) and returns f(x).
  @discardableResult
  func gradient(at x: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element
  /// A Lipschitz constant of ∇f in the Euclidean norm.
  var smoothness: Element { get }
}

/// A convex function with a computable proximal operator.
public protocol ProximableFunction<Element>: ConvexFunction {
  /// Writes prox_{γf}(x) = argmin_y f(y) + ‖y − x‖²/(2γ) into `y` and returns f(y).
  @discardableResult
  func prox(of x: Matrix<Element>, step γ: Element, into y: inout Matrix<Element>) -> Element
}

/// A convex function with a computable conjugate f*(u) = sup_x ⟨u, x⟩ − f(x).
public protocol ConjugableFunction<Element>: ConvexFunction {
  /// f*(u), +∞ off its domain.
  func conjugateValue(at u: Matrix<Element>) -> Element
}
