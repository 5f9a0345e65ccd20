import ConvexOptimization
import LinearAlgebra

/// Makes a point of a program over groups smaller without ever raising its objective ℓ(F) + λ Σ_g N(u_g): groups whose
/// removal lowers it go, and while the contributions c_g = S σ_g D_g X u_g/N(u_g) of one output are linearly dependent, weight
/// moves along the dependence until a group vanishes. So at most rank ≤ n groups stay for each output, as many as an optimum
/// needs (Carathéodory; Mishkin & Pilanci 2023, *Optimal sets and solution paths of ReLU networks*, §4).
///
/// ReLU neurons, whose patterns may be added up first, have `NetworkPruning`.
package struct GroupPruning {
  private let program: TwoLayerProgram
  /// N(u) > 0 for u ≠ 0, homogeneous of degree 1.
  private let norm: ([Double]) -> Double

  package init(
    _ program: TwoLayerProgram,
    norm: @escaping ([Double]) -> Double = { u in u.reduce(0) { $0 + $1 * $1 }.squareRoot() }
  ) {
    (self.program, self.norm) = (program, norm)
  }

  /// A point with an objective not above that of `point`, to rounding; the same point where that would take long. Cost n d m,
  /// one evaluation of the loss for each of m groups, and n m² for the groups of an output.
  package func pruned(_ point: TwoLayerPoint) throws(FactorisationError) -> TwoLayerPoint {
    let norms = (0..<point.groups.count).map { norm(point.coefficients.row($0)) }
    let live = norms.indices.filter { norms[$0] > 0 }
    guard
      ContributionPruning.isQuick(
        samples: program.rows, features: program.features, outputs: program.outputs, parts: live.count)
    else { return point }
    let pruning = ContributionPruning(loss: program.loss, λ: program.λ)
    let parts = contributions(point, live, norms)
    let before = live.map { norms[$0] }
    let weights = try pruning.independent(pruning.removingUseless(before, parts), parts)
    let kept = weights.indices.filter { weights[$0] > 0 }
    var result = point
    result.groups = kept.map { point.groups[live[$0]] }
    result.coefficients = point.coefficients.selectingRows(kept.map { live[$0] })
    result.coefficients.scaleRows(by: kept.map { weights[$0] / before[$0] })
    return result
  }

  /// Of groups of norm 1.
  private func contributions(
    _ point: TwoLayerPoint, _ live: [Int], _ norms: [Double]
  ) -> ContributionPruning.Parts {
    var z = matrixProduct(program.x, .no, point.coefficients.selectingRows(live), .yes)
    for (column, g) in live.enumerated() {
      let group = point.groups[g]
      let scale = (program.isConstrained ? group.sign : 1) / norms[g]
      for k in 0..<z.rows {
        z[k, column] *= program.patterns.bits[k, group.pattern] ? scale : 0
      }
    }
    return .init(columns: program.pooling(z), outputs: live.map { point.groups[$0].output })
  }
}
