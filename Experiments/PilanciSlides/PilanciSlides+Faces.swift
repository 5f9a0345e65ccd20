import ConvexOptimization
import Fenchel
import LinearAlgebra

extension PilanciSlides {
  /// Faces by progressive linear generators in closed form, and how near gradient descent–ascent comes to the same optimum.
  struct Faces: Experiment {
    let paper = PilanciSlides.paper
    let figure = "faces"
    let subject =
      "generators of faces against a quadratic discriminator: closed form, stage by stage, and descent–ascent on the same game"
    let seeds = 5

    let openPoints = [
      "the slides show faces and print no number: there is nothing of theirs to set beside ours but the pictures",
      "their faces are of CelebA, which is not free to pass on; here those of the Olivetti Research Laboratory (Samaria & Harter "
        + "1994; 400 grey images of 40 people), as a folder orl-faces of PGM files in $FENCHEL_DATA",
      "β, the sizes of the stages, the noise and the rotation Q are not said: β = 0.02·σ_max² and stages of 16, 32 and 64 pixels "
        + "here, Q in each stage such that the pictures are nearest to those of the stage before",
      "the formula for G* in the text at hand lacks a minus sign: (Σ² − βI)₊^{1/2}Vᵀ is meant",
      "descent–ascent is not in the slides; the paper that they show, Sahiner et al. 2021 (Hidden convexity of Wasserstein GANs), has it "
        + "as what is used elsewhere; here it is the plain method with a schedule, and variants of it may come nearer",
    ]

    private static let rates = [0.003, 0.01, 0.03, 0.1, 0.3]

    func run(_ options: ExperimentOptions) throws -> Findings {
      let images = try GrayImages.read(options.isQuick ? "digits" : "orl-faces")
      var settings = GeneratorSettings()
      if options.isQuick { settings.sizes = [4, 8] }
      var training = try GenerativeTraining(settings)
      (training.cancellation, training.progress) = (options.cancellation, options.progress)
      let result = try training.run(images)
      var findings = Findings(setting: setting(result.report, options))
      add(result.report, to: &findings)
      add(picturesOf: result, to: &findings)
      findings.isComplete = result.status == .solved && !options.isCancelled
      guard findings.isComplete else { return findings }
      try compare(result, settings, options, &findings)
      findings.isComplete = !options.isCancelled
      return findings
    }

    private func setting(_ report: GenerativeReport, _ options: ExperimentOptions) -> [String] {
      [
        (options.isQuick ? "quick: the digits inside the program in place of faces; " : "")
          + "\(report.images) images of \(report.width) × \(report.height) pixels, their squares in the middle, greys from 0 to 1 "
          + "without their mean",
        "linear generators of \(report.noise) dimensions of noise; stages of "
          + "\(report.sizes.map { "\($0)" }.joined(separator: ", ")) pixels, β = 0.02·σ_max²",
        "descent–ascent on the game of the first stage, from \(counted(options.seeds(of: self).count, "start")): discriminator and generator by "
          + "turns, \(steps(options)) steps of each, cosine schedule, the best rate of "
          + Self.rates.map { "\($0)" }.joined(separator: ", "),
      ]
    }

    private func steps(_ options: ExperimentOptions) -> Int { options.isQuick ? 2000 : 10_000 }

    /// What the closed form came to, stage by stage.
    private func add(_ report: GenerativeReport, to findings: inout Findings) {
      for stage in report.stages {
        func row(_ name: String, _ value: Double) {
          findings.comparisons.append(
            Comparison(group: "\(stage.size) × \(stage.size) pixels", name: name, ours: Measurement(value)))
        }
        row("rank of G*", Double(stage.rank))
        row("‖XᵀX − G*ᵀG*‖₂ / β", stage.constraint / stage.beta)
        row("the same of what the generator puts out", stage.generatedConstraint / stage.beta)
        if let change = stage.change { row("change from the stage before", change) }
      }
      let worst = report.stages.map(\.residual).max() ?? .nan
      findings.remarks.append(
        "all stages took \(significantDecimal(report.seconds, digits: 2)) s; generators put out G* to a relative distance of "
          + "\(significantDecimal(worst, digits: 2)), and the constraint \(report.stages.allSatisfy(\.holds) ? "holds" : "is BROKEN")"
      )
    }

    private func add(picturesOf result: GenerativeResult, to findings: inout Findings) {
      let count = 64
      let pictures = result.generator.pictures(result.generator.noise(count, seed: 0))
      for (place, stage) in result.generator.stages.enumerated() {
        let shown = min(count, result.images[place].count)
        let rows = (0..<shown).map { $0 * result.images[place].count / shown }
        for (name, grid) in [
          ("samples", pictures[place]), ("data", result.images[place].pixels.selectingRows(rows)),
        ] {
          findings.pictures.append(
            (
              "\(name)-\(stage.size)",
              GrayBitmap(grid: grid, height: stage.size, width: stage.size, columns: 8)
            ))
        }
      }
    }

