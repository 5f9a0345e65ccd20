import ConvexOptimization
import Experiments
import Fenchel
import Foundation
import Testing

/// Convex programs against descent on the networks' own weights.
extension ExperimentTests {
  @Test(arguments: [
    ("pilanci-slides/toy", 1e-7), ("pilanci-slides/quadratic", 1e-3), ("pilanci-slides/polynomial", 1e-4),
    ("ergen-2021/figure-4", 1e-4),
  ])
  func noStartGoesBelowTheConvexProgram(name: String, margin: Double) throws {
    let findings = try experiment(name).run(quick(seeds: 2))
    #expect(findings.isComplete && findings.comparisons.count == 4 && findings.charts.count == 1)
    #expect(findings.comparisons.allSatisfy { $0.ours != nil && $0.paper == nil })
    let optimum = try #require(findings.comparisons[0].ours?.mean)
    #expect(findings.comparisons[0].name == "convex program" && optimum > 0)
    // The program's optimum is one over all networks of the form, so that the objectives would differ if any were lower.
    #expect(findings.descents.count == 2)
    for curve in findings.descents {
      #expect(curve.status == .completed && curve.points.count > 10)
      #expect(curve.points.allSatisfy { $0.objective > optimum - margin }, "\(curve)")
      let (first, last) = (try #require(curve.points.first), try #require(curve.points.last))
      #expect(first.epoch == 0 && first.seconds == 0 && last.objective < first.objective)
      #expect(
        zip(curve.points, curve.points.dropFirst()).allSatisfy {
          $0.epoch < $1.epoch && $0.seconds <= $1.seconds
        })
    }
    // The chart has every start under one name, and the program's level.
    let chart = findings.charts[0].chart
    #expect(chart.lines.count == 3 && Set(chart.lines.map(\.name)).count == 2)
    #expect(chart.lines.last?.level == optimum && chart.svg.contains("2 starts"))
    let again = try experiment(name).run(quick(seeds: 2))
    #expect(
      findings.descents.map { $0.points.map(\.objective) }
        == again.descents.map { $0.points.map(\.objective) })
  }

  @Test func theTableOfSmallSetsHasBothNormsAndTheErrors() throws {
    let findings = try experiment("ergen-2021/table-1").run(quick(seeds: 2))
    #expect(findings.isComplete && findings.comparisons.count == 6)
    #expect(findings.comparisons.allSatisfy { $0.ours?.count == 2 && $0.paper == nil })
    let objectives = findings.comparisons.prefix(3).compactMap(\.ours?.mean)
    // SGD, the program, and the same with the larger set of first layers.
    #expect(objectives[0] > objectives[1] && objectives[1] > objectives[2] && objectives[2] > 0)
    #expect(findings.comparisons.suffix(3).allSatisfy { (0...1).contains($0.ours?.mean ?? -1) })
    #expect(findings.remarks.contains { $0.contains("lower for 2 of 2 seeds") })
    var options = quick()
    options.heldOut = 4
    let held = try experiment("ergen-2021/table-1").run(options)
    #expect(held.comparisons.map(\.ours?.mean) != findings.comparisons.map(\.ours?.mean))
    options.heldOut = 13
    #expect(throws: DataError.self) { try experiment("ergen-2021/table-1").run(options) }
  }

  @Test func theProgramOfImagesHasACurveBesideTheNetworks() throws {
    let findings = try experiment("ergen-2021/figure-5").run(quick())
    #expect(findings.isComplete && findings.curves.count == 4 && findings.charts.count == 1)
    #expect(findings.comparisons.count == 8 && findings.comparisons.allSatisfy { $0.ours != nil })
    for curve in findings.curves {
      #expect(curve.final ?? 0 > 0.95 && curve.points.count > 5, "\(curve.method)")
      #expect(zip(curve.points, curve.points.dropFirst()).allSatisfy { $0.seconds < $1.seconds })
    }
    #expect(findings.remarks.contains { $0.contains("% of optimal over its patterns") })
  }

  @Test(arguments: ["pilanci-slides/toy", "ergen-2021/figure-4", "ergen-2021/table-1", "ergen-2021/figure-5"])
  func aCancelledDescentLeavesNoHalfRows(name: String) throws {
    var options = quick()
    let cancellation = Cancellation()
    options.cancellation = cancellation
    options.progress = { if $0.phase.contains("SGD"), $0.iteration == 3 { cancellation.request() } }
    let findings = try experiment(name).run(options)
    #expect(!findings.isComplete && findings.descents.isEmpty)
    let all = try experiment(name).run(quick())
    #expect(findings.curves.count + findings.descents.count < all.curves.count + all.descents.count)
  }

  @Test func objectivesAreWrittenAsData() throws {
    let path = NSTemporaryDirectory() + "fenchel-objectives-\(UInt64.random(in: 0...UInt64.max))"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let chosen = try experiment("pilanci-slides/quadratic")
    let findings = try chosen.run(quick())
    let files = try FindingsFolder(path).write(
      ExperimentReport(chosen, findings, quick(), seconds: 1), findings)
    #expect(
      files.map { $0.split(separator: "/").last ?? "" } == [
        "objectives.csv", "neurons-10.svg", "result.json",
      ])
    let table = try Table.read(files[0])
    #expect(table.names == ["method", "seed", "epoch", "seconds", "objective"])
    #expect(table.rows == findings.descents.reduce(0) { $0 + $1.points.count })
    #expect(table.columns[4].numbers?.last == findings.descents.last?.final)
  }
}
