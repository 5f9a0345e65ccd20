import ConvexOptimization
import LinearAlgebra

/// A trained generator with its report.
public struct GenerativeResult: Sendable {
  public var generator: ProgressiveGenerator
  public var report: GenerativeReport
  public var status: Status
  /// The images at the size of each stage.
  public var images: [GrayImages]
}

/// Trains a generator stage by stage, at growing resolution, without a game being played: what each stage is to put out for the
/// noise is known in closed form (`QuadraticWassersteinGame`), and the stage's network is fitted to it.
///
/// The noise Z: n × k is normal and whitened, ZᵀZ = nI, so that fresh noise has the moments of that of training. G* is known but
/// for a rotation Q; in the first stage Q is Z/√n, in later ones that rotation in the span of the noise whose pictures, brought
/// to the size of the stage before, are nearest to those of that stage (Procrustes). So a linear generator puts out G* exactly
/// where k is at least its rank, and else its best approximation of rank k. A ReLU generator minimises
///
///     ½‖f(A) − G*‖_F² + (λ/2)(‖W₁‖_F² + ‖W₂‖_F²),   f(A) = (A W₁)₊ W₂,
///
/// by the program of ReLU networks, whose neurons feed one direction of G* each; its certificate is of these. The residual says
/// how far it is from the constraint f(A) = G*, which small λ brings about.
///
/// A run that meets its limit in time (`TrainingSettings.timeLimit`) or is cancelled ends after the stage that it is in, whose
/// network is the best so far: the generator has the stages up to there, at least one. Of the time left a stage of a ReLU
/// generator has an equal part with those that follow.
///
/// Errors: `GenerativeError`, `DataError` for sizes above that of the images, those of training.
public struct GenerativeTraining {
  public let settings: GeneratorSettings
  public var cancellation: Cancellation?
  public var progress: ProgressHandler?

  public init(_ settings: GeneratorSettings) throws(GenerativeError) {
    let sizes = settings.sizes
    guard let first = sizes.first, first > 0, zip(sizes, sizes.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw .sizes(sizes)
    }
    switch settings.β {
    case .value(let β), .ratio(let β): guard β.isFinite, β >= 0 else { throw .beta(β) }
    }
    self.settings = settings
  }

  /// One stage's data: X without its mean, and what is to be put out.
  private struct Goal {
    var images: GrayImages
    var mean: [Double]
    var x: Matrix<Double>
    var game: QuadraticWassersteinGame
  }

  public func run(_ images: GrayImages) throws -> GenerativeResult {
    let (result, seconds) = try timed { try stages(images) }
    var timed = result
    timed.report.seconds = seconds
    return timed
  }

  private func stages(_ images: GrayImages) throws -> GenerativeResult {
    try checkMemory(images)
    let limits = Limits(seconds: settings.training.timeLimit, cancellation: cancellation)
    let deadline = limits.deadline
    let squares = images.centralSquares
    for size in settings.sizes { try squares.check(size: size) }
    var goals: [Goal] = []
    for size in settings.sizes where goals.isEmpty || !deadline.hasPassed {
      goals.append(try goal(squares.reduced(to: size)))
    }
    let n = images.count
    let k = settings.noise ?? goals.reduce(1) { max($0, $1.game.rank) }
    guard k > 0, k < n else { throw GenerativeError.noise(k, images: n) }
    let noise = try Self.whitened(n, k, seed: settings.training.seed)
    var (built, rows) = ([GeneratorStage](), [GenerativeReport.Stage]())
    var (coordinates, status): (Matrix<Double>?, Status) = (nil, .solved)
    for (place, goal) in goals.enumerated() where built.isEmpty || !deadline.hasPassed {
      progress?(Progress(phase: "\(goal.images.width) × \(goal.images.width)", iteration: place, seconds: 0))
      let begin = ContinuousClock().now
      let earlier = built.last.flatMap { stage in coordinates.map { (stage, $0) } }
      let own = deadline.after(1 / Double(goals.count - place))
      var stage = try self.stage(goal, noise, after: earlier, until: own)
      stage.row.seconds = begin.duration(to: ContinuousClock().now).seconds
      built.append(stage.stage)
      rows.append(stage.row)
      coordinates = stage.coordinates
      if stage.status != .solved { status = stage.status }
    }
    if built.count < settings.sizes.count { status = limits.interruption(at: deadline) ?? status }
    let report = GenerativeReport(
      source: images.source, sha256: images.sha256, images: n, height: images.height, width: images.width,
      generator: settings.kind, noise: k, seed: settings.training.seed, sizes: settings.sizes,
      stages: rows, status: status.name, seconds: 0,
      environment: .init(
        version: Release.version, threads: Parallel.threads, blasCore: Parallel.blasCore,
        processor: ProcessMemory.processor))
    return GenerativeResult(
      generator: ProgressiveGenerator(stages: built, noiseDimensions: k), report: report, status: status,
      images: goals.prefix(built.count).map(\.images))
  }

