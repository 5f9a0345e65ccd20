import ConvexOptimization
import LinearAlgebra

/// Data that stay in their file, made ready for training: what `TrainingProblem` finds out with all data in memory, found
/// in passes over them, with the same bits.
///
/// Cost: three passes for scalings by mean and deviation, one for those by the largest value, and one more.
struct StreamedProblem {
  let data: StreamedData
  let frame: ProblemFrame
  /// The largest magnitude of a feature or target, scaled.
  let largest: Double
  /// Σ s in single and in double precision.
  private let masses: (float: Double, double: Double)
  let fingerprint: String
  private let isInterrupted: () -> Bool

  /// - Throws: as `TrainingProblem`, and `StreamError.interrupted`.
  init(
    _ data: StreamedData, settings: TrainingSettings, from start: InitialModel? = nil,
    isInterrupted: @escaping () -> Bool = { false }
  ) throws {
    let loss = settings.loss ?? start?.model.report.loss
    let kind = loss ?? TrainingProblem.defaultLoss(data.schema)
    self.data = data
    self.isInterrupted = isInterrupted
    let width = try TrainingProblem.targets(data.dataset(of: 0..<1), kind).columns
    var scaling =
      start?.model.scaling ?? Scaling(features: .identity(data.schema.width), targets: .identity(width))
    if let start, kind == .poisson, scaling.targets != .identity(width) {
      throw InitialModelError.targets(start.source, kind)
    }
    if start != nil, scaling.targets.columns != width { scaling.targets = .identity(width) }
    if start == nil, settings.standardise {
      scaling = try Self.scaling(data, kind, settings.model, width, isInterrupted)
    }
    frame = ProblemFrame(
      kind: kind, parameters: settings.parameters, hasBias: settings.bias, features: scaling.features,
      targets: scaling.targets, schema: data.schema, sha256: data.table.sha256, rows: data.rows)
    var fingerprint = try frame.fingerprint
    var check = ProblemCheck(source: data.table.source)
    var masses = (float: 0.0, double: 0.0)
    try Self.pass(data, isInterrupted) { [frame] part in
      let y = scaling.targets.applied(to: try TrainingProblem.targets(part, kind))
      try check.add(scaling.features.applied(to: part.features), y, part.sampleWeights)
      _ = try part.namingRows { () throws(LossError) in
        try frame.kind.makeLoss(targets: y, weights: part.sampleWeights, parameters: frame.parameters)
      }
      fingerprint.add(y, weights: part.sampleWeights)
      for weight in part.sampleWeights {
        masses.float += Double(Float(weight))
        masses.double += weight
      }
    }
    try check.finish(hasBias: settings.bias)
    (self.fingerprint, self.masses, largest) = (fingerprint.digest, masses, check.largestMagnitude)
  }

  /// Σ s, of the weights in a precision.
  func mass<Element: Scalar>(_: Element.Type) -> Double {
    Element.self == Float.self ? masses.float : masses.double
  }

  private static func pass(
    _ data: StreamedData, _ isInterrupted: () -> Bool, _ body: (Dataset<Double>) throws -> Void
  ) throws {
    try data.forEachPiece(of: StreamedData.pieceRows) { part in
      if isInterrupted() { throw StreamError.interrupted }
      try body(part)
    }
  }

  private static func scaling(
    _ data: StreamedData, _ kind: LossKind, _ model: ModelKind, _ width: Int, _ isInterrupted: () -> Bool
  ) throws -> Scaling {
    let isImage = data.schema.imageShape != nil && !model.isConvexProgram
    let scalesTargets = data.schema.task == .regression && kind != .poisson
    var features = ColumnStatistics(columns: data.schema.width)
    var targets = ColumnStatistics(columns: width)
    var largest = 0.0
    for _ in 0..<(isImage && !scalesTargets ? 1 : ColumnStatistics.passes) {
      try pass(data, isInterrupted) { part in
        if isImage {
          largest = part.features.largestMagnitude(above: largest)
        } else {
          features.add(part.features, part.sampleWeights)
        }
        if scalesTargets { targets.add(try TrainingProblem.targets(part, kind), part.sampleWeights) }
      }
      features.finishPass()
      targets.finishPass()
    }
    return Scaling(
      features: isImage
        ? Standardisation(columns: data.schema.width, dividedBy: largest) : features.standardisation,
      targets: scalesTargets ? targets.standardisation : .identity(width))
  }
}
