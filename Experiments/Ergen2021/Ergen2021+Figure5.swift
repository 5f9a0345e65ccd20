import ConvexOptimization
import Fenchel
import LinearAlgebra

extension Ergen2021 {
  /// Test accuracy by seconds on Fashion-MNIST and CIFAR-10: a convex program over sampled patterns against SGD and Adam on
  /// the ReLU network.
  struct Figure5: Experiment {
    let paper = Ergen2021.paper
    let figure = "figure-5"
    let subject =
      "Fashion-MNIST and CIFAR-10: a convex program over sampled patterns against SGD and Adam on the network"
    let seeds = 1

    let openPoints = [
      "numbers of sub-networks, neurons and patterns, β, ρ, learning rates and epochs are formulas that the text at hand has "
        + "lost, and the figures print no accuracies: there is nothing of the paper’s to set beside ours but the order of the methods",
      "the paper’s networks have three layers, its program (16) is trained by SGD and Adam, and cones count by hinge penalties ρ; "
        + "ours is the program of two layers without cones, gates fixed as the patterns are, by our own solver: a smaller "
        + "experiment than the paper’s, with the certificate that (16) has not",
      "the ReLU networks learn their patterns, the program’s are drawn from N(0, I): with the same λ these are not the same "
        + "objective, as they are not in the paper",
      "runs without weight decay are not in the paper",
    ]

    private static let convex = "convex program"

    /// A set of images with the settings for it.
    private struct Setup {
      var source: ImageSet.Source
      var program: GatedProgramTraining
      var epochs: Int
      var rates: (sgd: Double, adam: Double)
    }

    private func setups(_ options: ExperimentOptions) -> [Setup] {
      func program(_ patterns: Int, _ λ: Double, _ iterations: Int) -> GatedProgramTraining {
        GatedProgramTraining(
          name: Self.convex, patterns: patterns, λPerSample: λ, iterations: iterations, tolerance: 1e-2)
      }
      if options.isQuick {
        return [.init(source: .mnist, program: program(10, 1e-3, 40), epochs: 20, rates: (0.03, 0.003))]
      }
      return [
        .init(source: .fashionMNIST, program: program(32, 1e-3, 300), epochs: 40, rates: (0.01, 0.0003)),
        .init(source: .cifar10, program: program(32, 3e-3, 200), epochs: 40, rates: (0.003, 0.0001)),
      ]
    }

    func run(_ options: ExperimentOptions) throws -> Findings {
      var findings = Findings(setting: [
        "every pixel of mean 0 and deviation 1 over the training images; softmax cross-entropy",
        "convex program: gated ReLU network of P gates and a constant input, λ Σ‖w‖, accelerated gradients in Float; seconds are of "
          + "the solver, points on the way scored afterwards",
        "SGD (momentum 0.9) and Adam: a ReLU network of as many neurons as the program has groups, 10 P, batches of 128, cosine "
          + "schedule, weight decay λ/n, and 0 besides",
        "\(options.seeds(of: self).count) seeds, for gates, weights and batches",
      ])
      for setup in setups(options) where !options.isCancelled {
        try add(setup, to: &findings, options)
      }
      findings.isComplete = !options.isCancelled
      return findings
    }

    private func contest(_ setup: Setup, classes: Int) -> Contest {
      func training(_ optimizer: Optimizer, _ rate: Double, decay: Double) -> OrdinaryTraining {
        OrdinaryTraining(
          optimizer: optimizer, epochs: setup.epochs, batchSize: 128, learningRate: rate, weightDecay: decay,
          schedule: .cosine)
      }
      let (λ, rates) = (setup.program.λPerSample, setup.rates)
      return Contest(
        hidden: [setup.program.patterns * classes], loss: .softmax,
        entries: [
          .init(method: .ordinary("network, SGD", training(.momentum, rates.sgd, decay: λ))),
          .init(method: .ordinary("network, Adam", training(.adam, rates.adam, decay: λ))),
          .init(method: .ordinary("network, SGD, no decay", training(.momentum, rates.sgd, decay: 0))),
          .init(method: .ordinary("network, Adam, no decay", training(.adam, rates.adam, decay: 0))),
        ], bias: 0)
    }

    private func add(_ setup: Setup, to findings: inout Findings, _ options: ExperimentOptions) throws {
      let images = try ImageSet(options, of: setup.source).standardised
      let name = images.name
      let seeds = options.seeds(of: self)
      let contest = contest(setup, classes: images.classes)
      findings.setting.append(
        "\(images.description(options)); P = \(setup.program.patterns), λ = \(setup.program.λPerSample) n, at most "
          + "\(setup.program.iterations) iterations; \(setup.epochs) epochs, rates \(setup.rates.sgd) and \(setup.rates.adam)"
      )
      var curves: [LearningCurve] = []
      for seed in seeds where !options.isCancelled {
        let trained = try setup.program.train(images, seed: seed, options)
        guard !options.isCancelled else { return }
        curves.append(trained.curve)
        findings.remarks.append(
          "\(name), seed \(seed): the program’s objective \(significantDecimal(trained.certificate.primal, digits: 5)) is within "
            + "\(significantDecimal(100 * trained.certificate.relativeGap, digits: 2)) % of optimal over its patterns after "
            + "\(trained.curve.points.last?.epoch ?? 0) iterations, \(trained.network.neurons) of "
            + "\(setup.program.patterns * images.classes) groups in use")
      }
      curves += try contest.run(on: images, seeds: seeds, options)
      let methods = [Self.convex] + contest.entries.map(\.method.name)
      findings.comparisons += methods.map {
        Comparison(group: "\(name), test accuracy", name: $0, ours: curves.final($0))
      }
      findings.comparisons += methods.map { method in
        Comparison(
          group: "\(name), seconds", name: method,
          ours: Measurement(curves.of(method).compactMap { $0.points.last?.seconds }))
      }
      findings.remarks += remarks(name, curves, methods)
      findings.charts.append((setup.source.rawValue, chart(images, curves, methods, options)))
      findings.curves += curves.map { curve in
        var named = curve
        named.method = "\(name), \(curve.method)"
        return named
      }
    }

    /// Which methods end above the convex program, and plainly so.
    private func remarks(_ name: String, _ curves: [LearningCurve], _ methods: [String]) -> [String] {
      guard let own = curves.final(Self.convex)?.mean else { return [] }
      let better = methods.dropFirst().filter { (curves.final($0)?.mean ?? 0) > own }
      return [
        better.isEmpty
          ? "\(name): the convex program ends with the highest test accuracy"
          : "\(name): the convex program ends WORSE than \(better.joined(separator: "; ")): unlike in the paper’s figure"
      ]
    }

    private func chart(
      _ images: ImageSet, _ curves: [LearningCurve], _ methods: [String], _ options: ExperimentOptions
    ) -> LineChart {
      let lines = methods.map { method in
        let end = curves.final(method).map { "ends at \(fixedDecimal($0.mean, digits: 4))" } ?? ""
        return curves.line(method, bySeconds: true, note: end)
      }
      return LineChart(
        title: "A convex program against gradients on the network",
        subtitle: "\(images.name), \(images.training.x.rows) training images",
        x: ChartAxis("seconds of training", isLogarithmic: true), y: ChartAxis("test accuracy"),
        lines: lines.filter { !$0.points.isEmpty })
    }
  }
}
