import Fenchel

extension Askari2018 {
  /// Test accuracy by epochs from several starts, two architectures of table 1.
  struct Figure1: Experiment {
    let paper = Askari2018.paper
    let figure = "figure-1"
    let subject = "MNIST, 300 and 500-200-100: accuracy by epochs from lifted weights and others"
    let openPoints = Askari2018.openPoints + ["end values are those of table 1; the figure prints none"]
    let seeds = 5

    func run(_ options: ExperimentOptions) throws -> Findings {
      let images = try ImageSet(options)
      let seeds = options.seeds(of: self)
      let rate = options.isQuick ? 1e-3 : 1e-5
      var findings = Findings(setting: [
        images.description(options),
        "Adam at \(rate), \(InitialisationStudy.epochs) epochs in batches of \(options.isQuick ? 20 : 100); "
          + "\(seeds.count) seeds; bands of 2 standard deviations",
        "lifted: squared distances, λ = 10, ρ = 1e-3, five sweeps over all samples from Xavier’s weights",
      ])
      for (label, index) in [("one-layer", 0), ("three-layers", 3)] {
        let row = Table1.rows[index]
        let hidden = options.isQuick ? row.hidden.map { $0 / 6 } : row.hidden
        let study = InitialisationStudy(images: images, options: options, hidden: hidden, rates: [rate])
        let curves = try study.run(seeds: seeds).curves[0]
        add(curves, row, hidden, label, to: &findings, options)
      }
      findings.isComplete = !options.isCancelled
      findings.remarks += findings.comparisons.shortfalls()
      return findings
    }

    private func add(
      _ curves: [LearningCurve], _ row: Table1.Row, _ hidden: [Int], _ label: String,
      to findings: inout Findings,
      _ options: ExperimentOptions
    ) {
      let name = hidden.map(String.init).joined(separator: "-")
      let ends = zip(Askari2018.starts, row.trained[0]).map { (name: $0.name, paper: $1) }
      findings.comparisons += ends.map {
        Comparison(
          group: name, name: $0.name, ours: curves.final($0.name),
          paper: options.isQuick ? nil : Measurement($0.paper.0, deviation: $0.paper.1, count: 5))
      }
      findings.curves += curves.map { curve in
        var named = curve
        named.method = "\(name), \(curve.method)"
        return named
      }
      for (axis, bySeconds) in [("epochs", false), ("seconds", true)] {
        let lines = ends.map {
          curves.line(
            $0.name, bySeconds: bySeconds, deviations: 2, level: options.isQuick ? nil : $0.paper.0)
        }
        findings.charts.append(
          (
            "\(label)-\(axis)",
            LineChart(
              title: "Hidden layers \(name), from four starts",
              subtitle: "Adam, mean of the seeds ± 2 standard deviations",
              x: bySeconds
                ? ChartAxis("seconds of training")
                : ChartAxis("epochs", range: 0...Double(InitialisationStudy.epochs)),
              y: ChartAxis("test accuracy", range: options.isQuick ? 0...1 : 0.7...1),
              lines: lines.filter { !$0.points.isEmpty }, levelName: "end value in the paper’s table 1")
          ))
      }
    }
  }
}
