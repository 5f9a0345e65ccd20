import ConvexOptimization
import LinearAlgebra

/// A primal–dual interior-point method for two-layer programs over a set of groups: Mehrotra's predictor and
/// corrector with Nesterov–Todd scaling, in Double.
///
/// Since all groups share X, a Newton step needs one d × d factorisation a group and one system that couples
/// them, either n × n for each output (`SampleSystem`: its matrix is a sum over groups whatever their number)
/// or Gd × Gd (`CoefficientSystem`); the smaller is taken. Typically 12–30 iterations to a gap of 1e-8.
/// Cost of one: G n d² for the groups and n² G d + n³/3, or n (Gd)² + (Gd)³/3, for the system.
public struct InteriorPointMethod: Solver {
  private let program: TwoLayerProgram
  private var blocks: [ConeBlock]
  private let offset: Offset
  private var loss: LossTerm
  private var system: any NewtonSystem
  private var dualNorm = Double.infinity
  /// The measure of the last iterate, for choosing when to certify.
  public private(set) var optimality = Optimality()
  private let tolerance: Double
  private var shortSteps = 0
  /// Whether steps keep well inside the cones and products near the central path, and predictions under a loss with
  /// exponentials move by a few units at most: slower, for programs whose optimum is degenerate.
  private let isCautious: Bool

  /// How far an iterate is from optimal, by the method's own measure.
  public struct Optimality: Sendable {
    /// Sum of all complementarity products, relative to max(1, |objective|).
    public var relativeGap = Double.infinity
    /// Largest violation of the linear equations, relative.
    public var infeasibility = Double.infinity
  }

  /// Shifts of the inequalities of zero rows of X, kept alive for the blocks.
  private final class Offset {
    let pointer: UnsafeMutablePointer<Double>
    init(_ x: Matrix<Double>) {
      pointer = .allocate(capacity: max(x.rows, 1))
      for k in 0..<x.rows {
        let isZero = (0..<x.columns).allSatisfy { x[k, $0] == 0 }
        pointer[k] = isZero ? 1 : 0
      }
    }
    deinit { pointer.deallocate() }
  }

  /// A method on the given groups of a program, at its starting point. It reports `.readyForCertificate` once its
  /// own relative gap is below `tolerance`. A cautious one is slower and gets further where an optimum is degenerate.
  public init(
    _ program: TwoLayerProgram, groups: [TwoLayerGroup], tolerance: Double, isCautious: Bool = false
  ) {
    self.program = program
    self.tolerance = tolerance
    self.isCautious = isCautious
    let (n, d) = (program.samples, program.features)
    let offset = Offset(program.x)
    self.offset = offset
    blocks = groups.map {
      ConeBlock(
        group: $0, patterns: program.patterns.bits, features: d, isConstrained: program.isConstrained,
        pooling: program.pooling, offset: offset.pointer)
    }
    let targetSize = Self.rootMeanSquare(program.loss.targets.storage)
    let rowSize = Self.rootMeanSquare(program.x.storage) * Double(d).squareRoot()
    let size = targetSize > 0 ? targetSize : 1
    loss = LossTerm(program.loss, scale: size)
    let t = rowSize > 0 ? size / rowSize : 1
    for block in blocks { block.start(t: t, slack: size, λ: program.λ) }
    if Self.prefersCoefficients(program, groups: groups, isCautious: isCautious) {
      system = CoefficientSystem(samples: n, features: d)
    } else {
      system = SampleSystem(samples: n, features: d, outputs: program.outputs)
    }
  }

  /// The groups that the method has kept.
  public var groups: [TwoLayerGroup] { blocks.map(\.group) }

  private static func rootMeanSquare(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let largest = values.reduce(0) { max($0, abs($1)) }
    guard largest > 0 else { return 0 }
    let sum = values.reduce(0) { $0 + ($1 / largest) * ($1 / largest) }
    return largest * (sum / Double(values.count)).squareRoot()
  }

  /// Multiplications of one step on some groups of a program: those of the coefficient system, and of the sample
  /// system with the groups' own factorisations.
  private static func work(
    _ program: TwoLayerProgram, groups: [TwoLayerGroup]
  ) -> (coefficients: Double, samples: Double) {
    let (d, count) = (Double(program.features), Double(groups.count))
    let (n, c, size) = (Double(program.samples), Double(program.outputs), d * count)
    let own = program.isConstrained ? count * Double(program.rows) * d * d : 0
    let coefficients = n * size * size + size * size * size / 3
    let samples = n * n * (program.isConstrained ? size : 2 * count) + c * n * n * n / 3
    return (own + coefficients, own + samples * (program.loss.isSeparable ? 1 : 2))
  }

