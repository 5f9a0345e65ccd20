import ConvexOptimization
import LinearAlgebra

/// A convex problem min_v f(A v) + r(v) over matrices v, with a smooth f, an affine map A and a majorant of f ∘ A whose
/// minimiser together with r is cheap: a block of a lifted model.
package protocol MajorisedProblem<Element> {
  associatedtype Element: Scalar
  /// What the curvature bound of f ∘ A is kept as.
  associatedtype Majorant
  /// f.
  var fit: LayerFit<Element> { get }
  /// A v.
  func image(of v: Matrix<Element>) -> Matrix<Element>
  /// The transposed linear part of A applied to a gradient of f.
  func pullBack(_ gradient: Matrix<Element>) -> Matrix<Element>
  /// r(v).
  func remainder(_ v: Matrix<Element>) -> Element
  /// The bound on the curvature of f ∘ A.
  ///
  /// - Throws: `FactorisationError` where the majorant has no unique minimiser in this precision.
  func majorant() throws -> Majorant
  /// argmin_v of the majorant at y plus r, where f ∘ A has the gradient `slope` at y.
  func minimiser(of majorant: Majorant, at y: Matrix<Element>, slope: Matrix<Element>) -> Matrix<Element>
}

/// A point of a majorised problem, with what was found on the way to it.
package struct MajorisedPoint<Element: Scalar> {
  package var point: Matrix<Element>
  /// A v.
  package var image: Matrix<Element>
  /// f(A v) and r(v).
  package var fit, remainder: Element

  /// f(A v) + r(v).
  package var value: Element { fit + remainder }
}

extension MajorisedProblem {
  /// f(A v) + r(v).
  package func value(_ v: Matrix<Element>) -> Element { fit.value(at: image(of: v)) + remainder(v) }

  /// Accelerated majorisation: FISTA in the metric of the majorant, started anew where the momentum turns against the
  /// step (O'Donoghue & Candès 2015), ended where a step moves by at most `tolerance` of the point. The point of least
  /// value is returned, and never one worse than the start. A step costs one image and one pull-back, as images
  /// of extrapolated points are combined from those at hand.
  ///
  /// - Throws: what `majorant` throws.
  package func minimise(
    from start: Matrix<Element>, tolerance: Element, maximumSteps: Int
  ) throws -> Matrix<Element> {
    try minimum(from: evaluated(start), tolerance: tolerance, maximumSteps: maximumSteps).point
  }

  /// A point with its image, which is computed where it is not known.
  package func evaluated(_ v: Matrix<Element>, image known: Matrix<Element>? = nil) -> MajorisedPoint<Element>
  {
    let image = known ?? image(of: v)
    return MajorisedPoint(point: v, image: image, fit: fit.value(at: image), remainder: remainder(v))
  }

  /// The same from a point whose image is known, and with that of the minimiser.
  package func minimum(
    from start: MajorisedPoint<Element>, tolerance: Element, maximumSteps: Int
  ) throws -> MajorisedPoint<Element> {
    let majorant = try majorant()
    var (x, tx) = (start.point, start.image)
    var best = start
    var (y, ty) = (x, tx)
    var gradient = tx
    var momentum = NesterovMomentum<Element>()
    for _ in 0..<maximumSteps {
      fit.gradient(at: ty, into: &gradient)
      let next = minimiser(of: majorant, at: y, slope: pullBack(gradient))
      let trial = evaluated(next)
      let tNext = trial.image
      guard trial.value.isFinite else { break }
      if trial.value < best.value { best = trial }
      var step = next
      step.add(-1, y)
      let isSmall = step.frobeniusNorm <= tolerance * max(1, next.frobeniusNorm)
      momentum.restartIfTurned(extrapolated: y, from: x, to: next)
      let β = momentum.advance()
      (y, ty) = (next, tNext)
      if β != 0 {
        y.extrapolate(β, beyond: x)
        ty.extrapolate(β, beyond: tx)
      }
      (x, tx) = (next, tNext)
      if isSmall { break }
    }
    return best
  }
}

extension Matrix {
  /// A ← A + β(A − B).
  mutating func extrapolate(_ β: Element, beyond b: Matrix) {
    scale(by: 1 + β)
    add(-β, b)
  }
}
