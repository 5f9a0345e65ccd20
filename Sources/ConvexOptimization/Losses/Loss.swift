import LinearAlgebra

/// A weighted sum of per-sample losses, ℓ(F) = Σ_k s_k ℓ_k(F_k), of predictions F: n × c.
///
/// Sums, never means: a sample with weight 2 equals the sample given twice. A weighted loss has the conjugate
/// Σ_k s_k ℓ_k*(a_k / s_k); a sample with s_k = 0 contributes nothing, and its conjugate is 0 at a_k = 0 and +∞
/// elsewhere. The domain of every conjugate contains 0.
///
/// Where ℓ is not differentiable (`smoothness` is +∞), `gradient` writes a subgradient.
public protocol Loss<Element>: SmoothFunction, ProximableFunction, ConjugableFunction {
  /// Name on the command line and in model files, such as `squared-hinge`.
  static var name: String { get }
  /// Y: n × c; real values, −1/1 labels or one-hot rows, as the loss has them.
  var targets: Matrix<Element> { get }
  /// s: n non-negative sample weights.
  var weights: [Element] { get }
  /// Whether ℓ_k is a sum over outputs, so that programs with per-output groups fall apart into c problems.
  var isSeparable: Bool { get }
  /// For a separable loss: the loss of output j alone, n × 1.
  func restricted(toOutput j: Int) -> Self
  /// The loss of some samples alone, in the given order, each as often as it is named. Cost: their targets.
  func restricted(toSamples samples: ArraySlice<Int>) -> Self
  /// Writes ∂²ℓ/∂F_{kj}² into `diagonal` (n × c); 0 where ℓ is piecewise linear.
  func secondDerivative(at f: Matrix<Element>, into diagonal: inout Matrix<Element>)
  /// L with ∇²ℓ(F) = L Lᵀ; by default L = diag(√ℓ″), right for separable losses.
  func hessianFactor(at f: Matrix<Element>) -> HessianFactor<Element>
  /// Whether every ℓ_k is piecewise linear with one kink an entry (hinge, absolute, quantile).
  var isPiecewiseLinear: Bool { get }
  /// For ℓ_k(f) = max(left·(f − position), right·(f − position)), weight included, or the Moreau envelope of such a
  /// function: its kink. Otherwise, and where the weight is 0, nil.
  func kink(sample k: Int, output j: Int) -> Kink<Element>?
}

/// A convex function of two slopes, left < right, or its Moreau envelope:
///
///     h(f) = min_t max(left·(f − position − t), right·(f − position − t)) + t²/(2·compliance).
///
/// A compliance of 0 stands for the function itself, t = 0.
public struct Kink<Element: Scalar>: Sendable, Equatable {
  public var position: Element
  public var left: Element
  public var right: Element
  public var compliance: Element

  public init(position: Element, left: Element, right: Element, compliance: Element = 0) {
    self.position = position
    self.left = left
    self.right = right
    self.compliance = compliance
  }

  /// h(f).
  public func value(at f: Element) -> Element {
    let r = f - position
    let slope = r >= right * compliance ? right : r <= left * compliance ? left : r / compliance
    return slope * (r - slope * compliance / 2)
  }
}

extension Loss {
  public func hessianFactor(at f: Matrix<Element>) -> HessianFactor<Element> {
    var diagonal = f
    secondDerivative(at: f, into: &diagonal)
    return HessianFactor(roots: diagonal.squareRoots())
  }

  public var isPiecewiseLinear: Bool { false }
  public func kink(sample k: Int, output j: Int) -> Kink<Element>? { nil }
  public var samples: Int { targets.rows }
  public var outputs: Int { targets.columns }
}
