import Fenchel
import LinearAlgebra

/// Convolutional network f(x) = Σ_j Σ_k (x_kᵀw_j)₊ v_j over the patches x_k of a signal: a blip is found wherever it lies.
func convolution() throws {
  // Noise with a blip at a random place: up and down again, or down and up.
  let (samples, length, random) = (150, 20, Philox(seed: 1))
  var columns = [[Double]](repeating: [], count: length)
  var labels: [String] = []
  for k in 0..<samples {
    let place = Int(random.uniform(at: UInt64(k)) * Double(length - 3))
    let sign = k % 2 == 0 ? 1.0 : -1.0
    for t in 0..<length {
      let blip = t == place ? sign : t == place + 1 ? -sign : 0
      columns[t].append(2 * blip + 0.5 * random.normal(at: UInt64(1000 + k * length + t)))
    }
    labels.append(sign > 0 ? "up" : "down")
  }
  let table = Table(source: "blips", columns: columns.map { .numbers($0) } + [.text(TextColumn(labels))])
  let data = try table.datasets(testFraction: 0.3)

  var settings = TrainingSettings()
  (settings.model, settings.patterns, settings.lambda) = (.cnn, .sampled(20), .ratio(0.05))
  var patches = PatchSettings()
  patches.kernelWidth = 3
  settings.convolution = patches
  let report = try train(data.train, test: data.test, settings: settings).report

  try show(report)
  let positions = length - patches.kernelWidth + 1
  print("  filters    \(report.network.neurons / positions), each at \(positions) positions")
}
