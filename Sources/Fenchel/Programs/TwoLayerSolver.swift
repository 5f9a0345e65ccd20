import ConvexOptimization
import LinearAlgebra

/// Solves a two-layer program as a group lasso, in single or double precision: `GroupLassoSolver` on the masks of the
/// patterns, with the points that `TwoLayerProgram` certifies. With cones every pattern counts twice, once a sign,
/// and coefficients are projected (`PatternCones`).
///
/// For differentiable losses. Held, beside X in working precision: n·P/8 bytes of masks, twice that with cones, and
/// what `GroupLassoSolver` says.
public struct TwoLayerSolver<Element: Scalar>: Solver {
  public typealias Method = GroupLassoMethod

  private var solver: GroupLassoSolver<Element>
  private let program: TwoLayerProgram
  /// T_i with u = T_i y, where the groups of patterns have norms of their own.
  private let factors: [Matrix<Double>]?
  /// The coordinates in which proximal gradients of plain gated programs run.
  private let coordinates: PrincipalCoordinates?

  /// - Parameters:
  ///   - program: its loss is not piecewise linear.
  ///   - tolerance: relative gap at which the solver asks for a certificate.
  ///   - start: a point of the program to begin at, feasible; nil begins at 0.
  ///   - deadline: when projections on cones and factorisations end, and with them the step that asked for them, which is given
  ///     up.
  /// - Throws: `LossError` where targets or weights leave the loss's domain in working precision.
  public init(
    _ program: TwoLayerProgram, tolerance: Double, method: Method = .automatic,
    start: TwoLayerPoint? = nil, deadline: Deadline = .none
  ) throws(LossError) {
    try self.init(
      program, norms: nil, tolerance: tolerance, method: method, start: start, deadline: deadline)
  }

  /// The same with the norms of batch normalisation after the ReLU: the points are those of that program.
  package init(
    _ normalised: PostNormalisationProgram, tolerance: Double, method: Method = .automatic,
    deadline: Deadline = .none
  ) throws(LossError) {
    try self.init(
      normalised.plain, norms: normalised.norms, tolerance: tolerance, method: method, start: nil,
      deadline: deadline)
  }

  private init(
    _ program: TwoLayerProgram, norms: PatternNorms?, tolerance: Double, method: Method,
    start: TwoLayerPoint?, deadline: Deadline
  ) throws(LossError) {
    let loss = try program.kind.makeLoss(
      targets: program.loss.targets.converted(to: Element.self),
      weights: program.loss.weights.map { Element($0) }, parameters: program.parameters)
    let isRotated = norms == nil && Self.isRotated(program, method: method)
    // Where they cannot be had, steps are plain.
    let coordinates = isRotated ? try? PrincipalCoordinates(of: program.x) : nil
    let x =
      coordinates?.coordinates(of: program.x, in: Element.self) ?? program.x.converted(to: Element.self)
    self.coordinates = coordinates
    let (bits, c) = (program.patterns.bits, loss.outputs)
    self.program = program
    factors = norms?.factors
    let signs = program.signs
    var (gates, cones) = (bits.transposed, (any GroupCones<Element>)?.none)
    if program.isConstrained {
      gates = gates.selectingRows((0..<2 * program.patterns.count).map { $0 / 2 })
      cones = PatternCones(x, patterns: bits, outputs: c, deadline: deadline)
    }
    let operation = GatedOperator(data: x, gates: gates, outputs: c, pooling: program.pooling)
    var map: any GroupOperator<Element> = operation
    if let factors = norms?.factors.map({ $0.converted(to: Element.self) }) {
      map = NormedOperator(operation, factors: factors, signs: signs.count)
      cones = NormedCones(x, gates: bits.transposed, factors: factors, outputs: c, deadline: deadline)
    }
    let problem = GroupLassoProblem(
      map: map, loss: loss, λ: Element(program.λ), cones: cones, metric: coordinates?.metric(),
      deadline: deadline)
    solver = GroupLassoSolver(
      problem, tolerance: Element(tolerance), method: method,
      start: start.map { Self.start($0, in: coordinates, signs: signs, outputs: c) })
  }

