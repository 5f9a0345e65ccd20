import ConvexOptimization
import Fenchel
import Foundation
import LinearAlgebra

/// A few epochs of a batched Fenchel lifted network.
struct LiftedRun {
  /// Of the fastest epoch of three, after one that does not count.
  let seconds: Double
  /// What training adds, at its peak, to the memory of the process with the data.
  let bytes: Int

  private init(seconds: Double, bytes: Int) {
    (self.seconds, self.bytes) = (seconds, bytes)
  }

  init(widths: [Int], batch: Int, samples: Int) throws {
    let x: Matrix<Float> = Philox(seed: 1).uniformMatrix(samples, widths[0])
    var targets = Matrix<Float>(samples, 10)
    for i in 0..<samples { targets[i, Int(10 * x[i, 0]) % 10] = 1 }
    let before = ProcessMemory.peak
    var settings = LiftedSettings(hiddenLayers: widths.count - 2)
    (settings.epochs, settings.batchSize) = (4, batch)
    let start: FeedForward<Float> = try Initialiser.xavier.feedForward(
      widths: widths, activations: [Activation](repeating: .relu, count: widths.count - 2), bias: 0.1, seed: 1
    )
    var marks: [Double] = []
    var training = LiftedTraining<Float>(.fenchel, settings: settings)
    training.observer = { epoch, _ in marks.append(epoch.seconds) }
    _ = try training.run(
      from: start, x: x, targets: targets, weights: [Float](repeating: 1, count: samples), loss: .softmax)
    seconds = zip(marks.dropFirst(), marks).map { $0 - $1 }.min() ?? .nan
    bytes = ProcessMemory.peak - before
  }

  /// What is wrong with a process that was to make a run.
  struct Failure: Error {
    let status: Int32
    let output: String
  }

  /// The same, of as many samples as this process has, in one of its own: the peak of one run hides that of the next.
  static func inProcess(widths: [Int], batch: Int) throws -> LiftedRun {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    process.arguments =
      CommandLine.arguments.dropFirst() + ["--case"] + (widths + [batch]).map(String.init)
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let numbers = text.split(whereSeparator: \.isWhitespace)
    guard process.terminationStatus == 0, numbers.count == 2, let seconds = Double(numbers[0]),
      let bytes = Int(numbers[1])
    else { throw Failure(status: process.terminationStatus, output: text) }
    return LiftedRun(seconds: seconds, bytes: bytes)
  }
}
