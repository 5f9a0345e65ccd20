import ConvexOptimization
import LinearAlgebra

/// Solves a program of ReLU networks with shared neurons by a fully corrective conditional gradient method
/// (Frank & Wolfe 1956; Jaggi 2013) over atoms u vᵀ in the cones of the patterns. For differentiable losses, in Double. A step
///
/// 1. minimises over all second layers with the first ones held, a group lasso (`SecondLayerBlock`), which drops neurons that
///    became 0, as neurons that are nearly one become one;
/// 2. moves the first layers in their cones with the second ones held (`FirstLayerBlock`), and keeps what is better:
///    the objective does not rise;
/// 3. looks in every pattern with σ_max((D_iX)ᵀSᵀθ) > λ for atoms of ‖Gᵀu‖ > λ (`ConeAscent`), which become neurons of
///    next to no size: they raise the objective by 1e-8 of a neuron's, until 1.
///
/// Where none is found the program is solved as far as ascents can tell; whether it is so the certificate says. Cost of a step:
/// 2n K (d + c) for K neurons some hundred times, a projection for each neuron some tens of times, and for each pattern
/// that is priced.
public struct ConicNuclearSolver: Solver {
  private let program: ConicNuclearProgram
  private let cones: PatternCones<Double>
  private let deadline: Deadline
  private var neurons: SharedNeurons
  private var objective: Double
  private var θ: Matrix<Double>
  /// The largest dual value that ascents do not refute, with its θ.
  private var best: (dual: Double, θ: Matrix<Double>)
  /// Outputs v of the atoms that ascents found in a pattern last.
  private var lastOutputs: [Int: [[Double]]] = [:]
  private var tolerance: Double
  /// Where certificates at so much smaller estimates do not suffice either, it is their bound that is short, not the point.
  private let leastTolerance: Double
  /// 1 − cos of the angle within which neurons become one; smaller after each time that this would have cost too much.
  private var mergedAngle = 1e-2
  /// Steps in a row that gained next to nothing and found nothing new.
  private var idle = 0

  /// Steps of the two inner methods at most, in every step.
  private static var secondLayerSteps: Int { 400 }
  private static var firstLayerSteps: Int { 30 }
  /// Ascents in a pattern, and atoms that it may give, in a step.
  private static var starts: Int { 2 }

  /// - Parameters:
  ///   - tolerance: relative gap at which the solver asks for a certificate.
  ///   - start: neurons to begin at; nil begins with none.
  ///   - deadline: when inner loops end, and with them the step, which may be given up.
  public init(
    _ program: ConicNuclearProgram, tolerance: Double, start: SharedNeurons? = nil, deadline: Deadline = .none
  ) {
    precondition(!program.relu.loss.isPiecewiseLinear, "the loss has kinks: no gradient method solves this")
    (self.program, self.tolerance, self.deadline) = (program, tolerance, deadline)
    leastTolerance = tolerance / 4
    cones = PatternCones(program.relu.x, patterns: program.relu.patterns.bits, outputs: 1, deadline: deadline)
    let (d, c) = (program.relu.features, program.relu.outputs)
    neurons = (start ?? .none(features: d, outputs: c)).normalised
    θ = Matrix(program.relu.samples, c)
    (objective, best) = (.infinity, (-.infinity, θ))
    evaluate()
    let zero = SharedNeurons.none(features: d, outputs: c)
    if !(objective <= value(of: zero).objective) {
      neurons = zero
      evaluate()
    }
    best.θ = θ
  }

  /// Bytes that solving the program takes, about, beside X: two copies of it, one of them transposed, and a dozen matrices of
  /// order d for each thread in the certificate; the images of all patterns; activations of as many neurons as patterns or
  /// three an output and sample.
  public static func bytes(_ program: ConicNuclearProgram) -> Int {
    let relu = program.relu
    let (n, d, c) = (Double(relu.rows), Double(relu.features), Double(relu.outputs))
    let p = Double(relu.patterns.count)
    let copies = 3 * (Double(Parallel.threads) + 1) * n * d + 12 * Double(Parallel.threads) * d * d
    let neurons = 2 * p
    let numbers = copies + p * c * d + 8 * n * c + neurons * (4 * n + 10 * (d + c) + d * min(n, d) / 2)
    return Int(min(8 * numbers + n * p / 4, 1e17))
  }

  public var point: ConicNuclearProgram.Point { .init(neurons: neurons, θ: best.θ) }

  public private(set) var estimatedGap: Double?

  public mutating func step() -> StepOutcome {
    while let gap = estimatedGap, tolerance > 0, gap <= tolerance { tolerance /= 4 }
    guard tolerance >= leastTolerance else { return .stalled }
    let before = objective
    guard objective.isFinite else { return .failed }
    if neurons.count > 0 {
      moveSecondLayers()
      moveFirstLayers()
      moveSecondLayers()
      merge(keepingBelow: (before + objective) / 2)
    }
    guard objective.isFinite else { return .failed }
    let found = price()
    let gap = (objective - best.dual) / max(1, abs(objective))
    estimatedGap = gap
    idle = before - objective <= 1e-12 * max(1, abs(objective)) && found == 0 ? idle + 1 : 0
    if idle > 3 { return .stalled }  // another certificate would say the same
    return gap <= tolerance ? .readyForCertificate : .advanced
  }