  /// Whether the coefficient system is taken: where it is cheaper, with caution a hundred times, as kinks that hold make
  /// it ill-conditioned.
  private static func prefersCoefficients(
    _ program: TwoLayerProgram, groups: [TwoLayerGroup], isCautious: Bool
  ) -> Bool {
    let work = work(program, groups: groups)
    return (isCautious ? 100 : 1) * work.coefficients < work.samples
  }

  /// Multiplications of one step on some groups of a program.
  public static func stepWork(_ program: TwoLayerProgram, groups: [TwoLayerGroup]) -> Double {
    let work = work(program, groups: groups)
    return min(work.coefficients, work.samples)
  }

  /// Bytes that the method takes on `groups` groups of a program.
  public static func bytes(
    _ program: TwoLayerProgram, groups: [TwoLayerGroup], isCautious: Bool = false
  ) -> Int {
    let (n, d, count) = (program.samples, program.features, groups.count)
    let perBlock = 8 * ((program.isConstrained ? 10 : 3) * program.rows + d * d + 12 * d)
    if prefersCoefficients(program, groups: groups, isCautious: isCautious) {
      return count * perBlock + CoefficientSystem.bytes(samples: n, features: d, groups: count)
    }
    return count * perBlock
      + SampleSystem.bytes(samples: n, features: d, groups: count, outputs: program.outputs)
  }

  public var point: TwoLayerPoint {
    let d = program.features
    var coefficients = Matrix<Double>(blocks.count, d)
    for (g, block) in blocks.enumerated() {
      for j in 0..<d { coefficients[g, j] = block.u[j] }
    }
    return TwoLayerPoint(
      groups: blocks.map(\.group), coefficients: coefficients, θ: loss.dualPoint())
  }

  /// Σ_g ‖u_g‖ λ + ℓ(F) at the current predictions.
  private var objective: Double {
    blocks.reduce(program.loss.value(at: loss.predictions)) {
      $0 + program.λ * Double.norm2(program.features, $1.u)
    }
  }

  public mutating func step() -> StepOutcome {
    program.x.withPointer { x in
      let total = updateResiduals(x)
      if optimality.relativeGap <= tolerance, optimality.infeasibility <= max(tolerance, 1e-12) {
        return .readyForCertificate
      }
      guard total.isFinite else { return .failed }
      dropInactiveGroups()
      guard factorise(x) else { return .failed }
      let μ = self.complementarity(afterStep: 0) / Double(degree)
      clearSecondOrder()
      _ = direction(centring: 0, x)
      let predicted = complementarity(afterStep: min(1, maximalStep()))
      let ratio = min(1, max(0, predicted / (μ * Double(degree))))
      keepSecondOrder()
      let σμ = max(ratio * ratio * ratio, isCautious ? 0.1 : 0) * μ
      var Δθ = direction(centring: σμ, x)
      let length = improveCentrality(&Δθ, length: stepLength(), σμ: σμ, x)
      return advance(by: length, Δθ)
    }
  }

  /// Leaves out the groups that are on their way to zero: small, with a dual variable well inside its cone. A
  /// group dropped in error shows as violated when the point is priced. Halves the cost of later iterations.
  private mutating func dropInactiveGroups() {
    guard !isCautious else { return }
    guard optimality.relativeGap < 0.5 else { return }
    let (smallest, inside) = (1e-2 * blocks.reduce(0) { max($0, $1.t) }, 0.7 * program.λ)
    blocks.removeAll { $0.age > 6 && $0.t < smallest && $0.dualNorm < inside }
  }

  /// 0.99 of the way to the boundary, 0.9 with caution; at most 1.
  private func stepLength() -> Double { min(1, (isCautious ? 0.9 : 0.99) * maximalStep()) }

  /// Up to three centrality corrections (Gondzio 1996): each aims at complementarity products between a tenth
  /// and ten times σμ after a somewhat longer step, with the factors at hand. Returns the length of the step.
  private mutating func improveCentrality(
    _ Δθ: inout Matrix<Double>, length first: Double, σμ: Double, _ x: UnsafePointer<Double>
  ) -> Double {
    var length = first
    guard program.isConstrained else { return length }
    for _ in 0..<3 where length < 0.9 {
      for block in blocks { block.correctCentrality(afterStep: min(1, length + 0.3), target: σμ) }
      let corrected = direction(centring: σμ, x)
      let longer = stepLength()
      if longer < length + 0.03 {
        for block in blocks { block.restoreSecondOrder() }
        if longer < length { Δθ = direction(centring: σμ, x) } else { (Δθ, length) = (corrected, longer) }
        return length
      }
      (Δθ, length) = (corrected, longer)
    }
    return length
  }

