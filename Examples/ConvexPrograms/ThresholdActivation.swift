import Fenchel

/// Neurons that are 0 or 1, which have no gradient to descend: a LASSO over activation patterns.
func thresholdActivation() throws {
  let data = try Table.read("wine").datasets(testFraction: 0.3)

  var settings = TrainingSettings()
  settings.model = .threshold
  settings.patterns = .sampled(500)
  settings.lambda = .ratio(0.05)
  let result = try train(data.train, test: data.test, settings: settings)

  try show(result.report)
  // Saved models predict, verify and inspect from the command line: fenchel inspect threshold.safetensors
  try result.model.write(to: "threshold.safetensors")
}