  /// Of every stage the images, X and its directions are held; of one at a time, its decompositions: some six times the images.
  private func checkMemory(_ images: GrayImages) throws(GenerativeError) {
    let n = Double(images.count)
    let pixels = settings.sizes.map { Double($0) * Double($0) }
    let held = pixels.reduce(0) { $0 + n * $1 + 2 * min(n, $1) * $1 }
    let bytes = 8 * (n * Double(images.height * images.width) + held + 6 * n * (pixels.max() ?? 0))
    guard bytes <= Double(settings.training.memoryLimit) else {
      throw .memory(bytes: Int(min(bytes, 1e17)), limit: settings.training.memoryLimit)
    }
  }

  private func goal(_ images: GrayImages) throws -> Goal {
    guard images.count > 1 else {
      throw GenerativeError.images(source: images.source, "one image is no distribution; give at least two")
    }
    let (x, mean) = images.centred
    // Above the rounding of the means, or the images are equal.
    guard x.storage.contains(where: { abs($0) > 1e-12 }) else {
      throw GenerativeError.images(
        source: images.source, "all images are equal at \(images.width) × \(images.width) pixels")
    }
    let game = try QuadraticWassersteinGame(x, settings.β)
    guard game.rank > 0 else {
      throw GenerativeError.nothingLeft(β: game.β, largest: game.largest, size: images.width)
    }
    return Goal(images: images, mean: mean, x: x, game: game)
  }

  /// Normal noise with ZᵀZ = nI.
  private static func whitened(_ n: Int, _ k: Int, seed: UInt64) throws -> Matrix<Double> {
    let normal: Matrix<Double> = Philox(seed: seed, stream: 0x6E_6F69_7365).normalMatrix(n, k)
    var noise = try QR(normal).q
    noise.scale(by: Double(n).squareRoot())
    return noise
  }

  private typealias Trained = (
    stage: GeneratorStage, row: GenerativeReport.Stage, coordinates: Matrix<Double>, status: Status
  )

  private func stage(
    _ goal: Goal, _ noise: Matrix<Double>,
    after earlier: (stage: GeneratorStage, coordinates: Matrix<Double>)?, until deadline: Deadline
  ) throws -> Trained {
    let game = goal.game
    let rank = min(game.rank, noise.columns)
    let directions = game.directions.firstRows(rank)
    let pictures = earlier.map { matrixProduct($0.coordinates, $0.stage.directions) }
    let average = earlier.map {
      AreaAverage(from: (goal.images.height, goal.images.width), to: ($0.stage.size, $0.stage.size))
    }
    var target = try rotation(game, rank, noise, average.map { ($0, pictures ?? noise) })
    for i in 0..<target.rows { for j in 0..<rank { target[i, j] *= game.values[j] } }
    let scale = earlier.map { $0.coordinates.frobeniusNorm / Double($0.coordinates.count).squareRoot() } ?? 1
    let inputs = GeneratorStage.inputs(earlier?.coordinates, noise, scale: scale)
    let fit = try settings.kind == .linear ? leastSquares(inputs, target) : program(inputs, target, deadline)
    let stage = GeneratorStage(
      size: goal.images.width, mean: goal.mean, directions: directions, network: fit.network, scale: scale)
    let coordinates = fit.network.predict(inputs)
    let constraint = try QuadraticWassersteinGame.distance(goal.x, game.output)
    let made = matrixProduct(coordinates, directions)
    var row = GenerativeReport.Stage(
      size: stage.size, beta: game.β, largest: game.largest, rank: game.rank, optimum: game.optimum,
      constraint: constraint,
      holds: constraint <= game.β + 1e-12 * game.largest,
      generatedConstraint: try QuadraticWassersteinGame.distance(goal.x, made),
      residual: residual(coordinates, target, game), weights: fit.weights,
      exactWeights: fit.exactWeights, neurons: fit.neurons,
      certificate: fit.certificate, lambda: fit.lambda, status: fit.status.name, seconds: 0)
    if let average, let pictures {
      row.change = Self.distance(average.applied(to: made), pictures) / pictures.frobeniusNorm
    }
    return (stage, row, coordinates, fit.status)
  }