  private mutating func clearSecondOrder() {
    for block in blocks { block.clearSecondOrder() }
    loss.clearSecondOrder()
  }

  private mutating func keepSecondOrder() {
    for block in blocks { block.keepSecondOrder() }
    loss.keepSecondOrder()
  }

  private var degree: Int { blocks.reduce(loss.degree) { $0 + 1 + $1.inequalities } }

  /// Refreshes predictions and residuals, and returns the total complementarity.
  private mutating func updateResiduals(_ x: UnsafePointer<Double>) -> Double {
    let work = program.x.count * blocks.count
    Parallel.forEach(tiles: blocks.count, work: work) { blocks[$0].predict(blocks[$0].u, x: x) }
    for j in 0..<program.outputs { loss.predictions.setColumn(j, toContributionsOf: blocks) }
    let lossResidual = loss.update()
    let θ = (0..<program.outputs).map { loss.θ.column($0) }
    var norms = [Double](repeating: 0, count: blocks.count)
    norms.withMutablePointer { norms in
      Parallel.forEach(tiles: blocks.count, work: work) { g in
        norms[g] = θ[blocks[g].group.output].withPointer { blocks[g].updateResiduals(θ: $0, x: x) }
      }
    }
    let violation = norms.reduce(0) { max($0, $1 / program.λ - 1) }
    let slack = blocks.reduce(0) { max($0, $1.slackInfeasibility) }
    let scale = loss.predictions.storage.reduce(1e-300) { max($0, abs($1)) }
    let complementarity = self.complementarity(afterStep: 0)
    optimality.relativeGap = complementarity / max(1, abs(objective))
    optimality.infeasibility = max(violation, slack / scale, lossResidual)
    return complementarity
  }

  private func complementarity(afterStep length: Double) -> Double {
    blocks.reduce(loss.complementarity(afterStep: length)) {
      $0 + $1.complementarity(afterStep: length, λ: program.λ)
    }
  }

  private mutating func factorise(_ x: UnsafePointer<Double>) -> Bool {
    let (n, d) = (program.samples, program.features)
    let work = program.x.count * d * blocks.count
    var succeeded = [Bool](repeating: true, count: blocks.count)
    succeeded.withMutablePointer { succeeded in
      Parallel.forEach(tiles: blocks.count, work: work) {
        succeeded[$0] = blocks[$0].factorise(x: x, λ: program.λ)
      }
    }
    guard !succeeded.contains(false) else { return false }
    if Self.prefersCoefficients(program, groups: blocks.map(\.group), isCautious: isCautious) {
      if !(system is CoefficientSystem) { system = CoefficientSystem(samples: n, features: d) }
    }
    return system.factorise(blocks, loss, x: x)
  }

  /// One Newton direction towards complementarity products σμ; leaves each part's step in it, returns Δθ.
  private mutating func direction(
    centring σμ: Double, _ x: UnsafePointer<Double>
  ) -> Matrix<Double> {
    let work = program.x.count * blocks.count
    loss.updateTarget(centring: σμ)
    Parallel.forEach(tiles: blocks.count, work: work) {
      blocks[$0].updateRightHandSide(centring: σμ, x: x)
    }
    let Δθ = system.solve(blocks, loss, x: x)
    let columns = (0..<program.outputs).map { Δθ.column($0) }
    Parallel.forEach(tiles: blocks.count, work: work) { g in
      columns[blocks[g].group.output].withPointer { blocks[g].completeStep(Δθ: $0, x: x) }
    }
    loss.completeStep(Δθ: Δθ, centring: σμ)
    return Δθ
  }

  private func maximalStep() -> Double {
    blocks.reduce(loss.maximalStep()) { min($0, $1.maximalStep(λ: program.λ)) }
  }

  private mutating func advance(by length: Double, _ Δθ: Matrix<Double>) -> StepOutcome {
    guard length.isFinite, Δθ.storage.allSatisfy(\.isFinite) else { return .failed }
    shortSteps = length < 1e-6 ? shortSteps + 1 : 0
    if shortSteps >= 3 { return .stalled }
    var length = length
    if isCautious, [.logistic, .softmax, .poisson].contains(program.kind) {
      length = min(length, 3 / max(loss.largestChange(Δθ: Δθ), 1e-300))
    }
    for block in blocks { block.advance(by: length) }
    loss.advance(by: length, Δθ: Δθ)
    return .advanced
  }
}
