import LinearAlgebra

/// How many bytes training layer by layer takes at its peak, counted before anything of it is made: the data as read
/// and in the training's precision, copies of the weights, curvatures, and the outputs of all layers for the samples
/// that are visited together.
struct LayerMemory {
  /// d_0 and d_{L+1}.
  private let ends: (inputs: Double, outputs: Double)
  /// Entries of all weights with their biases, of all squares of as many rows, and of all outputs of a sample.
  private var weights = 0.0, squares = 0.0, width = 0.0
  /// Entries of an image in its border and of its patches, of the layer that has most: threads make one each.
  private var patches = 0.0
  private let samples: Double
  /// Samples that are visited together.
  private let batch: Double
  private let model: ModelKind
  private let optimizer: Optimizer
  /// Whether blocks of a lifted model are solved on the way, if only for weights to start from.
  private let hasBlocks: Bool
  /// Whether sweeps of a lifted model are combined, which keeps copies of the weights.
  private let isAccelerated: Bool
  private let bytesPerElement: Double
  /// Whether the data stay in their file.
  private let isStreamed: Bool

  init(
    _ problem: ProblemFrame, _ layers: LayerSettings, model: ModelKind, bytesPerElement: Int,
    isStreamed: Bool = false
  ) throws {
    let bias = problem.hasBias ? 1.0 : 0
    ends = (Double(problem.columns) + bias, Double(problem.outputs))
    for layer in try layers.shapes(for: problem) {
      let rows = Double(layer.rows) + bias
      weights += rows * Double(layer.columns)
      squares += rows * rows
      if case .convolution(let convolution) = layer.map {
        let (framed, positions) = (Double(convolution.frame.shape.count), Double(convolution.positions))
        patches = max(patches, framed + Double(convolution.patchLength + 1) * positions)
        // Sums over images are made in so many parts.
        squares += min(Double(Convolution.parts), Double(problem.rows)) / 4 * rows * rows
      }
      width += Double(layer.outputs) + bias
    }
    samples = Double(problem.rows)
    self.isStreamed = isStreamed
    let visitsAll = model.needsAllSamples || layers.initialiser == .lifted || layers.dualSteps != nil
    batch = visitsAll ? samples : min(samples, Double(layers.batchSize))
    hasBlocks = (model != .mlp && model != .contrastive) || layers.initialiser == .lifted
    isAccelerated = visitsAll && hasBlocks
    self.model = model
    optimizer = layers.optimizer
    self.bytesPerElement = Double(bytesPerElement)
  }

  /// The sum of all.
  var bytes: Int {
    let outputs = batch * width
    let data = isStreamed ? 0 : samples * (ends.inputs + ends.outputs)
    var elements = data + batch * ends.inputs + 2 * Double(Parallel.threads) * patches
    switch (model, optimizer) {
    case (.mlp, .kfac): elements += 10 * weights + 6 * squares + 6 * outputs
    case (.mlp, .lbfgs): elements += 26 * weights + 2 * outputs
    case (.mlp, .gaussNewton): elements += 12 * weights + 5 * outputs
    case (.mlp, _), (.contrastive, _): elements += 7 * weights + 4 * outputs
    default: break
    }
    if hasBlocks {
      elements += (isStreamed ? batch : samples) * ends.inputs + 7 * weights + 4 * squares + 12 * outputs
    }
    if isAccelerated { elements += Double(2 * LiftedSettings().acceleration + 2) * weights }
    // Raw and scaled, in Double. Of a stream only a piece at a time, as read too, and the order of the samples.
    let piece = max(batch, Double(StreamedData.pieceRows))
    let asRead = isStreamed ? 3 * piece * ends.inputs * 8 + 16 * samples : 2 * samples * ends.inputs * 8
    return Int(min(asRead + elements * bytesPerElement, 1e18))
  }

  /// - Throws: `LayerMemoryError` where this is above a limit in bytes.
  func check(limit: Int) throws(LayerMemoryError) {
    guard bytes <= limit else { throw LayerMemoryError(needed: bytes, limit: limit) }
  }
}

/// A network whose training takes more memory than is allowed.
public struct LayerMemoryError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Bytes, both.
  public let needed, limit: Int

  public var description: String {
    "training these layers needs \(memorySize(needed, .up)), the limit is \(memorySize(limit, .down)): "
      + "take narrower layers (--hidden, or those of the architecture), smaller batches (--batch-size), fewer samples, or raise --max-memory"
  }
}
