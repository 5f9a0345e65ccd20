import ConvexOptimization
import LinearAlgebra

/// Solves a gated program with shared neurons by accelerated proximal gradients, in single or double precision. For
/// differentiable losses.
///
/// A step costs 2nd for every pattern and output and a singular value decomposition of each W_i whose norm the step does
/// not shrink to nothing, few near the solution. Held: some ten matrices of all coefficients, P c d.
public struct NuclearSolver<Element: Scalar>: Solver {
  private var method: AcceleratedCompositeMethod<NuclearProblem<Element>>
  private let program: NuclearProgram

  /// - Parameters:
  ///   - tolerance: relative gap at which the solver asks for a certificate.
  ///   - start: a point of the program to begin at; nil begins at 0.
  /// - Throws: `LossError` where targets or weights leave the loss's domain in working precision.
  public init(_ program: NuclearProgram, tolerance: Double, start: TwoLayerPoint? = nil) throws(LossError) {
    self.program = program
    let problem = try NuclearProblem<Element>(program)
    let start = start.map { start in
      var w = Matrix<Element>(problem.shape.rows, problem.shape.columns)
      for (g, group) in start.groups.enumerated() {
        let row = group.pattern * program.gated.outputs + group.output
        for j in 0..<w.columns { w[row, j] = Element(start.coefficients[g, j]) }
      }
      return (coefficients: w, penalty: problem.penalty(w))
    }
    method = AcceleratedCompositeMethod(problem, tolerance: Element(tolerance), start: start)
  }

  /// Bytes that solving the program takes, about.
  public static func bytes(_ program: NuclearProgram) -> Int {
    let gated = program.gated
    let (n, d, c) = (Double(gated.samples), Double(gated.features), Double(gated.outputs))
    let p = Double(gated.patterns.count)
    let numbers = n * d + 8 * n * c + 10 * p * c * d
    return Int(min(Double(MemoryLayout<Element>.size) * numbers + n * p / 4, 1e17))
  }

  public var estimatedGap: Double? {
    method.relativeGap.isFinite ? Double(method.relativeGap) : nil
  }

  public mutating func step() -> StepOutcome { method.step() }

  public var point: TwoLayerPoint {
    let (w, c) = (method.coefficients, program.gated.outputs)
    let live = w.rowNorms.enumerated().filter { $0.element > 0 }.map(\.offset)
    return TwoLayerPoint(
      groups: live.map { TwoLayerGroup(pattern: $0 / c, sign: 1, output: $0 % c) },
      coefficients: w.selectingRows(live).converted(to: Double.self),
      θ: program.gated.loss.residual(at: method.dualPredictions.converted(to: Double.self)))
  }
}

/// A gated program with shared neurons as a composite problem in working precision. W stacks the W_iᵀ, c × d each: the
/// rows of `GatedOperator`.
struct NuclearProblem<Element: Scalar>: CompositeProblem {
  let loss: any Loss<Element>
  private let map: GatedOperator<Element>
  private let λ: Element

  init(_ program: NuclearProgram) throws(LossError) {
    let gated = program.gated
    loss = try gated.kind.makeLoss(
      targets: gated.loss.targets.converted(to: Element.self),
      weights: gated.loss.weights.map { Element($0) }, parameters: gated.parameters)
    map = GatedOperator(
      data: gated.x.converted(to: Element.self), patterns: gated.patterns.bits, outputs: gated.outputs,
      pooling: gated.pooling)
    λ = Element(program.λ)
  }

  var shape: (rows: Int, columns: Int) { (map.groups, map.width) }
  var memory: Bool { false }  // every prox stands for itself

  func apply(_ w: Matrix<Element>, into f: inout Matrix<Element>) {
    let live = w.rowNorms.enumerated().filter { $0.element != 0 }.map(\.offset)
    guard live.count < w.rows else { return map.apply(w, of: live, into: &f) }
    guard !live.isEmpty else { return f = Matrix(f.rows, f.columns) }
    map.apply(w.selectingRows(live), of: live, into: &f)
  }

  func applyAdjoint(_ r: Matrix<Element>, into g: inout Matrix<Element>) {
    map.applyAdjoint(r, to: Array(0..<map.groups), into: &g)
  }

  /// The singular values of every block, less τλ.
  func prox(
    of z: Matrix<Element>, step τ: Element, into w: inout Matrix<Element>, _ memory: inout Bool
  ) -> Element {
    let size = map.outputs * map.width
    guard let norm = try? NuclearNorm(λ) else { return .nan }
    var values = [Element](repeating: 0, count: map.patterns)
    w.withMutablePointer { w in
      values.withMutablePointer { values in
        Parallel.forEach(tiles: map.patterns) { i in
          let own = block(i, of: z)
          guard !(own.frobeniusNorm <= τ * λ) else {
            return (w + i * size).update(repeating: 0, count: size)
          }
          var shrunk = own
          values[i] = norm.prox(of: own, step: τ, into: &shrunk)
          shrunk.withPointer { (w + i * size).update(from: $0, count: size) }
        }
      }
    }
    return values.reduce(0, +)
  }

  /// λ Σ_i ‖W_i‖_*.
  func penalty(_ w: Matrix<Element>) -> Element {
    guard let norm = try? NuclearNorm(λ) else { return .nan }
    return (0..<map.patterns).reduce(0) { $0 + norm.value(at: block($1, of: w)) }
  }

  /// max_i σ_max(G_i)/λ. Only blocks are decomposed whose Frobenius norm exceeds what was found.
  func dualGauge(_ g: Matrix<Element>) -> Element {
    guard let norm = try? NuclearNorm(λ) else { return .nan }
    var largest: Element = 0
    let norms = (0..<map.patterns).map { block($0, of: g).frobeniusNorm }
    for i in norms.indices.sorted(by: { (norms[$0], $1) > (norms[$1], $0) }) {
      guard norms[i] > largest * λ else { break }
      largest = max(largest, norm.dualNorm(of: block(i, of: g)))
    }
    return largest
  }

  private func block(_ i: Int, of stack: Matrix<Element>) -> Matrix<Element> {
    let size = map.outputs * map.width
    return Matrix(map.outputs, map.width, storage: Array(stack.storage[i * size..<(i + 1) * size]))
  }
}
