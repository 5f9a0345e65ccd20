import Fenchel

/// Batch normalisation before the ReLU: the program of ReLU networks on whitened data. The network that comes out is a plain one,
/// the statistics of the batch in its weights.
func batchNormalisation() throws {
  let data = try Table.read("wine").datasets(testFraction: 0.3)

  var settings = TrainingSettings()
  settings.model = .batchNorm
  settings.patterns = .sampled(40)
  settings.lambda = .ratio(0.05)
  let result = try train(data.train, test: data.test, settings: settings)

  try show(result.report)
  print("  layers     \(result.model.network.layers.count), activations among them")
}
