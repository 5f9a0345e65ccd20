import ConvexOptimization
import LinearAlgebra

/// Solves a polynomial program by accelerated proximal gradients over its semidefinite matrices, in single or double
/// precision. For differentiable losses.
///
/// A step costs 4 n p² c for the products and some 50 p³ c for the projections (two or three eigendecompositions of each of
/// the 2c matrices); a hundred to a thousand steps reach a relative gap of 1e-7. With fewer samples than features the
/// matrices are of the order of the row space, and p is n + 2.
public struct PolynomialSolver<Element: Scalar>: Solver {
  private var method: AcceleratedCompositeMethod<SemidefiniteProblem<Element>>
  private let program: PolynomialProgram
  /// The program whose matrices these are: in the row space where that is smaller.
  private let reduced: PolynomialProgram

  /// - Parameters:
  ///   - tolerance: relative gap at which the solver asks for a certificate.
  ///   - start: a point of the program to begin at; nil begins at 0.
  /// - Throws: `LossError` where targets or weights leave the loss's domain in working precision.
  public init(
    _ program: PolynomialProgram, tolerance: Double, start: PolynomialPoint? = nil
  ) throws(LossError) {
    let program = program.findingRowSpace()
    (self.program, reduced) = (program, program.reduced())
    let problem = try SemidefiniteProblem<Element>(reduced)
    let start = start.map { [reduced] point in
      var neurons = point.neurons
      if let rowSpace = program.rowSpace { neurons.vectors = rowSpace.projected(neurons.vectors) }
      return Self.start(reduced, neurons)
    }
    method = AcceleratedCompositeMethod(problem, tolerance: Element(tolerance), start: start)
  }

  private static func start(
    _ program: PolynomialProgram, _ neurons: NeuronSet
  ) -> (coefficients: Matrix<Element>, penalty: Element) {
    var stack: [Double] = []
    for j in 0..<program.outputs {
      for sign in [1.0, -1.0] {
        let members = (0..<neurons.count).filter { neurons.outputs[$0] == j && neurons.signs[$0] == sign }
        stack += program.matrix(of: members.map(neurons.vectors.row)).storage
      }
    }
    let p = program.order
    let coefficients = Matrix(2 * program.outputs * p, p, storage: stack)
    return (
      coefficients.converted(to: Element.self), Element(program.λ * neurons.norms.reduce(0, +))
    )
  }

  /// Bytes that solving the program takes, about: X twice, six matrices like the predictions, and for each of the 2c
  /// semidefinite matrices eight of the method and six of a projection; where those are of the order of the row space, X once
  /// more for its basis, and for every output at work twelve matrices of order d of the certificate.
  public static func bytes(_ program: PolynomialProgram) -> Int {
    let (n, d, c) = (Double(program.samples), Double(program.features), Double(program.outputs))
    var (entries, order) = (3 * n * d + 6 * n * c, Double(program.order))
    var certificate = 0.0
    if RowSpace.isSmaller(samples: program.samples, features: program.features) {
      order += n + 1 - d
      certificate = 12 * d * d * min(c, Double(Parallel.threads)) + 4 * n * d
    }
    entries += 28 * c * order * order
    return Int(min(Double(MemoryLayout<Element>.size) * entries + 8 * certificate, 1e17))
  }

  public var estimatedGap: Double? {
    method.relativeGap.isFinite ? Double(method.relativeGap) : nil
  }

  public mutating func step() -> StepOutcome { method.step() }

  /// The matrices as neurons, and the best dual point.
  public var point: PolynomialPoint {
    let (p, size) = (reduced.order, reduced.order * reduced.order)
    let stack = method.coefficients.converted(to: Double.self)
    var (rows, signs, outputs): ([[Double]], [Double], [Int]) = ([], [], [])
    for b in 0..<2 * program.outputs {
      let z = Matrix(p, p, storage: Array(stack.storage[b * size..<(b + 1) * size]))
      let found = reduced.neurons(of: z, relativeRank: Double(Element.ulpOfOne) * Double(p))
      rows += found
      signs += found.map { _ in b % 2 == 0 ? 1 : -1 }
      outputs += found.map { _ in b / 2 }
    }
    let vectors = Matrix(rows.count, reduced.features, storage: rows.flatMap { $0 })
    return PolynomialPoint(
      neurons: NeuronSet(
        vectors: program.rowSpace?.lifted(vectors) ?? vectors, signs: signs, outputs: outputs),
      θ: program.loss.residual(at: method.dualPredictions.converted(to: Double.self)))
  }
}
