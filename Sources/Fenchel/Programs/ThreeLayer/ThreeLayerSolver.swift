import ConvexOptimization
import LinearAlgebra

/// Solves a three-layer program as a group lasso with cones in Double: `GroupLassoSolver` on the masks of both layers, with
/// the points that `ThreeLayerProgram` certifies. For differentiable losses.
public struct ThreeLayerSolver: Solver {
  private var solver: GroupLassoSolver<Double>
  private let program: ThreeLayerProgram

  /// - Parameters:
  ///   - tolerance: relative gap at which the solver asks for a certificate.
  ///   - start: a feasible point of the program to begin at; nil begins at 0.
  ///   - deadline: when projections on cones end, and with them the step that asked for them.
  public init(
    _ program: ThreeLayerProgram, tolerance: Double, method: GroupLassoMethod = .automatic,
    start: ThreeLayerPoint? = nil, deadline: Deadline = .none
  ) {
    self.program = program
    let problem = GroupLassoProblem(
      map: program.map, loss: program.loss, λ: program.λ, cones: program.cones(deadline: deadline))
    solver = GroupLassoSolver(
      problem, tolerance: tolerance, method: method,
      start: start.map { point in
        let groups = point.groups.map(program.index)
        let order = groups.indices.sorted { groups[$0] < groups[$1] }
        var coefficients = point.coefficients.selectingRows(order)
        coefficients.scaleRows(by: order.map { point.groups[$0].sign })
        return (order.map { groups[$0] }, coefficients)
      })
  }

  /// Bytes that solving the program takes, about: X and the rows of the cones twice, bits, coefficients and projections of
  /// the groups, and the matrices of Newton's method where it is used.
  public static func bytes(_ program: ThreeLayerProgram) -> Int {
    let (n, d, m, c) = (program.samples, program.features, program.width, program.outputs)
    let rows = SubnetworkPatterns.coneEntries(samples: n, features: d, width: m)
    let bits = program.patterns.count * (rows / max(d * m, 1) + 2 * m * n) / 4
    let usesNewton = GroupLassoSolver<Double>.usesNewton(
      .automatic, samples: n, outputs: c, hasCones: true)
    let newton = usesNewton ? GroupLassoSolver<Double>.newtonBytes(samples: n, outputs: c) : 0
    return 8 * (n * d + 2 * rows + 8 * n * c + 5 * program.groups * m * d) + bits + newton
  }

  public var point: ThreeLayerPoint {
    let point = solver.point
    let groups = point.groups.map(program.group)
    var coefficients = point.coefficients
    coefficients.scaleRows(by: groups.map(\.sign))
    let multipliers = point.projections.lazy.filter { !$1.support.isEmpty }.map { r, projection in
      (
        program.group(r), SparseVector(indices: projection.support, values: projection.multipliers)
      )
    }
    return program.feasible(
      ThreeLayerPoint(
        groups: groups, coefficients: coefficients, θ: point.θ,
        multipliers: Dictionary(uniqueKeysWithValues: multipliers)))
  }

  public var estimatedGap: Double? { solver.estimatedGap }

  public mutating func step() -> StepOutcome { solver.step() }
}