    /// The game of the first stage by gradients.
    private func compare(
      _ result: GenerativeResult, _ settings: GeneratorSettings, _ options: ExperimentOptions,
      _ findings: inout Findings
    ) throws {
      let images = result.images[0]
      let x = images.centred.deviations
      let clock = ContinuousClock()
      let begin = clock.now
      let game = try QuadraticWassersteinGame(x, settings.β)
      let seconds = (clock.now - begin) / .seconds(1)
      let method = "descent–ascent"
      let (rate, runs) = try StochasticDescent.best(
        of: Self.rates, name: method, seeds: options.seeds(of: self), options,
        settings: StochasticDescent(epochs: steps(options), batchSize: 1, rate: Self.rates[0])
      ) {
        GameDescent(x, game, seed: $0)
      }
      findings.descents = runs.map(\.curve)
      guard !runs.isEmpty else { return }
      let group = "relative distance of second moments from the optimum, \(images.width) × \(images.width)"
      let ends = runs.compactMap(\.curve.final)
      let own = Self.weights(result, of: game)
      let closed = GameDescent(x, game, generator: own, discriminator: Matrix(1, x.columns)).objective
      findings.comparisons += [
        Comparison(group: group, name: "closed form", ours: Measurement(closed)),
        Comparison(
          group: group, name: "\(method), mean of \(counted(ends.count, "start"))", ours: Measurement(ends)),
        Comparison(group: group, name: "\(method), best start", ours: ends.min().map { Measurement($0) }),
      ]
      let spent = findings.descents.compactMap { $0.points.last?.seconds }.max() ?? .nan
      findings.remarks.append(
        "the closed form took \(significantDecimal(seconds, digits: 2)) s; descent–ascent (rate \(rate)) after "
          + "\(significantDecimal(spent, digits: 2)) s is \(significantDecimal(ends.min() ?? .nan, digits: 2)) away at best"
      )
      findings.charts = [
        ("descent-ascent", chart(findings.descents, method, rate, images)),
        ("spectrum", try chart(game, runs.map(\.model), images)),
      ]
    }

    /// W: k × d of the first stage's generator, of X divided by σ_max: its pictures of n samples have the second moments n WᵀW.
    private static func weights(_ result: GenerativeResult, of game: QuadraticWassersteinGame) -> Matrix<
      Double
    > {
      let stage = result.generator.stages[0]
      var identity = Matrix<Double>(result.generator.noiseDimensions, result.generator.noiseDimensions)
      for k in 0..<identity.rows { identity[k, k] = 1 }
      var weights = matrixProduct(stage.network.predict(identity), stage.directions)
      weights.scale(by: (Double(result.report.images) / game.largest).squareRoot())
      return weights
    }

    private func chart(
      _ curves: [ObjectiveCurve], _ method: String, _ rate: Double, _ images: GrayImages
    ) -> LineChart {
      var lines = curves.lines(method) { _ in "\(method), \(counted(curves.count, "start"))" }
      if !lines.isEmpty { lines[0].note = "rate \(rate)" }
      return LineChart(
        title: "The game by gradients",
        subtitle: "\(images.source) at \(images.width) × \(images.width); the closed form has distance 0",
        x: ChartAxis("seconds", isLogarithmic: true),
        y: ChartAxis("relative distance of second moments", isLogarithmic: true), lines: lines)
    }

    private func chart(_ game: QuadraticWassersteinGame, _ models: [GameDescent], _ images: GrayImages) throws
      -> LineChart
    {
      // Directions that descent lets die out would stretch the axis over thirty powers of ten.
      func line(_ name: String, _ shares: [Double]) -> ChartLine {
        let shown = shares.prefix(2 * game.rank).prefix { $0 >= 1e-6 }
        return ChartLine(name, points: shown.enumerated().map { .init(x: Double($0 + 1), y: $1) })
      }
      var lines = [
        line("data, σ²", game.singularValues.map { $0 * $0 / game.largest }),
        line("closed form, σ² − β", game.values.map { $0 * $0 / game.largest }),
      ]
      // The generators of the descent are of X divided by σ_max.
      if let first = models.first { lines.append(line("descent–ascent, first start", try first.spectrum)) }
      return LineChart(
        title: "Second moments by direction",
        subtitle: "\(images.source) at \(images.width) × \(images.width), as shares of σ_max² above 1e-6",
        x: ChartAxis("direction"), y: ChartAxis("σ² / σ_max²", isLogarithmic: true), lines: lines)
    }
  }
}
