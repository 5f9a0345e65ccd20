import ConvexOptimization
import LinearAlgebra

/// What ties a layer's outputs V to its pre-activations U in a lifted model, both n × p: D(V, U) ≥ 0, convex in V for
/// fixed U and in U for fixed V, 0 exactly where V = φ(U).
public protocol LayerPenalty<Element>: Sendable {
  associatedtype Element: Scalar
  /// The divergence of the activation φ.
  var divergence: any ActivationDivergence<Element> { get }
  /// A Lipschitz constant of ∇_U D(V, ·), for all V; +∞ where there is none.
  var smoothness: Element { get }
  /// D(V, U), +∞ for V outside of φ's closed range. Cost np.
  func value(_ v: Matrix<Element>, _ u: Matrix<Element>) -> Element
  /// ∇_U D into `gradient`; returns D(V, U). Cost np.
  func gradient(_ v: Matrix<Element>, _ u: Matrix<Element>, into gradient: inout Matrix<Element>) -> Element
  /// V ← argmin_V λD(V, U) + ½‖V − X‖². Cost np.
  func prox(
    of x: Matrix<Element>, toward u: Matrix<Element>, weight λ: Element, into v: inout Matrix<Element>)
  /// Whether D is quadratic in U, so that `smoothness` is its whole curvature.
  var isQuadratic: Bool { get }
  /// κ: the minimiser of λD(V, U) + ⟨G, V⟩ is φ(U − G/(κλ)).
  var curvature: Element { get }
}

extension LayerPenalty {
  public var isQuadratic: Bool { false }
}

/// The Fenchel divergence B of an activation as penalty, biconvex (Gu, Askari & El Ghaoui 2019, eq. 5).
public struct FenchelPenalty<Element: Scalar>: LayerPenalty {
  public let divergence: any ActivationDivergence<Element>

  /// - Throws: `LiftedError.notSmooth` for an activation whose slope is not bounded.
  public init(_ activation: Activation) throws {
    divergence = activation.divergence(Element.self)
    guard divergence.smoothness.isFinite else { throw LiftedError.notSmooth(activation) }
  }

  public var smoothness: Element { divergence.smoothness }
  public var curvature: Element { 1 }

  public func value(_ v: Matrix<Element>, _ u: Matrix<Element>) -> Element { divergence.divergence(v, u) }

  public func gradient(
    _ v: Matrix<Element>, _ u: Matrix<Element>, into gradient: inout Matrix<Element>
  ) -> Element { divergence.gradient(v, u, into: &gradient) }

  /// The prox of λΦ at X + λU.
  public func prox(
    of x: Matrix<Element>, toward u: Matrix<Element>, weight λ: Element, into v: inout Matrix<Element>
  ) {
    var shifted = x
    shifted.add(λ, u)
    divergence.prox(of: shifted, step: λ, into: &v)
  }
}

/// ‖V − U‖_F² with V in the set that φ projects onto, jointly convex (Askari, Negiar, Sambharya & El Ghaoui 2018): for
/// ReLU, hard tanh, hard sigmoid, identity and the projection onto the simplex.
///
/// It is 2(Φ(V) + ½‖U‖² − ⟨U, V⟩): the Fenchel penalty, doubled, with ½‖U‖² for Φ*.
public struct SquaredDistancePenalty<Element: Scalar>: LayerPenalty {
  public let divergence: any ActivationDivergence<Element>

  /// - Throws: `LiftedError.notAProjection` for an activation that projects onto no set.
  public init(_ activation: Activation) throws {
    guard Self.projections.contains(activation) else { throw LiftedError.notAProjection(activation) }
    divergence = activation.divergence(Element.self)
  }

  private static var projections: [Activation] { [.relu, .hardTanh, .hardSigmoid, .identity, .simplex] }

  public var smoothness: Element { 2 }
  public var curvature: Element { 2 }
  public var isQuadratic: Bool { true }

  public func value(_ v: Matrix<Element>, _ u: Matrix<Element>) -> Element {
    guard divergence.potential(at: v).isFinite else { return .infinity }
    var difference = v
    difference.add(-1, u)
    return difference.inner(difference)
  }

  public func gradient(
    _ v: Matrix<Element>, _ u: Matrix<Element>, into gradient: inout Matrix<Element>
  ) -> Element {
    gradient = u
    gradient.add(-1, v)
    let value = gradient.inner(gradient)
    gradient.scale(by: 2)
    return value
  }

  /// The projection of (X + 2λU)/(1 + 2λ).
  public func prox(
    of x: Matrix<Element>, toward u: Matrix<Element>, weight λ: Element, into v: inout Matrix<Element>
  ) {
    var mean = x
    mean.add(2 * λ, u)
    mean.scale(by: 1 / (1 + 2 * λ))
    divergence.activate(mean, into: &v)
  }
}

extension ActivationDivergence {
  /// φ′ at the outputs V of an activation that acts entry by entry.
  func slopes(at v: Matrix<Element>) -> Matrix<Element> {
    var slopes = Matrix<Element>(v.rows, v.columns, fill: 1)
    multiplyByDerivative(at: v, &slopes)
    return slopes
  }

  /// The mean of φ′ over the rows of the outputs V, for each column; the bound on it where rows are coupled.
  func columnSlopes(at v: Matrix<Element>) -> [Element] {
    guard isEntrywise, v.rows > 0 else { return [Element](repeating: smoothness, count: v.columns) }
    let slopes = slopes(at: v)
    let mean = Matrix<Element>(1, v.rows, fill: 1 / Element(v.rows))
    return matrixProduct(mean, slopes).storage
  }
}
