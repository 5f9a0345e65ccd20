import ConvexOptimization
import LinearAlgebra

/// Samples that are read from their file when a training asks for them: the bits of `MemorySamples` of the same data.
struct StreamedSamples<Element: Scalar>: SampleSource {
  let problem: StreamedProblem

  var samples: Int { problem.frame.rows }
  var features: Int { problem.frame.columns }
  var outputs: Int { problem.frame.outputs }
  var mass: Double { problem.mass(Element.self) }

  func batch(_ samples: ArraySlice<Int>) throws -> Batch<Element> {
    try batch(problem.data.dataset(of: samples))
  }

  /// Samples that follow each other.
  func batch(_ range: Range<Int>) throws -> Batch<Element> { try batch(problem.data.dataset(of: range)) }

  private func batch(_ data: Dataset<Double>) throws -> Batch<Element> {
    let frame = problem.frame
    let x = frame.features.applied(to: data.features).converted(to: Element.self)
    let y = frame.targets.applied(to: try TrainingProblem.targets(data, frame.kind)).converted(
      to: Element.self)
    let loss = try frame.makeLoss(y, weights: data.sampleWeights.map { Element($0) })
    return Batch(x: x, loss: loss, mass: total(loss.weights))
  }
}

/// Samples whose features were turned into the axes of their second moment, in a scratch file: rows of features, targets
/// and a weight in the training's precision. The bits of `InputBasis.rotated` on all of them.
struct TurnedSamples<Element: Scalar>: SampleSource {
  private let file: RowFile
  private let frame: ProblemFrame
  let features: Int
  let mass: Double

  /// Cost: a pass over the samples, and a product with the basis.
  ///
  /// - Throws: `FileWriteError` where there is no room for the file; `StreamError.interrupted`.
  init(_ source: StreamedSamples<Element>, _ basis: InputBasis<Element>, isInterrupted: () -> Bool) throws {
    (frame, mass, features) = (source.problem.frame, source.mass, basis.directions.columns)
    var scratch = try ScratchFile()
    for range in StreamedData.pieces(source.samples, InputBasis<Element>.pieceRows) {
      if isInterrupted() { throw StreamError.interrupted }
      let batch = try source.batch(range)
      let x = basis.rotated(batch.x)
      for row in 0..<range.count {
        try x.row(row).withUnsafeBytes { try scratch.append($0) }
        try batch.loss.targets.row(row).withUnsafeBytes { try scratch.append($0) }
        try withUnsafeBytes(of: batch.loss.weights[row]) { try scratch.append($0) }
      }
    }
    let name = source.problem.data.table.source
    file = RowFile(
      file: try scratch.finished(name: name), start: 0,
      rowBytes: (features + source.outputs + 1) * MemoryLayout<Element>.stride, rows: source.samples)
  }

  var samples: Int { file.rows }
  var outputs: Int { frame.outputs }

  func batch(_ samples: ArraySlice<Int>) throws -> Batch<Element> {
    let bytes = try file.bytes(of: samples)
    var x = Matrix<Element>(samples.count, features)
    var y = Matrix<Element>(samples.count, outputs)
    var weights = [Element](repeating: 0, count: samples.count)
    bytes.withUnsafeBytes { bytes in
      x.storage.withUnsafeMutableBytes { x in
        y.storage.withUnsafeMutableBytes { y in
          weights.withUnsafeMutableBytes { weights in
            distribute(bytes, rows: samples.count, to: [x, y, weights])
          }
        }
      }
    }
    let loss = try frame.makeLoss(y, weights: weights)
    return Batch(x: x, loss: loss, mass: total(loss.weights))
  }
}

/// Cuts rows that lie end to end into columns of pieces: each target takes its share of every row.
private func distribute(
  _ bytes: UnsafeRawBufferPointer, rows: Int, to targets: [UnsafeMutableRawBufferPointer]
) {
  guard let base = bytes.baseAddress, rows > 0 else { return }
  var place = 0
  let shares = targets.map { $0.count / rows }
  for row in 0..<rows {
    for (target, share) in zip(targets, shares) where share > 0 {
      target.baseAddress.map { ($0 + row * share).copyMemory(from: base + place, byteCount: share) }
      place += share
    }
  }
}
