// Seconds of an epoch of ordinary training, 784-300-10 on MNIST in single precision, beside the time that its matrix
// products alone take and the ceiling of the machine for products.
import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra

/// Processor time of this process, all threads together.
func processSeconds() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

let options = try NetworkOptions(CommandLine.arguments.dropFirst())
let train = try ImageSamples(.train)
let test = try ImageSamples(.test)
let widths = [train.samples.x.columns, options.hidden, 10]
let start: FeedForward<Float> = try Initialiser.varianceScaling.feedForward(
  widths: widths, activations: [options.activation], seed: options.seed)
let training = OrdinaryTraining(
  optimizer: options.optimizer, epochs: options.epochs, batchSize: options.batchSize,
  learningRate: options.learningRate, seed: options.seed)

print(
  "\(options.optimizer.rawValue), \(widths.map(String.init).joined(separator: "-")) \(options.activation), "
    + "batches of \(options.batchSize); OpenBLAS \(Parallel.blasCore), \(Parallel.threads) threads")
let wall = ContinuousClock()
var (mark, markCPU) = (wall.now, processSeconds())
var times: [Double] = []
let outcome = try training.run(
  from: start, x: train.samples.x, targets: train.samples.targets, loss: .softmax
) { epoch, network in
  times.append((wall.now - mark) / .seconds(1))
  let cpu = processSeconds() - markCPU
  print(
    String(
      format: "epoch %3d   %8.4f s   cpu %8.4f s   loss %.5f   test accuracy %.4f", epoch.number,
      times[times.count - 1], cpu,
      epoch.loss, test.accuracy(of: network)))
  (mark, markCPU) = (wall.now, processSeconds())
}
let median = times.sorted()[times.count / 2]
print("ended: \(outcome.status)")
let fastest = times.min() ?? median
print(String(format: "median epoch  %8.4f s, fastest %.4f s", median, fastest))
guard options.optimizer.isFirstOrder else { exit(0) }
let products = ProductTimes(widths: widths, batchSize: options.batchSize, samples: train.samples.x.rows)
let ceiling = MachineCeiling.measured().floatProduct.all
print(
  String(
    format: "products      %8.4f s, %.0f %% of the fastest, at %.0f GFLOP/s; ceiling of sgemm %.0f GFLOP/s",
    products.seconds, 100 * products.seconds / fastest, products.operations / products.seconds / 1e9, ceiling)
)
