import LinearAlgebra

/// A smooth loss of a linear map of groups, with the group lasso:
///
///     min_W ℓ(Σ_r A_r w_r) + λ Σ_r ‖w_r‖₂,      max_θ −ℓ*(−θ)  subject to  ‖A_rᵀθ‖₂ ≤ λ for every r,
///
/// with θ = −∇ℓ(F) at the optimum. Groups may be confined to cones, w_r ∈ K_r; the dual constraint then is
/// ‖Π_{K_r}(A_rᵀθ)‖ ≤ λ.
public struct GroupLassoProblem<Element: Scalar>: Sendable {
  public let map: any GroupOperator<Element>
  public let loss: any Loss<Element>
  public let λ: Element
  public let cones: (any GroupCones<Element>)?
  /// What proximal gradients measure steps in, where there are no cones; nil: ‖·‖.
  public let metric: CoordinateMetric<Element>?
  /// When steps advance nothing more, and wait for the driver to end the run.
  public let deadline: Deadline

  /// - Parameter deadline: with cones theirs counts.
  public init(
    map: any GroupOperator<Element>, loss: any Loss<Element>, λ: Element,
    cones: (any GroupCones<Element>)? = nil, metric: CoordinateMetric<Element>? = nil,
    deadline: Deadline = .none
  ) {
    precondition(map.samples == loss.samples && map.outputs == loss.outputs, "map and loss differ in shape")
    precondition(λ > 0 && λ.isFinite, "λ is positive and finite")
    self.map = map
    self.loss = loss
    self.λ = λ
    self.cones = cones
    precondition(cones == nil || metric == nil, "projections on cones are those of ‖·‖")
    precondition(
      metric.map { $0.weights.count == map.width } ?? true, "one weight of the metric a coordinate")
    self.metric = metric
    self.deadline = cones?.deadline ?? deadline
  }

  /// The problem of output j alone, for a separable loss.
  func restricted(toOutput j: Int) -> GroupLassoProblem {
    GroupLassoProblem(
      map: map.restricted(toOutput: j), loss: loss.restricted(toOutput: j), λ: λ,
      cones: cones?.restricted(toOutput: j), metric: metric, deadline: deadline)
  }

  /// A matrix of the shape of the predictions, n × c.
  var zeroPredictions: Matrix<Element> { Matrix(map.samples, map.outputs) }

  /// λ_max = max_r ‖A_rᵀ∇ℓ(0)‖ without cones: W = 0 is optimal exactly for λ ≥ λ_max. Cost of one adjoint product.
  public func largestλ() -> Element {
    var gradient = zeroPredictions
    loss.gradient(at: zeroPredictions, into: &gradient)
    return map.adjointNorms(gradient).max() ?? 0
  }

  /// The scaling of θ, feasible for the given groups and λ, with the largest value found; `norms` holds
  /// ‖A_rᵀθ‖, or with cones ‖Π(A_rᵀθ)‖.
  ///
  /// Scaled by min(1, λ / max_r ‖A_rᵀθ‖) — for separable losses each output by its own maximum — and then by the
  /// common factor that maximises the parabola through the values at 0, ½ and 1 of it, which is exact for the
  /// squared loss.
  func dual(_ θ: Matrix<Element>, norms: [Element], groups: [Int], λ: Element) -> GroupLassoDual<Element> {
    let c = map.outputs
    var largest = [Element](repeating: 0, count: c)
    for (norm, group) in zip(norms, groups) {
      let j = map.output(of: group)
      largest[j] = max(largest[j], norm)
    }
    if !loss.isSeparable { largest = [Element](repeating: largest.max() ?? 0, count: c) }
    let scales = largest.map { $0 > λ ? λ / $0 : 1 }
    let room = zip(largest, scales).map { $0 > 0 ? λ / ($0 * $1) : .infinity }.min() ?? 1
    func value(_ t: Element) -> Element { -loss.conjugateValue(at: θ.scalingColumns(scales.map { -$0 * t })) }
    let (atZero, atHalf, atOne) = (value(0), value(0.5), value(1))
    var best: (value: Element, t: Element) = atOne >= atHalf ? (atOne, 1) : (atHalf, 0.5)
    let curvature = 2 * (2 * atHalf - atOne - atZero)  // D(t) ≈ D(0) + s t − curvature t²
    let vertex = (atOne - atZero + curvature) / (2 * curvature)
    if curvature > 0, vertex.isFinite, vertex > 0 {
      let t = min(vertex, room)
      let other = value(t)
      if other > best.value { best = (other, t) }
    }
    return GroupLassoDual(value: best.value, scales: scales.map { $0 * best.t }, θ: θ)
  }
}

/// A dual point as a scaling of θ, column by column, and its value −ℓ*(−θ).
struct GroupLassoDual<Element: Scalar>: Sendable {
  var value: Element
  var scales: [Element]
  var θ: Matrix<Element>

  /// The scaled θ.
  var point: Matrix<Element> { θ.scalingColumns(scales) }
}

/// A point of a group lasso problem.
public struct GroupLassoPoint<Element: Scalar>: Sendable {
  /// The groups with coefficients, ascending.
  public var groups: [Int]
  /// Their coefficients, one row a group.
  public var coefficients: Matrix<Element>
  /// θ: n × c, the best dual point so far, feasible up to rounding.
  public var θ: Matrix<Element>
  /// With cones: projections of multiples of A_rᵀθ for groups r, whose multipliers show θ to be feasible.
  public var projections: [Int: ConeProjection<Element>]
}

extension Matrix {
  /// A diag(s).
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  func scalingColumns(_ scales: [Element]) -> Matrix {
    var result = self
    let (rows, columns) = (rows, columns)
    result.withMutablePointer { a in
      for i in 0..<rows { for j in 0..<columns { a[i * columns + j] *= scales[j] } }
    }
    return result
  }
}
