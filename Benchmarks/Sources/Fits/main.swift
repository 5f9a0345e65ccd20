// Seconds of whole fits in-process, as `train` of the library makes them: the program, its certificate, the network
// and its scores. The median and the least of five, after one that is not counted; of one where a fit takes long.
// With words behind the command only the fits whose line holds all of them.
import Fenchel
import Foundation
import LinearAlgebra

/// What is trained on every table: the programs alone, and last with the bound over networks of any width.
let kinds: [(name: String, settings: TrainingSettings)] = {
  var refined = TrainingSettings()
  refined.bound = BoundEffort.none
  var cones = refined
  cones.patterns = .sampled(100)
  var gated = cones
  gated.model = .gatedReLU
  return [
    ("gated-100", gated), ("relu-100", cones), ("relu-refine", refined),
    ("relu-bound", TrainingSettings()),
  ]
}()

print("OpenBLAS \(Parallel.blasCore), \(Parallel.threads) threads; milliseconds a fit\n")
print("data                  program          median     least       gap")
for table in try SmallTable.all() {
  let name = table.name.padding(toLength: 22, withPad: " ", startingAt: 0)
  for (kind, settings) in kinds
  where CommandLine.arguments.dropFirst().allSatisfy({ (name + kind).contains($0) }) {
    var gap = 0.0
    func milliseconds() throws -> Double {
      let time = try ContinuousClock().measure {
        gap = try train(table.data, settings: settings).report.certificate?.relativeGap ?? .nan
      }
      return time / .milliseconds(1)
    }
    let first = try milliseconds()
    let times = try (0..<(first > 5000 ? 1 : 5)).map { _ in try milliseconds() }.sorted()
    print(
      name + kind.padding(toLength: 13, withPad: " ", startingAt: 0)
        + String(format: "%10.1f%10.1f%10.1e", times[times.count / 2], times[0], gap))
  }
}
