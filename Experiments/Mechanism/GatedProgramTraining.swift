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

  /// Of Adam on the same objective.
  var epochs: Int
  var rate: Double

  /// The program of images, with gates that a seed draws, and how long drawing took.
  struct Posed {
    let images: ImageSet
    let program: TwoLayerProgram
    let seed: UInt64
    let seconds: Duration
  }

  struct Trained {
    var curve: LearningCurve
    /// Of the program at the end.
    var objective: Double
    /// Within what of the optimum it is, where the method proves something.
    var certificate: Certificate?
    var neurons: Int
  }

  func posed(_ images: ImageSet, seed: UInt64) throws -> Posed {
    let begin = ContinuousClock().now
    let (n, d) = (images.training.x.rows, images.inputs)
    var x = Matrix<Double>(n, d + 1, fill: 1)
    for k in 0..<n { for j in 0..<d { x[k, j] = Double(images.training.x[k, j]) } }
    let loss = try LossKind.softmax.makeLoss(targets: images.training.targets.converted(to: Double.self))
    let program = try TwoLayerProgram(
      x: x, loss: loss, kind: .softmax, λ: λPerSample * Double(n),
      patterns: .sampled(x, count: patterns, seed: seed), isConstrained: false)
    return Posed(images: images, program: program, seed: seed, seconds: ContinuousClock().now - begin)
  }

  /// Solves the program; points on the way, ever farther apart, are scored afterwards, and seconds are of the solver's steps
  /// and of drawing patterns.
  func solve(_ posed: Posed, _ options: ExperimentOptions) throws -> Trained {
    let (clock, program) = (ContinuousClock(), posed.program)
    var begin = clock.now
    var solver = try TwoLayerSolver<Float>(program, tolerance: tolerance)
    var (seconds, next, iteration) = (posed.seconds + (clock.now - begin), 1, 0)
    var points: [LearningCurve.Point] = []
    var outcome = StepOutcome.advanced
    while outcome == .advanced, iteration < iterations, !options.isCancelled {
      begin = clock.now
      outcome = solver.step()
      seconds += clock.now - begin
      iteration += 1
      let isSolved = solver.estimatedGap.map { $0 <= tolerance } ?? false
      options.progress?(Progress(phase: name, iteration: iteration, seconds: seconds / .seconds(1)))
      guard iteration == next || isSolved || outcome != .advanced || iteration == iterations else { continue }
      next = max(next + 1, next * 5 / 4)
      let network = try program.decode(solver.point, hasBias: true)
      points.append(
        .init(epoch: iteration, seconds: seconds / .seconds(1), accuracy: posed.images.accuracy(of: network)))
      if isSolved { break }
    }
    let status: Status =
      options.isCancelled ? .cancelled : outcome == .failed ? .numericalFailure : .completed
    let last = solver.point
    let certificate = program.certificate(at: last)
    return Trained(
      curve: LearningCurve(method: name, seed: posed.seed, points: points, status: status),
      objective: certificate.primal, certificate: certificate,
      neurons: try program.decode(last, hasBias: true).neurons)
  }

  /// Adam in batches of 128 on the same objective, from weights of 0; networks are scored afterwards.
  func descend(_ posed: Posed, name: String, _ options: ExperimentOptions) throws -> Trained {
    let (program, images) = (posed.program, posed.images)
    let (width, c) = (program.features, program.outputs)
    var training = OrdinaryTraining(
      optimizer: .adam, epochs: epochs, batchSize: 128, learningRate: rate, schedule: .cosine)
    (training.seed, training.cancellation) = (posed.seed, options.cancellation)
    let start = try FeedForward<Float>(
      weights: [Matrix(patterns * width, c)], activations: [], hasBias: false)
    let source = GatedSamples(
      try training.memory(images.training, .softmax), gates: program.patterns.gates.converted(to: Float.self))
    var snapshots: [(epoch: Epoch, network: FeedForward<Float>)] = []
    let outcome = try training.run(
      GatedDescent(for: start, groupWidth: width, penalty: λPerSample), from: start, source
    ) { epoch, network in
      snapshots.append((epoch, network))
      options.progress?(Progress(phase: name, iteration: epoch.number, seconds: epoch.seconds))
    }
    let points = try snapshots.map { epoch, network in
      LearningCurve.Point(
        epoch: epoch.number, seconds: epoch.seconds + posed.seconds / .seconds(1),
        accuracy: images.accuracy(of: try gated(network, program)))
    }
    let network = try gated(outcome.network, program)
    let objective = program.strictObjective(at: point(outcome.network, program))
    return Trained(
      curve: LearningCurve(method: name, seed: posed.seed, points: points, status: outcome.status),
      objective: objective, neurons: network.neurons)
  }

  /// w_ij, one row a group, of a network that is linear in the gated inputs.
  private func groups(_ network: FeedForward<Float>, _ program: TwoLayerProgram) -> Matrix<Double> {
    let (w, width, c) = (network.weights[0], program.features, program.outputs)
    var result = Matrix<Double>(patterns * c, width)
    for i in 0..<patterns {
      for t in 0..<width { for j in 0..<c { result[i * c + j, t] = Double(w[i * width + t, j]) } }
    }
    return result
  }

  private func gated(_ network: FeedForward<Float>, _ program: TwoLayerProgram) throws -> Network {
    let layer = try Gated(
      gates: program.patterns.gates, weights: groups(network, program), hasBias: true)
    return try Network(layers: [.gated(layer)])
  }

  private func point(_ network: FeedForward<Float>, _ program: TwoLayerProgram) -> TwoLayerPoint {
    let c = program.outputs
    return TwoLayerPoint(
      groups: (0..<patterns * c).map { TwoLayerGroup(pattern: $0 / c, sign: 1, output: $0 % c) },
      coefficients: groups(network, program), θ: Matrix(program.samples, c))
  }
}
