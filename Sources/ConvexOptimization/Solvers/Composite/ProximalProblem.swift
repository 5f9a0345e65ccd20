import LinearAlgebra

/// What proximal gradients know of a problem min ℓ(AW) + Ω(W).
public protocol ProximalProblem<Element>: Sendable {
  associatedtype Element: Scalar
  /// What a prox may begin with the next time.
  associatedtype Memory: Sendable
  /// What a prox finds out about Ω at its result.
  associatedtype Penalty: Sendable
  /// Differentiable.
  var loss: any Loss<Element> { get }
  /// F ← A W, n × c, for the result of a prox. Must have the same bits for any number of threads, as the others must.
  func apply(_ w: Matrix<Element>, _ penalty: Penalty, into f: inout Matrix<Element>)
  /// G ← Aᵀ R, for R: n × c.
  func applyAdjoint(_ r: Matrix<Element>, into g: inout Matrix<Element>)
  /// F ← A V for any V of the shape of W.
  func apply(_ v: Matrix<Element>, into f: inout Matrix<Element>)
  /// What lengths of steps are measured in; nil: ‖·‖.
  var metric: CoordinateMetric<Element>? { get }
  /// W ← argmin Ω(W) + ‖W − Z‖²/(2τ), in the metric.
  func prox(of z: Matrix<Element>, step τ: Element, into w: inout Matrix<Element>, _ memory: inout Memory)
    -> Penalty
}

extension ProximalProblem {
  /// A matrix of the shape of the predictions, n × c.
  var zeroPredictions: Matrix<Element> { Matrix(loss.samples, loss.outputs) }
}
