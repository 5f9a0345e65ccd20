// Seconds of an epoch of batched Fenchel lifted networks by layers and batch, beside the time that the matrix products of the
// epoch alone take, their rate and the machine's ceiling for products. Uniform inputs of 150 columns, ten classes, single
// precision. The time for each sample and weight is to be the same in all rows as long as layers and batches are large.
import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra

let isQuick = CommandLine.arguments.contains("--quick")
let samples = isQuick ? 2000 : 20_000
let ceiling = MachineCeiling.measured().floatProduct.all
print(
  "OpenBLAS \(Parallel.blasCore), \(Parallel.threads) threads, \(samples) samples; ceiling of sgemm "
    + String(format: "%.0f GFLOP/s\n", ceiling))
print(
  "layers                batch   s an epoch   ns / (sample · weight)   products: s   GFLOP/s   of the ceiling"
)
let cases: [(hidden: [Int], batch: Int)] =
  isQuick
  ? [([300], 500)]
  : [
    ([150], 500), ([300], 500), ([600], 500), ([1200], 500), ([300], 125), ([300], 250), ([300], 1000),
    ([300], 2000),
    ([500, 200], 500), ([500, 200, 100, 50], 250),
  ]
for (hidden, batch) in cases {
  let widths = [150] + hidden + [10]
  let epoch = try seconds(widths, batch)
  let products = LiftedProducts(widths: widths, batch: batch, samples: samples)
  let weights = zip(widths, widths.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
  let rate = products.operations / products.seconds / 1e9
  print(
    widths.map(String.init).joined(separator: "-").padding(toLength: 20, withPad: " ", startingAt: 0)
      + String(
        format: "%7d   %10.3f   %22.3f   %11.3f   %7.0f   %12.0f %%", batch, epoch,
        1e9 * epoch / Double(samples * weights), products.seconds, rate, 100 * rate / ceiling))
}

/// The fastest epoch of three, after one that does not count.
func seconds(_ widths: [Int], _ batch: Int) throws -> Double {
  let x: Matrix<Float> = Philox(seed: 1).uniformMatrix(samples, widths[0])
  var targets = Matrix<Float>(samples, 10)
  for i in 0..<samples { targets[i, Int(10 * x[i, 0]) % 10] = 1 }
  var settings = LiftedSettings(hiddenLayers: widths.count - 2)
  (settings.epochs, settings.batchSize) = (4, batch)
  let start: FeedForward<Float> = try Initialiser.xavier.feedForward(
    widths: widths, activations: [Activation](repeating: .relu, count: widths.count - 2), bias: 0.1, seed: 1)
  var marks: [Double] = []
  var training = LiftedTraining<Float>(.fenchel, settings: settings)
  training.observer = { epoch, _ in marks.append(epoch.seconds) }
  _ = try training.run(
    from: start, x: x, targets: targets, weights: [Float](repeating: 1, count: samples), loss: .softmax)
  return zip(marks.dropFirst(), marks).map { $0 - $1 }.min() ?? .nan
}
