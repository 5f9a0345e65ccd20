import ConvexOptimization
import LinearAlgebra

/// Solves a gated program as a group lasso, in single or double precision: `GroupLassoSolver` on the masks of the
/// patterns, with the points that `TwoLayerProgram` certifies.
///
/// For programs without cones and with a differentiable loss. Held, beside X in working precision: n·P/8 bytes of
/// masks and what `GroupLassoSolver` says.
public struct GatedSolver<Element: Scalar>: Solver {
  public typealias Method = GroupLassoSolver<GatedOperator<Element>>.Method

  private var solver: GroupLassoSolver<GatedOperator<Element>>

  /// - Parameters:
  ///   - program: without cones; its loss is not piecewise linear.
  ///   - tolerance: relative gap at which the solver asks for a certificate.
  /// - Throws: `LossError` where targets or weights leave the loss's domain in working precision.
  public init(
    _ program: TwoLayerProgram, tolerance: Double, method: Method = .automatic
  ) throws(LossError) {
    precondition(!program.isConstrained, "a program with cones is no group lasso")
    let loss = try program.kind.makeLoss(
      targets: program.loss.targets.converted(to: Element.self),
      weights: program.loss.weights.map { Element($0) }, parameters: program.parameters)
    let map = GatedOperator(
      data: program.x.converted(to: Element.self), patterns: program.patterns.bits, outputs: loss.outputs)
    solver = GroupLassoSolver(
      GroupLassoProblem(map: map, loss: loss, λ: Element(program.λ)), tolerance: Element(tolerance),
      method: method)
  }

  /// Bytes that solving the program takes, about: X, the masks twice, coefficients and their like for a quarter of
  /// the groups, and the matrices of Newton's method where it is used.
  public static func bytes(_ program: TwoLayerProgram, method: Method) -> Int {
    let (n, d, c, p) = (program.samples, program.features, program.outputs, program.patterns.count)
    let size = MemoryLayout<Element>.size
    let newton = GroupLassoSolver<GatedOperator<Element>>.newtonBytes(samples: n, outputs: c)
    let usesNewton = GroupLassoSolver<GatedOperator<Element>>.usesNewton(method, samples: n, outputs: c)
    return size * (n * d + 8 * n * c + 2 * p * c * d) + n * p / 4 + (usesNewton ? newton : 0)
  }

  /// Times that all groups were priced.
  public var rounds: Int { solver.rounds }

  public var estimatedGap: Double? { solver.estimatedGap }

  public var point: TwoLayerPoint {
    let point = solver.point
    let map = solver.problem.map
    return TwoLayerPoint(
      groups: point.groups.map {
        TwoLayerGroup(pattern: map.pattern(of: $0), sign: 1, output: map.output(of: $0))
      },
      coefficients: point.coefficients.converted(to: Double.self), θ: point.θ.converted(to: Double.self))
  }

  public mutating func step() -> StepOutcome { solver.step() }
}
