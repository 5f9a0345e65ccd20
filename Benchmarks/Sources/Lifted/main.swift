// Seconds of an epoch and memory of batched Fenchel lifted networks by layers and batch, beside the time that the matrix
// products of the epoch alone take, their rate and the machine's ceiling for products. Uniform inputs of 150 columns, ten
// classes, single precision; each row is a process of its own, and its memory what training adds to the data at its peak. The
// time for each sample and weight is to be about the same in all rows.
import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra

let isQuick = CommandLine.arguments.contains("--quick")
let samples = isQuick ? 2000 : 20_000
if let index = CommandLine.arguments.firstIndex(of: "--case") {
  let numbers = CommandLine.arguments[(index + 1)...].compactMap { Int($0) }
  let run = try LiftedRun(widths: Array(numbers.dropLast()), batch: numbers.last ?? 0, samples: samples)
  print(run.seconds, run.bytes)
  exit(0)
}

let ceiling = MachineCeiling.measured().floatProduct.all
print(
  "OpenBLAS \(Parallel.blasCore), \(Parallel.threads) threads, \(samples) samples; ceiling of sgemm "
    + String(format: "%.0f GFLOP/s\n", ceiling))
print(
  "layers                    batch   s an epoch   ns / (sample · weight)   MiB   products: s   GFLOP/s   of the ceiling"
)
let cases: [(hidden: [Int], batch: Int)] =
  isQuick
  ? [([300], 500)]
  : [
    ([150], 500), ([300], 500), ([600], 500), ([1200], 500), ([2400], 500),
    ([300], 125), ([300], 250), ([300], 1000), ([300], 2000), ([300], 5000), ([300], 10_000), ([300], 20_000),
    ([300, 300], 500), ([300, 300, 300], 500), ([500, 200], 500), ([500, 200, 100, 50], 250),
  ]
for (hidden, batch) in cases {
  let widths = [150] + hidden + [10]
  let run = try LiftedRun.inProcess(widths: widths, batch: batch)
  let products = LiftedProducts(widths: widths, batch: batch, samples: samples)
  let weights = zip(widths, widths.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
  let rate = products.operations / products.seconds / 1e9
  print(
    widths.map(String.init).joined(separator: "-").padding(toLength: 24, withPad: " ", startingAt: 0)
      + String(
        format: "%7d   %10.3f   %22.3f   %3.0f   %11.3f   %7.0f   %12.0f %%", batch, run.seconds,
        1e9 * run.seconds / Double(samples * weights), Double(run.bytes) / 1_048_576, products.seconds, rate,
        100 * rate / ceiling))
  fflush(nil)
}
