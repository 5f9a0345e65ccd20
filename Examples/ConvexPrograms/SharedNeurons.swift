import Fenchel

/// ReLU network whose neurons feed all classes: the nuclear norm of each pattern's weights in place of a norm for each class.
func sharedNeurons() throws {
  let data = try Table.read("iris").datasets(testFraction: 0.3)

  var settings = TrainingSettings()
  settings.model = .relu
  settings.patterns = .sampled(30)
  settings.lambda = .ratio(0.02)
  settings.bound = BoundEffort.none
  for coupling in [OutputCoupling.groups, .nuclear] {
    settings.outputs = coupling
    let result = try train(data.train, test: data.test, settings: settings)
    print(coupling == .nuclear ? "  neurons that all outputs share" : "  neurons for each output")
    try show(result.report)
  }
}