  private static func distance(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Double {
    var difference = a
    for i in 0..<a.count { difference.storage[i] -= b.storage[i] }
    return difference.frobeniusNorm
  }

  /// ‖F − G*‖_F / ‖G*‖_F, of which directions that the noise has no room for are a part.
  private func residual(
    _ made: Matrix<Double>, _ target: Matrix<Double>, _ game: QuadraticWassersteinGame
  ) -> Double {
    let near = Self.distance(made, target)
    let missed = game.values.dropFirst(target.columns).reduce(0) { $0 + $1 * $1 }
    return ((near * near + missed) / game.optimum).squareRoot()
  }

  /// Q: n × rank, orthonormal columns in the span of the noise.
  private func rotation(
    _ game: QuadraticWassersteinGame, _ rank: Int, _ noise: Matrix<Double>,
    _ earlier: (average: AreaAverage, pictures: Matrix<Double>)?
  ) throws -> Matrix<Double> {
    var basis = noise
    basis.scale(by: 1 / Double(noise.rows).squareRoot())
    guard let (average, pictures) = earlier else {
      var turn = Matrix<Double>(noise.columns, rank)
      for j in 0..<rank { turn[j, j] = 1 }
      return matrixProduct(basis, turn)
    }
    let reduced = average.applied(to: game.output.firstRows(rank))
    let agreement = matrixProduct(matrixProduct(basis, .yes, pictures), .no, reduced, .yes)
    let svd = try SVD(agreement)
    return matrixProduct(basis, matrixProduct(svd.u, svd.vTransposed))
  }
}

// MARK: Networks

extension GenerativeTraining {
  /// A network from inputs to coordinates.
  private struct StageFit {
    var network: Network
    var weights: Double
    var exactWeights: GenerativeReport.Bounds?
    var neurons: Int?
    var certificate: TrainingReport.CertificateSummary?
    var lambda: Double?
    var status = Status.solved
  }

  /// W of least norm among the minimisers of ‖A W − T‖_F.
  private func leastSquares(_ a: Matrix<Double>, _ target: Matrix<Double>) throws -> StageFit {
    let svd = try SVD(a)
    let rank = svd.rank(tolerance: 1e-10)
    var projected = matrixProduct(svd.u, .yes, target)
    for r in 0..<projected.rows {
      for j in 0..<projected.columns { projected[r, j] = r < rank ? projected[r, j] / svd.values[r] : 0 }
    }
    let w = matrixProduct(svd.vTransposed, .yes, projected)
    return StageFit(
      network: try Network(layers: [.dense(try Dense(weights: w))]),
      weights: w.frobeniusNorm * w.frobeniusNorm)
  }

  /// The ReLU network of the convex program, without biases on inputs as they are.
  private func program(
    _ a: Matrix<Double>, _ target: Matrix<Double>, _ deadline: Deadline
  ) throws -> StageFit {
    let (q, r) = (a.columns, target.columns)
    var rows: [Double] = []
    for i in 0..<a.rows { rows += a.row(i) + target.row(i) }
    let array = NumericArray(a.rows, q + r, .double(rows))
    let table = Table(
      source: "the noise", names: (0..<q).map { "z\($0)" } + (0..<r).map { "g\($0)" },
      columns: (0..<q + r).map { .numeric(array, index: $0) }, defaultTargets: Array(q..<q + r))
    var options = SchemaOptions()
    options.task = .regression
    var training = settings.training
    (training.model, training.loss, training.bias, training.standardise) = (.relu, .squared, false, false)
    training.timeLimit = deadline.secondsLeft
    let data: Dataset<Double> = try Schema(inferredFrom: table, options: options).dataset(from: table)
    let result = try train(data, settings: training, cancellation: cancellation, progress: progress)
    let network = result.model.network
    let weights = network.layers.reduce(0.0) { sum, layer in
      guard case .dense(let dense) = layer else { return sum }
      return sum + dense.weights.frobeniusNorm * dense.weights.frobeniusNorm
    }
    return StageFit(
      network: network, weights: weights, exactWeights: try exactWeights(a, target), neurons: network.neurons,
      certificate: result.report.certificate,
      lambda: result.report.lambda, status: result.status)
  }

  /// Bounds on min ‖W₁‖_F² + ‖W₂‖_F² s.t. (A W₁)₊W₂ = T, of networks of any width.
  ///
  /// From above: with A W = T and W = Σ σ_j u_j v_jᵀ the neurons ±√σ_j u_j with ±√σ_j v_j put out T, as t₊ − (−t)₊ = t, and
  /// weigh 4‖W‖_*. From below: ‖w₁‖² + ‖w₂‖² ≥ 2‖w₁‖‖w₂‖ ≥ 2⟨Θ, (Aw₁)₊w₂ᵀ⟩ for every Θ with σ_max(Θ) ≤ 1/σ_max(A); the sum over
  /// all neurons is 2⟨Θ, T⟩, at most 2‖T‖_*/σ_max(A). Nil where no W is exact.
  private func exactWeights(_ a: Matrix<Double>, _ target: Matrix<Double>) throws -> GenerativeReport.Bounds?
  {
    guard case .dense(let linear)? = try leastSquares(a, target).network.layers.first else { return nil }
    guard Self.distance(matrixProduct(a, linear.weights), target) <= 1e-10 * target.frobeniusNorm else {
      return nil
    }
    func nuclearNorm(_ m: Matrix<Double>) throws -> Double { try SVD(m).values.reduce(0, +) }
    guard let largest = try SVD(a).values.first, largest > 0 else { return nil }
    return .init(lower: 2 * (try nuclearNorm(target)) / largest, upper: 4 * (try nuclearNorm(linear.weights)))
  }
}
