import Fenchel
import LinearAlgebra

/// MNIST with pixels in [0, 1].
struct ImageSamples {
  let samples: OrdinaryTraining.Samples<Float>

  init(_ part: DataPart) throws {
    var options = ReadOptions()
    options.part = part
    let table = try Table.read("mnist", options: options)
    let data = try Schema(inferredFrom: table).dataset(from: table, as: Float.self)
    var x = data.features
    x.scale(by: 1 / 255)
    let targets = (data.targets.matrix ?? Matrix(x.rows, 0)).converted(to: Float.self)
    samples = OrdinaryTraining.Samples(x: x, targets: targets)
  }

  /// The share of images whose largest output is their digit's.
  func accuracy(of network: FeedForward<Float>) -> Double {
    let output = network.output(samples.x)
    let right = (0..<output.rows).count { k in
      let row = output.row(k)
      return samples.targets[k, row.firstIndex(of: row.max() ?? 0) ?? 0] == 1
    }
    return Double(right) / Double(output.rows)
  }
}
