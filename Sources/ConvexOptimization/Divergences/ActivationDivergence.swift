import LinearAlgebra

/// The Fenchel divergence of an activation φ = ∇Φ* between outputs V and inputs U of a layer, both m × p:
///
///     B(V, U) = Φ(V) + Φ*(U) − ⟨U, V⟩ ≥ 0,   0 exactly where V = φ(U)
///
/// (Gu, Askari & El Ghaoui 2019, eq. 4, with B's arguments as (v, u)). It is convex in V and in U, not in both, with
/// ∇_U B = φ(U) − V and ∂_V B ∋ φ⁻¹(V) − U.
public protocol ActivationDivergence<Element>: Sendable {
  associatedtype Element: Scalar
  /// The name of the activation, as options and files have it.
  var name: String { get }
  /// A Lipschitz constant of φ, +∞ where there is none.
  var smoothness: Element { get }
  /// Whether φ acts on every entry alone, so that its derivative is diagonal.
  var isEntrywise: Bool { get }
  /// Φ(V), +∞ outside of its domain. Cost mp.
  func potential(at v: Matrix<Element>) -> Element
  /// Φ*(U). Cost mp.
  func conjugate(at u: Matrix<Element>) -> Element
  /// V ← φ(U); returns Φ*(U). Cost mp.
  @discardableResult
  func activate(_ u: Matrix<Element>, into v: inout Matrix<Element>) -> Element
  /// U ← φ(U), without Φ*(U). Cost mp.
  func map(_ u: inout Matrix<Element>)
  /// D ← φ′(U) D for the outputs V = φ(U). The derivative of a row, ∇²Φ*, is symmetric, so this is its adjoint too.
  /// Where φ has a kink, the derivative on one side of it. Cost mp.
  func multiplyByDerivative(at v: Matrix<Element>, _ d: inout Matrix<Element>)
  /// U ← φ⁻¹(V), where Φ has a kink the subgradient of least size, ±∞ where the domain ends in a vertical tangent.
  /// Defined on the domain only. Cost mp.
  func invert(_ v: Matrix<Element>, into u: inout Matrix<Element>)
  /// B(V, U), +∞ for V outside of the domain. Cost mp.
  func divergence(_ v: Matrix<Element>, _ u: Matrix<Element>) -> Element
  /// V ← argmin_V γΦ(V) + ½‖V − X‖², which lies in the domain for any X and γ > 0; returns Φ(V). So
  /// γB(·, U) + ½‖· − X‖² has its minimiser at the prox of X + γU. Cost mp.
  @discardableResult
  func prox(of x: Matrix<Element>, step γ: Element, into v: inout Matrix<Element>) -> Element
}

extension ActivationDivergence {
  /// ∇_U B = φ(U) − V into `gradient`; returns B(V, U). Cost mp, twice.
  @discardableResult
  public func gradient(
    _ v: Matrix<Element>, _ u: Matrix<Element>, into gradient: inout Matrix<Element>
  ) -> Element {
    activate(u, into: &gradient)
    gradient.add(-1, v)
    return divergence(v, u)
  }

  /// ∂_V B = φ⁻¹(V) − U into `gradient`; returns B(V, U). Cost mp, twice.
  @discardableResult
  public func outputGradient(
    _ v: Matrix<Element>, _ u: Matrix<Element>, into gradient: inout Matrix<Element>
  ) -> Element {
    invert(v, into: &gradient)
    gradient.add(-1, u)
    return divergence(v, u)
  }
}
