import LinearAlgebra

/// The matrices each of whose rows (t, z) has t ≥ ‖z‖₂: one second-order (Lorentz) cone a row, t first.
///
/// Projection of a row: itself inside, 0 where ‖z‖ ≤ −t, otherwise ½(‖z‖ + t)(1, z/‖z‖). The cone is its own
/// dual. Cost: the number of entries.
public struct SecondOrderCone<Element: Scalar>: Cone {
  public init() {}

  public func project(_ x: Matrix<Element>, into y: inout Matrix<Element>) {
    let d = x.columns
    guard d > 0 else { return }
    x.withPointer { x0 in
      y.withMutablePointer { y in
        for k in 0..<x.rows { projectRow(d, x0 + k * d, y + k * d) }
      }
    }
  }

  private func projectRow(_ d: Int, _ x: UnsafePointer<Element>, _ y: UnsafeMutablePointer<Element>) {
    let (t, norm) = (x[0], Element.euclideanNorm(d - 1, x + 1))
    y.update(from: x, count: d)
    if norm <= t { return }
    if norm <= -t {
      y.update(repeating: 0, count: d)
      return
    }
    let half = norm / 2 + t / 2
    y[0] = half
    Element.scale(d - 1, half / norm, y + 1)
  }
}
