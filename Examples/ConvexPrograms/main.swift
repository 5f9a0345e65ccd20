import Fenchel
import Foundation

// One convex program a file: `ConvexPrograms cnn` runs one of them, without argument all.
let examples: [(name: String, run: () throws -> Void)] = [
  ("gated", gatedNetwork), ("shared", sharedNeurons), ("cnn", convolution),
  ("batch-norm", batchNormalisation),
  ("three-layer", threeLayers), ("polynomial", polynomialActivation), ("threshold", thresholdActivation),
  ("forecast", forecast), ("gan", generatePictures),
]

let wanted = CommandLine.arguments.dropFirst()
let names = examples.map(\.name)
if let unknown = wanted.first(where: { !names.contains($0) }) {
  print("there is no example `\(unknown)`; choose from \(names.joined(separator: ", "))")
  exit(2)
}
for (name, run) in examples where wanted.isEmpty || wanted.contains(name) {
  print("\n\(name)")
  do {
    try run()
  } catch {
    print("  \(error)")
    exit(1)
  }
}

/// What every training says: its network's objective, what is proven of it, how large it is, and how well it does.
func show(_ report: TrainingReport) throws {
  print("  objective  \(report.network.objective)")
  if let proof = report.certificate { print("  proven gap \(proof.relativeGap)") }
  print("  neurons    \(report.network.neurons)")
  if let accuracy = report.test?.accuracy { print("  accuracy   \(accuracy) on rows held out") }
  if let error = report.test?.rmse { print("  error      \(error) on rows held out") }
  guard report.status == "solved" else { throw NotSolved(status: report.status) }
}

/// A training that ended before its tolerance.
struct NotSolved: Error, CustomStringConvertible {
  var status: String
  var description: String { "ended before its tolerance: \(status)" }
}
