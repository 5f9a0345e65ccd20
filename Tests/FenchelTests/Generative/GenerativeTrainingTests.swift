import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct GenerativeTrainingTests {
  /// Pictures of blobs at random places: n images of height × width.
  static func blobs(_ n: Int, height: Int = 16, width: Int = 16, seed: UInt64 = 1) -> GrayImages {
    let random = Philox(seed: seed)
    var rows: [Double] = []
    for k in 0..<n {
      let place = (0..<3).map { random.uniform(at: UInt64(3 * k + $0)) }
      for y in 0..<height {
        for x in 0..<width {
          let (a, b) = (Double(y) / Double(height) - place[0], Double(x) / Double(width) - place[1])
          rows.append(place[2] / (1 + 20 * (a * a + b * b)))
        }
      }
    }
    return GrayImages(
      source: "blobs", height: height, width: width, pixels: Matrix(n, height * width, storage: rows))
  }

  private func trained(
    _ images: GrayImages, _ change: (inout GeneratorSettings) -> Void = { _ in }
  ) throws -> GenerativeResult {
    var settings = GeneratorSettings()
    (settings.sizes, settings.β) = ([4, 8, 16], .ratio(1e-3))
    change(&settings)
    return try GenerativeTraining(settings).run(images)
  }

  private func moments(_ pictures: Matrix<Double>, _ mean: [Double]) -> Matrix<Double> {
    var x = pictures
    for i in 0..<x.rows { for j in 0..<x.columns { x[i, j] -= mean[j] } }
    return x
  }

  /// What the report says of each stage, from the data and the generator's pictures alone.
  @Test(arguments: [0, 1, 2], [GeneratorKind.linear, .relu])
  func reportsSayWhatTheGeneratorDoes(seed: Int, kind: GeneratorKind) throws {
    let images = Self.blobs(60, seed: UInt64(seed))
    let result = try trained(images) {
      ($0.kind, $0.sizes, $0.β) = (kind, [4, 8], .ratio(0.02))
      $0.training.seed = UInt64(seed)
    }
    #expect(result.status == .solved && result.report.stages.map(\.size) == [4, 8])
    for (stage, row) in zip(result.generator.stages, result.report.stages) {
      let x = moments(try images.reduced(to: row.size).pixels, stage.mean)
      let game = try QuadraticWassersteinGame(x, β: row.beta)
      #expect(row.holds && row.constraint <= row.beta * (1 + 1e-9) && row.rank == game.rank)
      #expect(abs(row.beta - 0.02 * row.largest) <= 1e-12 * row.largest)
      #expect(abs(row.optimum - game.optimum) <= 1e-10 * game.optimum)
      // The directions are orthonormal, so that coordinates have the norm of pictures.
      let gram = gramMatrix(stage.directions)
      for i in 0..<gram.rows {
        for j in 0..<gram.rows { #expect(abs(gram[i, j] - (i == j ? 1 : 0)) <= 1e-10) }
      }
      // ‖FᵀF − GᵀG‖ ≤ ‖F − G‖ (2‖G‖ + ‖F − G‖) in the Frobenius norm.
      let slack = row.residual * (2 + row.residual) * row.optimum + 1e-11 * row.largest
      #expect(row.generatedConstraint <= row.beta + slack)
      if kind == .linear {
        #expect(row.residual <= 1e-10 && row.neurons == nil && row.certificate == nil)
        #expect(abs(row.generatedConstraint - row.constraint) <= 1e-9 * row.largest)
      } else {
        let proof = try #require(row.certificate)
        #expect(proof.dual <= proof.primal && proof.relativeGap <= 1e-4 && row.neurons ?? 0 > 0)
        // The objective of the network itself: the fit and half λ times its weights.
        let fit = row.residual * row.residual * row.optimum / 2
        let objective = fit + (row.lambda ?? .nan) / 2 * row.weights
        #expect(
          objective >= proof.dual * (1 - 1e-9) && objective <= proof.primal * (1 + 1e-4),
          "\(objective) \(proof)")
        #expect(row.residual < 0.05)
        let bounds = try #require(row.exactWeights)
        #expect(bounds.lower > 0 && bounds.lower <= bounds.upper)
        // In the first stage ZᵀZ = nI, and the exact network of pairs is a point of the program.
        if row.size == 4 {
          #expect(abs(bounds.upper - 2 * bounds.lower) <= 1e-9 * bounds.upper)
          #expect(proof.dual <= (row.lambda ?? .nan) / 2 * bounds.upper * (1 + 1e-9))
        }
      }
    }
    #expect(result.report.stages[0].change == nil && result.report.stages[1].change ?? 1 < 0.5)
  }

  /// Fresh noise of a linear generator has pictures of the mean and second moments GᵀG/n.
  @Test func freshNoiseHasTheMomentsOfTheData() throws {
    let images = Self.blobs(40)
    let result = try trained(images) { ($0.sizes, $0.β) = ([4, 8], .ratio(0.05)) }
    let draws = 40_000
    let pictures = result.generator.pictures(result.generator.noise(draws, seed: 9))
    for (stage, made) in zip(result.generator.stages, pictures) {
      let x = moments(try images.reduced(to: stage.size).pixels, stage.mean)
      let game = try QuadraticWassersteinGame(x, .ratio(0.05))
      let (wanted, found) = (gramMatrix(game.output, .yes), gramMatrix(moments(made, stage.mean), .yes))
      var difference = 0.0
      for i in 0..<wanted.count {
        let gap = found.storage[i] / Double(draws) - wanted.storage[i] / 40
        difference += gap * gap
      }
      #expect(difference.squareRoot() <= 0.03 * wanted.frobeniusNorm / 40, "\(stage.size)")
    }
  }

  /// Later stages show what earlier ones did, only larger: better than any other rotation, as a random one.
  @Test func stagesRefineEachOther() throws {
    let result = try trained(Self.blobs(60))
    let changes = result.report.stages.compactMap(\.change)
    #expect(changes.count == 2 && changes.allSatisfy { $0 < 0.1 }, "\(changes)")
    let pictures = result.generator.pictures(result.generator.noise(50, seed: 4))
    for (place, stage) in result.generator.stages.enumerated().dropFirst() {
      let average = AreaAverage(from: (stage.size, stage.size), to: (stage.size / 2, stage.size / 2))
      let reduced = average.applied(to: pictures[place])
      let earlier = moments(pictures[place - 1], result.generator.stages[place - 1].mean)
      var gap = reduced
      for i in 0..<gap.count { gap.storage[i] -= pictures[place - 1].storage[i] }
      #expect(gap.frobeniusNorm < 0.2 * earlier.frobeniusNorm, "stage \(stage.size)")
    }
  }

  @Test func lessNoiseThanRankIsTheBestApproximation() throws {
    let images = Self.blobs(50)
    let result = try trained(images) { ($0.sizes, $0.noise) = ([8], 3) }
    let row = result.report.stages[0]
    let game = try QuadraticWassersteinGame(
      moments(try images.reduced(to: 8).pixels, result.generator.stages[0].mean), β: row.beta)
    #expect(row.rank > 4 && row.holds)
    let missed = game.values.dropFirst(3).reduce(0) { $0 + $1 * $1 } / game.optimum
    #expect(abs(row.residual - missed.squareRoot()) <= 1e-9)
    // The first direction that is missing has all of its variance.
    #expect(
      abs(row.generatedConstraint - game.singularValues[3] * game.singularValues[3]) <= 1e-9 * row.largest)
  }

  @Test(arguments: [GeneratorKind.linear, .relu])
  func threadsDoNotChangeABit(kind: GeneratorKind) throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    let pictures = try [1, 2, 3].map { threads in
      Parallel.threads = threads
      let result = try trained(Self.blobs(40)) {
        ($0.kind, $0.sizes, $0.β) = (kind, [4, 8], .ratio(0.05))
      }
      return result.generator.pictures(result.generator.noise(9, seed: 1))
    }
    #expect(pictures[0] == pictures[1] && pictures[0] == pictures[2])
  }

  @Test func seedsAreOthersAndTheSame() throws {
    let images = Self.blobs(30)
    let (a, b) = try (trained(images), trained(images) { $0.training.seed = 1 })
    let noise = a.generator.noise(4, seed: 7)
    #expect(noise == b.generator.noise(4, seed: 7) && noise != a.generator.noise(4, seed: 8))
    #expect(a.generator.pictures(noise) != b.generator.pictures(noise))
    #expect(a.generator.pictures(noise) == (try trained(images)).generator.pictures(noise))
  }

  /// Stages up to the end of the time, at least one; what they are is what they are without a limit.
  @Test(arguments: [GeneratorKind.linear, .relu])
  func limitsLeaveWholeStages(kind: GeneratorKind) throws {
    let images = Self.blobs(40)
    let cancellation = Cancellation()
    var settings = GeneratorSettings()
    (settings.kind, settings.sizes, settings.β) = (kind, [4, 8, 16], .ratio(0.05))
    var training = try GenerativeTraining(settings)
    training.cancellation = cancellation
    training.progress = { if $0.phase.hasPrefix("8 × 8") { cancellation.request() } }
    let cancelled = try training.run(images)
    #expect(cancelled.status == .cancelled && cancelled.report.status == "cancelled")
    #expect(cancelled.report.stages.map(\.size) == [4, 8] && cancelled.report.sizes == [4, 8, 16])
    #expect(cancelled.generator.stages.count == 2 && cancelled.images.map(\.width) == [4, 8])
    #expect(cancelled.generator.pictures(cancelled.generator.noise(3, seed: 1)).count == 2)
    #expect(cancelled.report.stages[0].status == "solved")
    settings.training.timeLimit = 1e-9
    let stopped = try GenerativeTraining(settings).run(images)
    #expect(stopped.status == .stoppedAtLimit(.time) && stopped.report.stages.map(\.size) == [4])
    // Sizes above the images' are an error whatever the time.
    settings.sizes = [4, 17]
    #expect(throws: DataError.self) { try GenerativeTraining(settings).run(images) }
    settings.sizes = [4, 8, 16]
    settings.training.timeLimit = 1000
    let whole = try GenerativeTraining(settings).run(images)
    #expect(whole.status == .solved && whole.report.sizes == whole.report.stages.map(\.size))
    if kind == .linear {
      #expect(whole.generator.noiseDimensions == cancelled.generator.noiseDimensions)
      #expect(
        whole.generator.stages.prefix(2).map(\.directions) == cancelled.generator.stages.map(\.directions))
    }
  }

  @Test func whatNoGeneratorCanBeTrainedOn() throws {
    let images = Self.blobs(20)
    func expect(_ images: GrayImages, _ word: String, _ change: @escaping (inout GeneratorSettings) -> Void) {
      do {
        _ = try trained(images, change)
        Issue.record("no error for \(word)")
      } catch {
        #expect("\(error)".contains(word) && !"\(error)".contains("\n"), "\(error)")
      }
    }
    expect(images, "do not rise") { $0.sizes = [] }
    expect(images, "do not rise") { $0.sizes = [8, 8] }
    expect(images, "do not rise") { $0.sizes = [0, 8] }
    expect(images, "cannot be brought to 17") { $0.sizes = [17] }
    expect(images, "fewer than images") { $0.noise = 20 }
    expect(images, "fewer than images") { $0.noise = 0 }
    expect(images, "not below") { $0.β = .ratio(1) }
    expect(images, "not below") { $0.β = .value(1e9) }
    expect(Self.blobs(1), "one image") { _ in }
    expect(images, "the limit is") { $0.training.maxMemory = 50_000 }
    let same = GrayImages(source: "same", height: 16, width: 16, pixels: Matrix(5, 256, fill: 0.3))
    expect(same, "equal") { _ in }
  }
}
