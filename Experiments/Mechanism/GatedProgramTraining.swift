import ConvexOptimization
import Fenchel
import LinearAlgebra

/// Images learnt by the convex program of gated ReLU networks over sampled patterns, as a curve beside those of other methods.
///
///     min ℓ(Σ_i D_i X W_i) + λ Σ_{i,j} ‖w_ij‖
struct GatedProgramTraining: Sendable {
  let name: String
  /// P.
  var patterns: Int
  /// λ for each training sample.
  var λPerSample: Double
  var iterations: Int
  /// Relative gap at which the program counts as solved.
  var tolerance: Double

  struct Trained {
    var network: Network
    var curve: LearningCurve
    var certificate: Certificate
  }

  /// Solves the program, whose seed draws the gates; points on the way, ever farther apart, are scored afterwards, and
  /// seconds are of the solver's steps alone, drawing patterns included.
  func train(_ images: ImageSet, seed: UInt64, _ options: ExperimentOptions) throws -> Trained {
    let clock = ContinuousClock()
    var begin = clock.now
    let program = try program(images, seed: seed)
    var solver = try TwoLayerSolver<Float>(program, tolerance: tolerance)
    var (seconds, next, iteration) = (clock.now - begin, 1, 0)
    var points: [LearningCurve.Point] = []
    var outcome = StepOutcome.advanced
    var last = solver.point
    while outcome == .advanced, iteration < iterations, !options.isCancelled {
      begin = clock.now
      outcome = solver.step()
      seconds += clock.now - begin
      iteration += 1
      let isSolved = solver.estimatedGap.map { $0 <= tolerance } ?? false
      options.progress?(Progress(phase: name, iteration: iteration, seconds: seconds / .seconds(1)))
      guard iteration == next || isSolved || outcome != .advanced || iteration == iterations else { continue }
      next = max(next + 1, next * 5 / 4)
      last = solver.point
      let network = try program.decode(last, hasBias: true)
      points.append(
        .init(epoch: iteration, seconds: seconds / .seconds(1), accuracy: images.accuracy(of: network)))
      if isSolved { break }
    }
    let status =
      options.isCancelled ? Status.cancelled : outcome == .failed ? .numericalFailure : .completed
    return Trained(
      network: try program.decode(last, hasBias: true),
      curve: LearningCurve(method: name, seed: seed, points: points, status: status),
      certificate: program.certificate(at: last))
  }

  private func program(_ images: ImageSet, seed: UInt64) throws -> TwoLayerProgram {
    let (n, d) = (images.training.x.rows, images.inputs)
    var x = Matrix<Double>(n, d + 1, fill: 1)
    for k in 0..<n { for j in 0..<d { x[k, j] = Double(images.training.x[k, j]) } }
    let loss = try LossKind.softmax.makeLoss(targets: images.training.targets.converted(to: Double.self))
    return try TwoLayerProgram(
      x: x, loss: loss, kind: .softmax, λ: λPerSample * Double(n),
      patterns: .sampled(x, count: patterns, seed: seed), isConstrained: false)
  }
}
