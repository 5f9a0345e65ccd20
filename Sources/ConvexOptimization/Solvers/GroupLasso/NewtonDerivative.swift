import LinearAlgebra

/// What a Newton step at a stage is made of: the active groups, the derivative M of the prox and the factor of
/// the Hessian.
struct NewtonDerivative<Operator: GroupOperator> {
  typealias Element = Operator.Element
  let map: Operator
  let groups: [Int]
  let σ: Element
  /// τ = σλ/‖z‖ for each active group.
  let τ: [Element]
  /// ẑ = z/‖z‖, one row a group.
  let directions: Matrix<Element>
  let factor: HessianFactor<Element>

  init(_ problem: RestrictedProblem<Operator>, _ stage: NewtonStage<Element>, σ: Element) {
    let active = stage.norms.indices.filter { stage.norms[$0] > 0 }
    let threshold = σ * problem.λ
    let sizes = active.map { stage.norms[$0] + threshold }
    map = problem.whole.map
    groups = active.map { problem.groups[$0] }
    self.σ = σ
    τ = sizes.map { threshold / $0 }
    var directions = stage.z.selectingRows(active)
    directions.scaleRows(by: sizes.map { 1 / $0 })
    self.directions = directions
    factor = problem.loss.hessianFactor(at: stage.predictions)
  }

  /// Q V = σ A M Aᵀ V.
  func applyQ(_ v: Matrix<Element>) -> Matrix<Element> {
    var g = Matrix<Element>(groups.count, map.width)
    map.applyAdjoint(v, to: groups, into: &g)
    let d = map.width
    directions.withPointer { directions in
      g.withMutablePointer { g in
        for r in groups.indices {
          let (row, direction) = (g + r * d, directions + r * d)
          let along = Element.dot(d, row, direction)
          Element.scale(d, σ * (1 - τ[r]), row)
          Element.axpy(d, σ * τ[r] * along, direction, row)
        }
      }
    }
    var result = v
    map.apply(g, of: groups, into: &result)
    return result
  }

  /// The lower triangle of the part of Q of output j.
  func fillGram(_ q: inout Matrix<Element>, output j: Int) {
    let rows = groups.indices.filter { map.output(of: groups[$0]) == j }
    var vectors = directions.selectingRows(rows)
    vectors.scaleRows(by: rows.map { (σ * τ[$0]).squareRoot() })
    map.gram(
      of: rows.map { groups[$0] }, scales: rows.map { σ * (1 - τ[$0]) }, vectors: vectors, into: &q)
  }
}
