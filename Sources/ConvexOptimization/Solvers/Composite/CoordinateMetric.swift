import LinearAlgebra

/// A metric on coefficients that weighs the coordinates of every group alike, ‖W‖_h² = Σ_r Σ_k h_k w_rk².
///
/// Proximal gradients in it are those of W diag(√h), for which another curvature is seen in every coordinate: where
/// h_k follows the curvature along coordinate k, flat coordinates move as fast as steep ones.
public struct CoordinateMetric<Element: Scalar>: Sendable {
  /// h > 0, one number a coordinate.
  public let weights: [Element]
  private let inverses: [Element]

  public init(weights: [Element]) {
    precondition(
      weights.allSatisfy { $0 > 0 && $0.isFinite }, "weights of coordinates are positive and finite")
    self.weights = weights
    inverses = weights.map { 1 / $0 }
  }

  /// ⟨A, B⟩_h.
  func inner(_ a: Matrix<Element>, _ b: Matrix<Element>) -> Element { a.inner(b.scalingColumns(weights)) }

  /// The gradient in the metric, G diag(h)⁻¹.
  func gradient(_ g: Matrix<Element>) -> Matrix<Element> { g.scalingColumns(inverses) }

  /// w ← argmin λ‖w‖ + ‖w − z‖_h²/(2τ) for a row z; returns ‖w‖.
  ///
  /// With q = h z/τ: w = 0 where ‖q‖ ≤ λ; else w_k = q_k ν/(h_k ν/τ + λ), where ν = ‖w‖ is the root of
  /// φ(ν) = Σ q_k²/(h_k ν/τ + λ)² = 1. Newton's method on 1/√φ − 1, which is concave and rises (Moré & Sorensen 1983),
  /// reaches it from the left in a few passes over the row.
  package func prox(
    _ z: UnsafePointer<Element>, step τ: Element, λ: Element, into w: UnsafeMutablePointer<Element>
  ) -> Element {
    let d = weights.count
    var (square, steepest) = (0.0, Element(0))
    for k in 0..<d {
      w[k] = weights[k] / τ * z[k]
      square += Double(w[k]) * Double(w[k])
      steepest = max(steepest, weights[k])
    }
    let threshold = Double(λ)
    guard square > threshold * threshold else {
      w.update(repeating: 0, count: d)
      return 0
    }
    var ν = (square.squareRoot() - threshold) / Double(steepest / τ)
    for _ in 0..<Self.maximumSteps {
      var (φ, slope) = (0.0, 0.0)
      for k in 0..<d {
        let a = Double(weights[k] / τ)
        let share = Double(w[k]) / (a * ν + threshold)
        φ += share * share
        slope += share * share * a / (a * ν + threshold)
      }
      let step = (φ.squareRoot() - 1) * φ / slope
      guard step > ν * Self.precision else { break }
      ν += step
    }
    for k in 0..<d { w[k] *= Element(ν / (Double(weights[k] / τ) * ν + threshold)) }
    return Element(ν)
  }

  private static var maximumSteps: Int { 50 }
  private static var precision: Double { Element.self == Float.self ? 1e-8 : 1e-15 }
}
