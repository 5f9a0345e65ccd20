import Fenchel

/// Gated ReLU network f(x) = Σ_i 1[xᵀg_i > 0] xᵀw_i: the gates g_i are drawn, the w_i are a group lasso. The fastest program.
func gatedNetwork() throws {
  let data = try Table.read("breast-cancer").datasets(testFraction: 0.3)

  var settings = TrainingSettings()
  settings.model = .gatedReLU
  settings.patterns = .sampled(100)
  settings.lambda = .ratio(0.02)
  let result = try train(data.train, test: data.test, settings: settings)

  try show(result.report)
  // Each gate with a weight that is not zero is a neuron; most are zero.
  print("  patterns   \(result.report.patterns?.count ?? 0)")
}