  /// ℓ(F) + λ Σ ‖v_k‖ and θ = −∇ℓ(F), for unit vectors u_k.
  private mutating func evaluate() {
    let (value, θ) = value(of: neurons)
    (objective, self.θ) = (value, θ)
  }

  private func value(of neurons: SharedNeurons) -> (objective: Double, θ: Matrix<Double>) {
    let loss = program.relu.loss
    var (f, slope) = (Matrix<Double>(loss.samples, loss.outputs), Matrix<Double>(loss.samples, loss.outputs))
    if neurons.count > 0 { f = matrixProduct(activations(neurons), .no, neurons.outputs, .no) }
    let value = loss.gradient(at: f, into: &slope)
    slope.scale(by: -1)
    let penalty = zip(neurons.vectors.rowNorms, neurons.outputs.rowNorms).reduce(0) { $0 + $1.0 * $1.1 }
    return (value + program.λ * penalty, slope)
  }

  /// S (X Uᵀ)₊.
  private func activations(_ neurons: SharedNeurons) -> Matrix<Double> {
    var z = matrixProduct(program.relu.x, .no, neurons.vectors, .yes)
    for index in 0..<z.count { z.storage[index] = max(z.storage[index], 0) }
    return program.relu.pooling(z)
  }

  /// Takes up neurons where they are better.
  private mutating func keep(_ trial: SharedNeurons) {
    let trial = trial.normalised
    let (value, θ) = value(of: trial)
    guard value < objective else { return }
    (neurons, objective, self.θ) = (trial, value, θ)
  }

  private mutating func moveSecondLayers() {
    guard neurons.count > 0, !deadline.hasPassed else { return }
    let block = SecondLayerBlock(program, activations: activations(neurons))
    let start = (neurons.outputs, neurons.outputs.rowNorms.reduce(0, +) * program.λ)
    let aim = max(1e-14, min(0.01 * tolerance, 0.01 * (estimatedGap ?? 1)))
    var method = AcceleratedCompositeMethod(block, tolerance: aim, start: start)
    run(&method, steps: Self.secondLayerSteps)
    var trial = neurons
    trial.outputs = method.coefficients
    keep(trial)
  }

  private mutating func moveFirstLayers() {
    guard neurons.count > 0, !deadline.hasPassed else { return }
    let sizes = neurons.outputs.rowNorms
    var (units, vectors) = (neurons.outputs, neurons.vectors)
    units.scaleRows(by: sizes.map { 1 / $0 })
    vectors.scaleRows(by: sizes)
    let block = FirstLayerBlock(program, cones: cones, outputs: units, patterns: neurons.patterns)
    var method = AcceleratedCompositeMethod(
      block, tolerance: 1e-14, start: (vectors, sizes.reduce(0, +) * program.λ))
    run(&method, steps: Self.firstLayerSteps)
    guard !deadline.hasPassed else { return }  // projections may have ended outside of their cones
    let found = method.coefficients
    var feasible = found
    feasible.withMutablePointer { feasible in
      let d = found.columns
      Parallel.forEach(tiles: neurons.count) { k in
        let u = cones.feasible(found.row(k), pattern: neurons.patterns[k])
        for j in 0..<d { feasible[k * d + j] = u[j] }
      }
    }
    keep(SharedNeurons(patterns: neurons.patterns, vectors: feasible, outputs: units))
  }

  /// Takes neurons of one pattern that point nearly the same way as one, and the smallest away, where the objective stays below
  /// a level once the second layers are minimised over again.
  private mutating func merge(keepingBelow level: Double) {
    let fewer = neurons.merged(within: mergedAngle)
    guard fewer.count < neurons.count, !deadline.hasPassed else { return }
    let last = (neurons, objective, θ)
    neurons = fewer
    (objective, θ) = value(of: fewer)
    moveSecondLayers()
    guard objective > level || !objective.isFinite else { return }
    (neurons, objective, θ) = last
    mergedAngle /= 10
  }

  private func run<Problem: CompositeProblem>(
    _ method: inout AcceleratedCompositeMethod<Problem>, steps: Int
  ) {
    for _ in 0..<steps where !deadline.hasPassed {
      guard method.step() == .advanced else { return }
    }
  }

