import Fenchel

/// The next value of a heartbeat from the fifteen before it, beside linear autoregression and the last value again.
func forecast() throws {
  let signal = try Signal(Table.read("ecg")).prefix(1500)

  var settings = ForecastSettings()
  (settings.window, settings.horizon, settings.rivals) = (15, 5, [.linear, .last])
  var training = TrainingSettings()
  (training.lambda, training.bound) = (.ratio(0.001), BoundEffort.none)
  let result = try Forecasting(signal, settings: settings, training: training).run()

  try show(result.report.training)
  for method in result.report.methods {
    let errors = [1, 5].map { step in "\(step) ahead \(method.steps[step - 1].rmse)" }
    print("  \(method.name): error \(errors.joined(separator: ", "))")
  }
  print("  the next value is \(result.report.future[0].value)")
}