  /// The groups and coefficients σu of a point.
  private static func start(
    _ point: TwoLayerPoint, in coordinates: PrincipalCoordinates?, signs: [Double], outputs c: Int
  ) -> (groups: [Int], coefficients: Matrix<Element>) {
    let groups = point.groups.map { group in
      (group.pattern * signs.count + (group.sign < 0 ? 1 : 0)) * c + group.output
    }
    let order = groups.indices.sorted { groups[$0] < groups[$1] }
    var coefficients = point.coefficients.selectingRows(order)
    coefficients.scaleRows(by: order.map { point.groups[$0].sign })
    if let coordinates { coefficients = coordinates.coordinates(of: coefficients) }
    return (order.map { groups[$0] }, coefficients.converted(to: Element.self))
  }

  /// Bytes that solving the program takes, about: X, the masks and the gates twice, eight matrices like the coefficients of the
  /// working set, which is a quarter of the groups or, in Newton's method without cones, all of them, and the matrices
  /// of Newton's method where it is used, with the columns they are made of. Cones keep X once more, projections of all
  /// groups, and the faces of the working set, half a d × min(n, d) matrix each.
  public static func bytes(_ program: TwoLayerProgram, method: Method) -> Int {
    let (n, d, c, rows) = (program.samples, program.features, program.outputs, program.rows)
    let p = program.patterns.count * program.signs.count
    let size = MemoryLayout<Element>.size
    let usesNewton = usesNewton(method, for: program)
    let workingSet = usesNewton && !program.isConstrained ? p * c : (p * c + 3) / 4
    let columns = GatedOperator<Element>.gramChunk * n * size
    let newton = GroupLassoSolver<Element>.newtonBytes(samples: n, outputs: c) + columns
    let matrices =
      size * (rows * d + 8 * n * c + 8 * workingSet * d) + rows * p / 4 + 16 * program.patterns.gates.count
      + (usesNewton ? newton : 0)
    guard program.isConstrained else {
      guard isRotated(program, method: method) else { return matrices }
      return matrices + PrincipalCoordinates.bytes(columns: d)
    }
    let held = usesNewton ? max(workingSet, min(128, p * c)) : 0
    let faces = Double(held) * Double(d) * Double(min(rows, d)) / 2  // beyond any Int for absurd shapes
    return matrices + size * (rows * d + 3 * p * c * d) + Int(min(Double(size) * faces, 1e17))
  }

  /// Whether a method comes to Newton's for a program.
  static func usesNewton(_ method: Method, for program: TwoLayerProgram) -> Bool {
    GroupLassoSolver<Element>.usesNewton(
      method, samples: program.samples, outputs: program.outputs, hasCones: program.isConstrained)
  }

  /// Whether a method runs in principal coordinates, without norms of groups' own: proximal gradients without cones.
  private static func isRotated(_ program: TwoLayerProgram, method: Method) -> Bool {
    !program.isConstrained && !usesNewton(method, for: program)
      && PrincipalCoordinates.pays(
        rows: program.rows, columns: program.features, groups: program.patterns.count * program.outputs)
  }

  /// Times that all groups were priced.
  public var rounds: Int { solver.rounds }

  public var point: TwoLayerPoint {
    let point = solver.point
    let (c, signs) = (program.outputs, program.signs)
    func group(_ r: Int) -> TwoLayerGroup {
      let (pattern, s) = (r / c).quotientAndRemainder(dividingBy: signs.count)
      return TwoLayerGroup(pattern: pattern, sign: signs[s], output: r % c)
    }
    let groups = point.groups.map(group)
    var coefficients = point.coefficients.converted(to: Double.self)
    if let coordinates { coefficients = coordinates.rows(from: coefficients) }
    if let factors {
      for (row, group) in groups.enumerated() {
        let y = Matrix(column: coefficients.row(row))
        let u = matrixProduct(factors[group.pattern], .no, y, .no)
        for j in 0..<coefficients.columns { coefficients[row, j] = u[j, 0] }
      }
    }
    coefficients.scaleRows(by: groups.map(\.sign))
    return program.feasible(
      TwoLayerPoint(
        groups: groups, coefficients: coefficients, θ: point.θ.converted(to: Double.self),
        multipliers: Dictionary(
          uniqueKeysWithValues: point.projections.lazy.filter { !$1.support.isEmpty }.map { r, projection in
            (
              group(r),
              SparseVector(indices: projection.support, values: projection.multipliers.map { Double($0) })
            )
          })))
  }

  public var estimatedGap: Double? { solver.estimatedGap }

  public mutating func step() -> StepOutcome { solver.step() }
}
