import Fenchel

// A table by its path, or a data set by its name; the last column is the target.
let table = try Table.read("iris")
let data: Dataset<Double> = try Schema(inferredFrom: table).dataset(from: table)

var settings = TrainingSettings()
settings.lambda = .ratio(0.02)
let result = try train(data, settings: settings)

if let proof = result.report.certificate {
  print("optimum over these patterns: between \(proof.dual) and \(proof.primal)")
}
print("accuracy \(result.report.train.accuracy ?? .nan) with \(result.report.network.neurons) neurons")
try result.model.write(to: "iris.safetensors")
