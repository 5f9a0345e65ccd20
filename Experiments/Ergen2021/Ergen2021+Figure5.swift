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
        + "ours is the program of two layers without cones, gates fixed as the patterns are, by Adam as in the paper and by our "
        + "own solver, which has a certificate: a smaller experiment than the paper’s",
      "the ReLU networks learn their patterns, the program’s are drawn from N(0, I): with the same λ these are not the same "
        + "objective, as they are not in the paper where it samples patterns",
    ]

    private static let convex = "convex program"
    private static let adam = "convex program, Adam"

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
          name: Self.convex, patterns: patterns, λPerSample: λ, iterations: iterations, tolerance: 1e-2,
          epochs: 20, rate: options.isQuick ? 1e-2 : 3e-4)
      }
      if options.isQuick {
        return [.init(source: .mnist, program: program(5, 1e-3, 40), epochs: 20, rates: (0.03, 0.003))]
      }
      return [
        .init(source: .fashionMNIST, program: program(32, 1e-3, 200), epochs: 20, rates: (0.01, 0.0003)),
        .init(source: .cifar10, program: program(32, 3e-3, 150), epochs: 20, rates: (0.003, 0.0001)),
      ]
    }

    func run(_ options: ExperimentOptions) throws -> Findings {
      var findings = Findings(setting: [
        "every pixel of mean 0 and deviation 1 over the training images; softmax cross-entropy",
        "convex program: gated ReLU network of P sampled gates and a constant input, λ Σ‖w‖, by accelerated gradients in Float, and by "
          + "Adam on the same objective in batches of 128; networks on the way are scored outside of the seconds",
        "SGD (momentum 0.9) and Adam: a ReLU network of as many neurons as the program has groups, 10 P, batches of 128, cosine "
          + "schedule, weight decay λ/n",
        "\(options.seeds(of: self).count) seeds, for gates, weights and batches",
      ])
      for setup in setups(options) where !options.isCancelled {
        try add(setup, to: &findings, options)
      }
      findings.isComplete = !options.isCancelled
      return findings
    }

    private func contest(_ setup: Setup, classes: Int) -> Contest {
      func training(_ optimizer: Optimizer, _ rate: Double) -> OrdinaryTraining {
        OrdinaryTraining(
          optimizer: optimizer, epochs: setup.epochs, batchSize: 128, learningRate: rate,
          weightDecay: setup.program.λPerSample,
          schedule: .cosine)
      }
      return Contest(
        hidden: [setup.program.patterns * classes], loss: .softmax,
        entries: [
          .init(method: .ordinary("network, SGD", training(.momentum, setup.rates.sgd))),
          .init(method: .ordinary("network, Adam", training(.adam, setup.rates.adam))),
        ], bias: 0)
    }

    private func add(_ setup: Setup, to findings: inout Findings, _ options: ExperimentOptions) throws {
      let images = try ImageSet(options, of: setup.source).standardised
      let name = images.name
      let seeds = options.seeds(of: self)
      let contest = contest(setup, classes: images.classes)
      findings.setting.append(
        "\(images.description(options)); P = \(setup.program.patterns), λ = \(setup.program.λPerSample) n, at most "
          + "\(setup.program.iterations) iterations; \(setup.epochs) epochs, rates \(setup.rates.sgd) and "
          + "\(setup.rates.adam), of Adam on the program \(setup.program.rate); usual ones, not searched for"
      )
      var curves: [LearningCurve] = []
      for seed in seeds where !options.isCancelled {
        let posed = try setup.program.posed(images, seed: seed)
        let solved = try setup.program.solve(posed, options)
        let descended = try setup.program.descend(posed, name: Self.adam, options)
        guard !options.isCancelled else { return }
        curves += [solved.curve, descended.curve]
        findings.remarks.append(remark(name, seed, setup, solved, descended))
      }
      curves += try contest.run(on: images, seeds: seeds, options)
      let methods = [Self.convex, Self.adam] + contest.entries.map(\.method.name)
      findings.comparisons += methods.map {
        Comparison(group: "\(name), test accuracy", name: $0, ours: curves.final($0))
      }
      findings.comparisons += methods.map { method in
        Comparison(
          group: "\(name), seconds", name: method,
          ours: Measurement(curves.of(method).compactMap { $0.points.last?.seconds }))
      }
      findings.remarks += remarks(name, curves, methods)
      findings.charts.append(
        (options.isQuick ? "digits" : setup.source.rawValue, chart(images, curves, methods)))
      findings.curves += curves.map { curve in
        var named = curve
        named.method = "\(name), \(curve.method)"
        return named
      }
    }

    /// What is known of the program's points.
    private func remark(
      _ name: String, _ seed: UInt64, _ setup: Setup, _ solved: GatedProgramTraining.Trained,
      _ descended: GatedProgramTraining.Trained
    ) -> String {
      "\(name), seed \(seed): after \(solved.curve.points.last?.epoch ?? 0) iterations the program’s objective is "
        + "\(significantDecimal(solved.objective, digits: 5)), proven within "
        + "\(significantDecimal(100 * (solved.certificate?.relativeGap ?? .nan), digits: 2)) % of optimal over its patterns, "
        + "\(solved.neurons) groups in use; Adam’s is \(significantDecimal(descended.objective, digits: 5)), "
        + "\(descended.neurons) groups in use"
        + (descended.objective < solved.objective ? ": the solver is BEHIND Adam on its own objective" : "")
    }

    /// Which methods end above the convex program, and plainly so.
    private func remarks(_ name: String, _ curves: [LearningCurve], _ methods: [String]) -> [String] {
      let own = [Self.convex, Self.adam].compactMap { curves.final($0)?.mean }.max() ?? .nan
      let better = methods.dropFirst(2).filter { (curves.final($0)?.mean ?? 0) > own }
      return [
        better.isEmpty
          ? "\(name): the convex program ends with the highest test accuracy"
          : "\(name): the convex program, however trained, ends WORSE than \(better.joined(separator: "; ")): unlike in the paper’s figure"
      ]
    }

    private func chart(
      _ images: ImageSet, _ curves: [LearningCurve], _ methods: [String]
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
