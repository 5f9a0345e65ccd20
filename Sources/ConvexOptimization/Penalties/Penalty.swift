import LinearAlgebra

/// A convex penalty Ω of coefficients, with what optimality and certificates need.
public protocol Penalty<Element>: ProximableFunction, ConjugableFunction {
  /// The gauge dual to Ω: the least t ≥ 0 with ⟨u, x⟩ ≤ t Ω(x) for all x (where Ω is a norm, its dual norm).
  func dualNorm(of u: Matrix<Element>) -> Element
  /// The distance of −g from the subdifferential ∂Ω(x): 0 exactly when x minimises ⟨g, ·⟩ + Ω.
  func subdifferentialDistance(at x: Matrix<Element>, gradient g: Matrix<Element>) -> Element
}