  /// Adds the atoms that ascents find above λ, and takes the bound that θ would give if they were all; how many were added.
  private mutating func price() -> Int {
    let strict = StrictDual(
      x: program.relu.x, patterns: program.relu.patterns.bits, θ: program.relu.pooling.adjoint(θ))
    let (count, λ) = (program.relu.patterns.count, program.λ)
    let own = Dictionary(grouping: neurons.patterns.indices, by: { neurons.patterns[$0] })
    let sizes = neurons.outputs.rowNorms
    var ascent = ConeAscent(cones: cones)
    (ascent.turns, ascent.leastGain) = (20, 1e-6)
    var found = [[ConeAscent.Maximum]](repeating: [], count: count)
    found.withMutablePointer { found in
      Parallel.forEach(tiles: count) { i in
        guard !deadline.hasPassed else { return }
        let images = strict.images(pattern: i)
        guard StrictNuclearNorm.largestSingularValue(of: images) > λ else { return }
        let known = (own[i] ?? []).map { k in neurons.outputs.row(k).map { $0 / sizes[k] } }
        var starts = ConeAscent.starts(images, above: λ, most: Self.starts)
        starts += known + (lastOutputs[i] ?? [])
        var state = ActiveSet(of: cones.rows)
        for v in starts {
          guard let maximum = ascent.climb(images, pattern: i, from: v, in: &state) else { continue }
          let isNew = !found[i].contains { $0.isNear(maximum) }
          if isNew { found[i].append(maximum) }
        }
        found[i].sort { $0.value > $1.value }
      }
    }
    guard !deadline.hasPassed else { return 0 }
    let norm = found.reduce(0) { max($0, $1.first?.value ?? 0) }
    let direction = program.relu.strictLoss.feasibleDirection(θ)
    let dual = program.relu.strictLoss.bestScale(direction, upTo: norm > 0 ? λ / max(norm, λ) : 1)
    if dual.value > best.dual { best = (dual.value, θ) }
    var added = 0
    for (i, maxima) in found.enumerated() {
      let atoms = maxima.filter { $0.value > λ * (1 + 1e-9) }.prefix(Self.starts)
      if !maxima.isEmpty { lastOutputs[i] = maxima.prefix(Self.starts).map(\.output) }
      for atom in atoms { added += add(atom, pattern: i) }
    }
    if added > 0 { evaluate() }
    return added
  }

  /// A new neuron of next to no size, which the second layers' minimum makes as large as it is worth.
  private mutating func add(_ atom: ConeAscent.Maximum, pattern i: Int) -> Int {
    let u = cones.feasible(atom.direction, pattern: i)
    let norm = StrictArithmetic.norm(u)
    guard norm > 0 else { return 0 }
    let isKnown = neurons.patterns.indices.contains { k in
      neurons.patterns[k] == i
        && zip(neurons.vectors.row(k), u).reduce(0) { $0 + $1.0 * $1.1 } > (1 - 1e-12) * norm
    }
    if isKnown { return 0 }
    let size = 1e-8 * max(1, neurons.outputs.rowNorms.max() ?? 1)
    neurons = neurons.appending(
      SharedNeurons(
        patterns: [i], vectors: Matrix(1, u.count, storage: u.map { $0 / norm }),
        outputs: Matrix(1, atom.output.count, storage: atom.output.map { size * $0 })))
    return 1
  }
}

extension SharedNeurons {
  /// Unit neurons of one pattern, with their outputs, that agree in both directions as one, the sum of their weights in each
  /// layer; those of a millionth of the largest weight gone.
  fileprivate func merged(within angle: Double) -> SharedNeurons {
    let sizes = outputs.rowNorms
    let least = 1e-6 * (sizes.max() ?? 0)
    var places: [Int: [Int]] = [:]
    var result = SharedNeurons.none(features: vectors.columns, outputs: outputs.columns)
    for k in sizes.indices.sorted(by: { (sizes[$1], $0) < (sizes[$0], $1) }) where sizes[k] > least {
      let (u, v) = (vectors.row(k), outputs.row(k))
      func isNear(_ a: [Double], _ b: [Double]) -> Bool {
        let norms = StrictArithmetic.norm(a) * StrictArithmetic.norm(b)
        return zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } > (1 - angle) * norms
      }
      let place = places[patterns[k]]?.first {
        isNear(result.vectors.row($0), u) && isNear(result.outputs.row($0), v)
      }
      if let place {
        for j in u.indices { result.vectors[place, j] += sizes[k] * u[j] }
        for j in v.indices { result.outputs[place, j] += v[j] }
      } else {
        places[patterns[k], default: []].append(result.count)
        result = result.appending(
          SharedNeurons(
            patterns: [patterns[k]], vectors: Matrix(1, u.count, storage: u.map { sizes[k] * $0 }),
            outputs: Matrix(1, v.count, storage: v)))
      }
    }
    // Vectors of the cone add up to one of it.
    let norms = result.vectors.rowNorms
    result.vectors.scaleRows(by: norms.map { $0 > 0 ? 1 / $0 : 0 })
    return result
  }
}

extension ConeAscent.Maximum {
  /// Whether two maxima are one, up to the accuracy of ascents.
  fileprivate func isNear(_ other: Self) -> Bool {
    zip(direction, other.direction).reduce(0) { $0 + $1.0 * $1.1 } > 1 - 1e-5
  }
}
