import ConvexOptimization
import Experiments
import Fenchel
import Foundation
import LinearAlgebra
import Testing

@Suite struct ExperimentTests {
  func quick(seeds: Int = 1) -> ExperimentOptions {
    var options = ExperimentOptions()
    (options.isQuick, options.seeds) = (true, seeds)
    return options
  }

  func experiment(_ name: String) throws -> any Experiment {
    let found = ExperimentCatalogue.experiments(named: name)
    try #require(found.count == 1, "\(name): \(found.map(\.name))")
    return found[0]
  }

  @Test func everyExperimentHasANameOfItsOwn() {
    let names = ExperimentCatalogue.all.map(\.name)
    #expect(Set(names).count == names.count && !names.isEmpty)
    #expect(ExperimentCatalogue.experiments(named: "all").map(\.name) == names)
    for experiment in ExperimentCatalogue.all {
      #expect(ExperimentCatalogue.experiments(named: experiment.name).count == 1)
      #expect(
        ExperimentCatalogue.experiments(named: experiment.paper.key).contains { $0.name == experiment.name })
      #expect(!experiment.subject.isEmpty && !experiment.openPoints.isEmpty && experiment.seeds > 0)
      #expect(ExperimentCatalogue.names.contains(experiment.name))
    }
    #expect(ExperimentCatalogue.experiments(named: "gu-2018").isEmpty)
  }

  @Test(arguments: [
    "gu-2019/figure-1", "gu-2019/figure-2", "gu-2019/figure-3", "gu-2019/figure-4",
    "gu-2019/figure-4-augmented", "gu-2019/deep-networks",
    "askari-2018/figure-1",
  ])
  func quickRunsMeasureEveryMethod(name: String) throws {
    let findings = try experiment(name).run(quick())
    #expect(findings.isComplete && !findings.setting.isEmpty)
    #expect(findings.comparisons.allSatisfy { $0.ours != nil && $0.paper == nil })
    for curve in findings.curves {
      #expect(
        curve.points.map(\.epoch) == Array(0..<curve.points.count) && curve.points.count > 5,
        "\(curve.method)")
      #expect(curve.points.allSatisfy { (0...1).contains($0.accuracy) && $0.seconds >= 0 })
      #expect(zip(curve.points, curve.points.dropFirst()).allSatisfy { $0.seconds <= $1.seconds })
    }
    #expect(findings.charts.contains { $0.name.contains("epochs") })
    #expect(findings.charts.contains { $0.name.contains("seconds") })
    #expect(findings.charts.allSatisfy { !$0.chart.lines.isEmpty })
    for (name, chart) in findings.charts where name.hasSuffix("seconds") {
      // Time shows on the axis of the seconds, and nothing else does.
      #expect(chart.lines.allSatisfy { $0.points.first?.x == 0 && $0.points.last?.x ?? 0 < 60 })
    }
  }

  @Test func fenchelNetworksLearn() throws {
    let findings = try experiment("gu-2019/figure-2").run(quick(seeds: 2))
    let ours = findings.comparisons.filter { $0.name.hasPrefix("Fenchel") && $0.group.isEmpty }
    #expect(ours.count == 2)
    for row in ours { #expect(row.ours?.mean ?? 0 > 0.95 && row.ours?.count == 2, "\(row)") }
  }

  @Test func theTableHasEveryStartForEveryRate() throws {
    let findings = try experiment("askari-2018/table-1").run(quick())
    #expect(findings.comparisons.count == 2 * (1 + 2 * 4))
    #expect(findings.comparisons.allSatisfy { $0.ours?.count == 1 })
    #expect(findings.remarks.count == 4)
    // At the lower rate only the lifted start has a trained network after 17 epochs.
    for group in ["50, η = 0.0001", "50-16, η = 0.0001"] {
      let row = findings.comparisons.filter { $0.group == group }
      let lifted = try #require(row.first { $0.name == "Lifted" }?.ours?.mean)
      for other in row where other.name != "Lifted" {
        #expect(lifted > other.ours?.mean ?? 1, "\(group) \(other)")
      }
    }
  }

  @Test func theAppendicesHold() throws {
    let findings = try experiment("gu-2019/appendices").run(quick(seeds: 2))
    func values(_ group: String, _ name: String = "") -> [Double] {
      findings.comparisons.filter { $0.group.hasPrefix(group) && $0.name.hasPrefix(name) }.compactMap {
        $0.ours?.mean
      }
    }
    let convex = values("one layer", "W* found by the divergence")
    #expect(convex.count == 6 && convex.allSatisfy { $0 == 1 }, "\(convex)")
    #expect(values("one layer", "noise") == convex)
    #expect(values("one layer", "W* found by least").contains { $0 < 1 })
    let scaled = values("one λ")
    #expect(scaled.count == 2 && abs(scaled[0] - scaled[1]) <= 1e-12 * scaled[0])
    let estimates = values("dual", "G(")
    let network = try #require(values("dual", "best").first)
    #expect(estimates.count > 1 && zip(estimates, estimates.dropFirst()).allSatisfy { $0 < $1 })
    #expect(estimates.allSatisfy { $0 <= network })
    #expect(values("last layer").allSatisfy { $0 > 0.85 } && values("last layer").count == 2)
  }

  @Test func theSameSeedGivesTheSameCurve() throws {
    let first = try experiment("gu-2019/deep-networks").run(quick())
    let second = try experiment("gu-2019/deep-networks").run(quick())
    #expect(first.curves.map { $0.points.map(\.accuracy) } == second.curves.map { $0.points.map(\.accuracy) })
  }

  @Test func theElectrocardiogramIsForecast() throws {
    let findings = try experiment("pilanci-slides/ecg").run(quick())
    #expect(findings.isComplete && findings.charts.map(\.name) == ["forecast", "errors"])
    let objectives = findings.comparisons.filter { $0.group == "training objective" }
    let convex = try #require(objectives.first?.ours?.mean)
    #expect(objectives.count == 3 && objectives.dropFirst().allSatisfy { $0.ours?.mean ?? 0 > convex })
    #expect(findings.comparisons.count == 3 + 2 * 5)
    // What is worse is said.
    let errors = findings.comparisons.filter { $0.group == "test error, one step" }
    let own = try #require(errors.first?.ours?.mean)
    let isWorst = errors.dropFirst().contains { $0.ours?.mean ?? .infinity < own }
    #expect(
      findings.remarks.contains { $0.hasPrefix("test error, one step") && $0.contains("WORSE") == isWorst })
    var options = quick()
    options.heldOut = 900
    #expect(throws: DataError.self) { try experiment("pilanci-slides/ecg").run(options) }
  }

  @Test func facesAreGeneratedAndTheGameIsPlayed() throws {
    let findings = try experiment("pilanci-slides/faces").run(quick(seeds: 2))
    #expect(findings.isComplete && findings.descents.count == 2)
    #expect(findings.charts.map(\.name) == ["descent-ascent", "spectrum"])
    let spectra = findings.charts[1].chart.lines.map { $0.points.map(\.y) }
    #expect(spectra.count == 3 && spectra[0].first == 1 && (0.5..<1).contains(spectra[1].first ?? 0))
    #expect(findings.pictures.map(\.name) == ["samples-4", "data-4", "samples-8", "data-8"])
    for name in ["‖XᵀX − G*ᵀG*‖₂ / β", "the same of what the generator puts out"] {
      let rows = findings.comparisons.filter { $0.name == name }
      #expect(rows.count == 2 && rows.allSatisfy { abs(($0.ours?.mean ?? 0) - 1) < 1e-9 }, "\(rows)")
    }
    // The closed form is where descent–ascent would arrive.
    let distances = findings.comparisons.filter { $0.group.hasPrefix("relative distance") }.compactMap {
      $0.ours?.mean
    }
    #expect(distances.count == 3 && distances[0] < 1e-12 && distances.dropFirst().allSatisfy { $0 > 1e-3 })
    #expect(findings.descents.allSatisfy { abs(($0.points.first?.objective ?? 0) - 1) < 0.2 })
    let path = NSTemporaryDirectory() + "fenchel-pictures-\(UInt64.random(in: 0...UInt64.max))"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let chosen = try experiment("pilanci-slides/faces")
    let files = try FindingsFolder(path).write(
      ExperimentReport(chosen, findings, quick(), seconds: 1), findings)
    #expect(
      files.contains { $0.hasSuffix("samples-8.png") } && files.contains { $0.hasSuffix("spectrum.svg") })
    let png = try #require(FileManager.default.contents(atPath: "\(path)/pilanci-slides/faces/samples-8.png"))
    #expect(png.starts(with: [0x89, 0x50, 0x4E, 0x47]))
  }

  /// At the closed form, with a discriminator of the directions that it keeps, neither player moves; elsewhere both do.
  @Test func theClosedFormIsASaddlePointOfTheGame() throws {
    let x: Matrix<Double> = Philox(seed: 3).normalMatrix(20, 6)
    let game = try QuadraticWassersteinGame(x, .ratio(0.5))
    try #require((2...5).contains(game.rank))
    var generator = game.output
    generator.scale(by: 1 / game.largest.squareRoot())
    // Neurons of even numbers are added, others taken away.
    var discriminator = Matrix<Double>(2 * game.rank, 6)
    for r in 0..<game.rank { for j in 0..<6 { discriminator[2 * r, j] = game.directions[r, j] } }
    func moved(_ generator: Matrix<Double>) -> (generator: Double, discriminator: Double, distance: Double) {
      var play = GameDescent(x, game, generator: generator, discriminator: discriminator)
      let distance = play.objective
      play.step(on: [0], rate: 0.1)
      func change(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Double {
        zip(a.storage, b.storage).reduce(0) { max($0, abs($1.0 - $1.1)) }
      }
      return (change(play.generator, generator), change(play.discriminator, discriminator), distance)
    }
    let play = GameDescent(x, game, generator: generator, discriminator: discriminator)
    for (share, value) in zip(try play.spectrum, game.values) {
      #expect(abs(share - value * value / game.largest) < 1e-12)
    }
    let (w, a, distance) = moved(generator)
    #expect(w < 1e-12 && a < 1e-12 && distance < 1e-12, "\(w) \(a) \(distance)")
    generator.scale(by: 1.1)
    let off = moved(generator)
    #expect(off.generator > 1e-3 && off.discriminator > 1e-3 && abs(off.distance - 0.21) < 1e-9, "\(off)")
  }

  @Test(arguments: ["gu-2019/figure-1", "askari-2018/table-1"])
  func aCancelledRunSaysSo(name: String) throws {
    var options = quick()
    let cancellation = Cancellation()
    options.cancellation = cancellation
    options.progress = { if $0.iteration == 3 { cancellation.request() } }
    let findings = try experiment(name).run(options)
    #expect(!findings.isComplete)
    let all = try experiment(name).run(quick()).curves.count
    #expect(findings.curves.count < all)
  }

  @Test(arguments: [0, 1797, 5000])
  func tooManySamplesHeldOutAreRefused(count: Int) throws {
    var options = quick()
    options.heldOut = count
    #expect(throws: DataError.self) { try experiment("gu-2019/deep-networks").run(options) }
  }

  @Test func measurementsAreMeansWithTheirDeviation() throws {
    #expect(Measurement([]) == nil)
    #expect(Measurement([0.5]) == Measurement(0.5, count: 1))
    let four = try #require(Measurement([1, 2, 3, 6]))
    #expect(four.mean == 3 && four.count == 4)
    #expect(abs((four.deviation ?? 0) - (14.0 / 3).squareRoot()) < 1e-12)
    let row = Comparison(name: "x", ours: four, paper: Measurement(2.5))
    #expect(row.difference == 0.5)
    #expect(Comparison(name: "x", ours: four).difference == nil)
  }

  @Test func findingsAreWrittenAsDataAndCharts() throws {
    let path = NSTemporaryDirectory() + "fenchel-findings-\(UInt64.random(in: 0...UInt64.max))"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let chosen = try experiment("gu-2019/deep-networks")
    let findings = try chosen.run(quick())
    let folder = try FindingsFolder(path + "/a/b")
    let report = ExperimentReport(chosen, findings, quick(), seconds: 1.5)
    let files = try folder.write(report, findings)
    #expect(
      files.map { $0.split(separator: "/").last ?? "" } == [
        "curves.csv", "epochs.svg", "seconds.svg", "result.json",
      ])
    let table = try Table.read(files[0])
    #expect(table.names == ["method", "seed", "epoch", "seconds", "accuracy"])
    #expect(table.rows == findings.curves.reduce(0) { $0 + $1.points.count })
    #expect(table.columns[4].numbers?.last == findings.curves.last?.final)
    let text = try String(contentsOfFile: files[3], encoding: .utf8)
    for word in [
      "\"experiment\" : \"gu-2019/deep-networks\"", "openPoints", "comparisons", "blasCore", "citation",
    ] {
      #expect(text.contains(word), "\(word)")
    }
    // Again, over what is there; a file of somebody else's stays.
    try Data("mine".utf8).write(to: URL(fileURLWithPath: files[0] + ".mine"))
    _ = try folder.write(report, findings)
    #expect(FileManager.default.fileExists(atPath: files[0] + ".mine"))
    #expect(throws: FileWriteError.self) { try FindingsFolder(files[0]) }
  }
}
