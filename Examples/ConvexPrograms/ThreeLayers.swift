import Fenchel

/// Sub-networks of two ReLU layers, f(x) = Σ_k ((xᵀW_k)₊ w_k)₊ v_k, by the program over the patterns of both layers: two
/// valleys between hills, with all patterns of eight points on a line, so that no network of this form is better.
func threeLayers() throws {
  let x = (0..<8).map { Double($0) / 3.5 - 1 }
  let y = x.map { abs(abs(2 * $0) - 1) }

  var options = SchemaOptions()
  options.task = .regression
  let table = Table(source: "valleys", names: ["x", "y"], columns: [.numbers(x), .numbers(y)])
  let data: Dataset<Double> = try Schema(inferredFrom: table, options: options).dataset(from: table)

  var settings = TrainingSettings()
  (settings.model, settings.subnetwork, settings.patterns) = (.threeLayer, 2, .exact)
  settings.lambda = .ratio(0.01)
  let result = try train(data, settings: settings)

  try show(result.report)
  print("  error      \(result.report.train.rmse ?? .nan) on the points")
}
