import LinearAlgebra

/// Polyhedral cones K_r that confine the coefficients of groups: w_r ∈ K_r.
///
/// With p = Π_K(z), the prox of τλ‖·‖ + ι_K at z is (1 − τλ/‖p‖)₊ p, and a dual point θ is feasible for group r where
/// ‖Π_K(A_rᵀθ)‖ ≤ λ: projections are all that a group lasso needs to have cones.
public protocol GroupCones<Element>: Sendable {
  associatedtype Element: Scalar
  /// The projection of z onto K_r with the multipliers that prove it; may stop once ‖p‖ ≤ `threshold`, when p lies
  /// outside of K_r but its norm is a bound. Starts where the projection of a point nearby ended.
  func projection(
    of z: [Element], ontoConeOf group: Int, from start: ConeProjection<Element>?, threshold: Element
  ) -> ConeProjection<Element>
  /// The span of the face of K_r that holds a projection: all w on which the active constraints vanish.
  func face(at projection: ConeProjection<Element>) -> Subspace<Element>
  /// The cones of the groups of output j, in order.
  func restricted(toOutput j: Int) -> Self
}

/// A projection p = z + Aᵀα onto a cone {w : A w ≥ 0}, with α ≥ 0 by its support.
public typealias ConeProjection<Element: Scalar> = NonnegativeLeastSquares<Element>.Solution

extension GroupCones {
  /// Projects the rows of Z onto the cones of `groups`, each from an earlier projection nearby, which it replaces. Rows
  /// whose projection is found to be at most `threshold` long are set to 0. Returns the lengths, upper bounds there.
  func project(
    _ z: inout Matrix<Element>, ontoConesOf groups: [Int], threshold: Element,
    from projections: inout [ConeProjection<Element>?]
  ) -> [Element] {
    let d = z.columns
    let rows = groups.indices.map { z.row($0) }
    projections.withMutablePointer { projections in
      Parallel.forEach(tiles: groups.count) { r in
        projections[r] = projection(
          of: rows[r], ontoConeOf: groups[r], from: projections[r], threshold: threshold)
      }
    }
    let norms = projections.map { $0?.norm ?? 0 }
    z.withMutablePointer { z in
      for r in groups.indices {
        if norms[r] > threshold, let p = projections[r]?.residual {
          (z + r * d).update(from: p, count: d)
        } else {
          (z + r * d).update(repeating: 0, count: d)
        }
      }
    }
    return norms
  }
}
