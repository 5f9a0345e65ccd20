import ConvexOptimization
import LinearAlgebra

/// A cone {w : s_k x_{i_k}ᵀw ≥ 0 for k = 1, 2, …} of directions, cut out of ℝᵈ by the hyperplanes of samples.
public struct DirectionCone: Sendable, Equatable {
  /// A half-space s xᵀw ≥ 0 of a sample, s = ±1.
  public struct Cut: Sendable, Equatable {
    public var sample: Int
    public var side: Double

    public init(sample: Int, side: Double) { (self.sample, self.side) = (sample, side) }
  }

  /// None for all of ℝᵈ.
  public var cuts: [Cut]

  public init(cuts: [Cut] = []) { self.cuts = cuts }

  /// The two halves into which a sample's hyperplane cuts it.
  package func halves(by sample: Int) -> [DirectionCone] {
    [1.0, -1.0].map { DirectionCone(cuts: cuts + [Cut(sample: sample, side: $0)]) }
  }

  /// Whether cones that came from cutting cones in halves leave out no direction.
  package static func cover(_ cones: [DirectionCone]) -> Bool {
    func covers(_ cones: [ArraySlice<Cut>]) -> Bool {
      if cones.contains(where: \.isEmpty) { return true }
      guard let sample = cones.first?.first?.sample else { return false }
      return [1.0, -1.0].allSatisfy { side in
        covers(cones.filter { $0.first == Cut(sample: sample, side: side) }.map { $0.dropFirst() })
      }
    }
    return covers(cones.map { $0.cuts[...] })
  }

  /// l_i ≤ x_iᵀw ≤ u_i for all w of the cone with ‖w‖ ≤ 1, l_i ≤ 0 ≤ u_i, safe from rounding.
  ///
  /// u_i = ‖x_i + Hᵀα‖ for any α ≥ 0, where H has the rows s_k x_{i_k}: tight where it is the projection on the cone. Cost
  /// some n d k for k cuts.
  package func ranges(of x: Matrix<Double>) -> [ClosedRange<Double>] {
    let normals = NonnegativeLeastSquares(x.selectingRows(cuts.map(\.sample)))
    let sides = cuts.map(\.side)
    let rounding = 4 * Double(x.columns + cuts.count + 4) * Double.ulpOfOne
    func reach(_ q: [Double]) -> Double {
      let norm = StrictArithmetic.norm(q)
      guard norm > 0, !cuts.isEmpty else { return norm * (1 + rounding) }
      let found = normals.solve(q, signs: sides)
      let spent = zip(found.support, found.multipliers).reduce(norm) { $0 + abs($1.1) * normals.norms[$1.0] }
      let length = StrictArithmetic.norm(found.residual) + rounding * spent
      return found.multipliers.allSatisfy { $0 >= 0 } && length <= norm ? length : norm * (1 + rounding)
    }
    return (0..<x.rows).map { i in
      let row = x.row(i)
      return -reach(row.map { -$0 })...reach(row)
    }
  }
}
