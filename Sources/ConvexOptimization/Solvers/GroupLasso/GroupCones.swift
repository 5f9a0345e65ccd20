import LinearAlgebra

/// Polyhedral cones K_r that confine the coefficients of groups: w_r ∈ K_r.
///
/// With p = Π_K(z), the prox of τλ‖·‖ + ι_K at z is (1 − τλ/‖p‖)₊ p, and a dual point θ is feasible for group r where
/// ‖Π_K(A_rᵀθ)‖ ≤ λ: projections are all that a group lasso needs to have cones.
public protocol GroupCones<Element>: Sendable {
  associatedtype Element: Scalar
  /// Past it projections end where they are: their lengths are bounds still, but they may lie outside of the cones.
  var deadline: Deadline { get }
  /// Projects the rows of Z onto the cones of `groups`, each from an earlier projection nearby, which it replaces, with
  /// the multipliers that prove it. One may stop once ‖p‖ ≤ `threshold`, when p lies outside of K_r but its norm is a
  /// bound: rows found to be at most that long become 0. Returns the lengths, upper bounds there.
  func project(
    _ z: inout Matrix<Element>, ontoConesOf groups: [Int], threshold: Element,
    from projections: inout [ConeProjection<Element>?]
  ) -> [Element]
  /// The span of the face of a group's cone that holds a projection: all w on which the active constraints vanish.
  func face(at projection: ConeProjection<Element>, ofGroup group: Int) -> Subspace<Element>
  /// The cones of the groups of output j, in order.
  func restricted(toOutput j: Int) -> Self
}

/// A projection p = z + Aᵀα onto a cone {w : A w ≥ 0}, with α ≥ 0 by its support.
public typealias ConeProjection<Element: Scalar> = NonnegativeLeastSquares<Element>.Solution
