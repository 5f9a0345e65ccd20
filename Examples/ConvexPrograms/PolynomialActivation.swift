import Fenchel

/// Networks with the activation a t² + b t + c: a semidefinite program whose bound is one over networks of any width, found
/// without activation patterns, and decoded to at most 2(d + 1) neurons.
func polynomialActivation() throws {
  let data = try Table.read("diabetes").datasets(testFraction: 0.3)

  var settings = TrainingSettings()
  settings.model = .polynomial
  settings.coefficients = .nearReLU
  settings.lambda = .ratio(0.05)
  let result = try train(data.train, test: data.test, settings: settings)

  try show(result.report)
  if let proof = result.report.certificate {
    print("  every network of this activation has an objective of at least \(proof.dual)")
  }
}
