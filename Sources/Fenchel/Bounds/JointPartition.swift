import ConvexOptimization
import LinearAlgebra

/// The relaxation of training over networks of any width, tightened by parting their neurons by cones of directions: θ stays
/// free while the cones are cut in halves.
///
/// The piece whose intervals leave most to the objective is cut by the sample that leaves most. Then all pieces that have
/// neurons are minimised together, and each of the others is looked at alone: where its maximum at θ is above λ it joins
/// them. Every state gives a bound, the best is kept.
struct JointPartition {
  private var relaxation: RectifierRelaxation
  private let program: TwoLayerProgram
  private var pieces: [RelaxedPiece]
  /// V and u of every piece, those of the idle ones of any size.
  private var points: [[Double]]
  private var isActive: [Bool]
  /// θ: n × c, and Sᵀθ, for the rows of X.
  private var θ: Matrix<Double>
  private var spread: Matrix<Double>
  /// The best bound and its multipliers.
  private(set) var best: (value: Double, multipliers: BoundMultipliers)

  /// Evaluations of a joint minimisation, and of the ascent of an idle piece.
  private static var jointEvaluations: Int { 600 }
  private static var idleEvaluations: Int { 200 }
  /// ‖(V, u)‖ against the largest at which a piece counts as having no neurons.
  private static var idleness: Double { 1e-2 }
  /// By how much the maximum of an idle piece may exceed λ.
  private static var violation: Double { 1e-3 }

  /// - Parameters:
  ///   - relaxation: of the program, whose data may be rotated to their rank.
  ///   - point: a minimiser of the relaxation.
  init(
    _ relaxation: RectifierRelaxation, at point: [Double],
    best: (value: Double, multipliers: BoundMultipliers),
    _ program: TwoLayerProgram
  ) {
    (self.relaxation, self.program, self.best) = (relaxation, program, best)
    pieces = relaxation.pieces
    let length = relaxation.pieceLength
    points = pieces.indices.map { Array(point[$0 * length..<($0 + 1) * length]) }
    isActive = pieces.map { _ in true }
    θ = relaxation.θ
    spread = relaxation.pooling.adjoint(θ)
  }

  /// Cuts until there are `count` pieces, the bound is at least `target`, or the deadline has passed.
  mutating func run(pieces count: Int, target: Double, deadline: Deadline) {
    while pieces.count < count, best.value < target, !deadline.hasPassed {
      guard cut() else { return }
      for _ in 0..<6 where !deadline.hasPassed {
        minimise(deadline)
        if !activate() { break }
      }
      let multipliers = BoundMultipliers(θ: θ, pieces: pieces.map { $0.multipliers(θ: spread) })
      let value = multipliers.value(for: program)
      if value > best.value { best = (value, multipliers) }
    }
  }

  /// Cuts a piece in halves; false where no piece has anything to gain.
  private mutating func cut() -> Bool {
    var (chosen, sample, most) = (0, 0, 0.0)
    for (p, piece) in pieces.enumerated() where isActive[p] {
      let slack = piece.slack(θ: spread)
      let sum = slack.reduce(0, +)
      guard sum > most, let i = slack.indices.max(by: { slack[$0] < slack[$1] }) else { continue }
      (chosen, sample, most) = (p, i, sum)
    }
    guard most > 0 else { return false }
    let (old, point) = (pieces[chosen], points[chosen])
    let halves = old.cone.halves(by: sample).map {
      RelaxedPiece(output: old.output, sign: old.sign, cone: $0, x: relaxation.x, width: old.width)
    }
    // Equal halves would stay equal in their parts on both sides.
    let noise: Matrix<Double> = Philox(seed: UInt64(pieces.count)).normalMatrix(1, point.count)
    let size = 0.02 * point.withPointer { Double.norm2(point.count, $0) } / noise.frobeniusNorm
    let shaken = zip(point, noise.storage).map { 0.7 * $0 + size * $1 }
    pieces.replaceSubrange(chosen...chosen, with: halves)
    points.replaceSubrange(chosen...chosen, with: [point.map { 0.7 * $0 }, shaken])
    isActive.replaceSubrange(chosen...chosen, with: [true, true])
    return true
  }

  /// Minimises over the active pieces; those that vanish become idle.
  private mutating func minimise(_ deadline: Deadline) {
    let active = pieces.indices.filter { isActive[$0] }
    relaxation.pieces = active.map { pieces[$0] }
    let start = active.flatMap { points[$0] }
    let method = LBFGS(
      memory: 20, maximumEvaluations: Self.jointEvaluations, decreaseTolerance: 1e-10)
    let run = method.minimise(from: start, shouldContinue: { _ in !deadline.hasPassed }) {
      relaxation.value(at: $0, into: &$1)
    }
    var gradient = run.gradient
    _ = relaxation.value(at: run.point, into: &gradient)
    θ = program.strictLoss.feasibleDirection(relaxation.θ)
    spread = relaxation.pooling.adjoint(θ)
    let length = relaxation.pieceLength
    var norms: [Double] = []
    for (place, p) in active.enumerated() {
      pieces[p] = relaxation.pieces[place]
      points[p] = Array(run.point[place * length..<(place + 1) * length])
      norms.append(points[p].withPointer { Double.norm2(length, $0) })
    }
    let largest = norms.max() ?? 0
    for (p, norm) in zip(active, norms) where norm < Self.idleness * largest { isActive[p] = false }
  }

  /// Looks at the idle pieces; true where one has something to gain and becomes active.
  private mutating func activate() -> Bool {
    let idle = pieces.indices.filter { !isActive[$0] }
    let (x, θ, ε) = (relaxation.x, spread, relaxation.ε)
    var lengths = [Double](repeating: 0, count: idle.count)
    lengths.withMutablePointer { lengths in
      pieces.withMutablePointer { pieces in
        points.withMutablePointer { points in
          Parallel.forEach(tiles: idle.count) { tile in
            let p = idle[tile]
            let c = (0..<x.rows).map { pieces[p].sign * θ[$0, pieces[p].output] }
            (lengths[tile], points[p]) = pieces[p].ascend(
              c, x, from: points[p], rounding: ε, evaluations: Self.idleEvaluations)
          }
        }
      }
    }
    let size = pieces.indices.filter { isActive[$0] }
      .reduce(0) { most, p in max(most, points[p].withPointer { Double.norm2(points[p].count, $0) }) }
    var hasChanged = false
    for (p, length) in zip(idle, lengths) where length > relaxation.λ * (1 + Self.violation) {
      let norm = points[p].withPointer { Double.norm2(points[p].count, $0) }
      points[p] = points[p].map { $0 * 0.1 * size / norm }
      (isActive[p], hasChanged) = (true, true)
    }
    return hasChanged
  }
}
