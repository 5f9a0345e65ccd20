import ConvexOptimization
import LinearAlgebra

/// Data made ready for a two-layer program: scaled features with the bias column, targets in the form that the
/// loss has, and both scalings.
public struct TrainingProblem: Sendable {
  /// X: n × d, scaled, with a last column of ones where there is a bias.
  public let x: Matrix<Double>
  /// Sums over the rows of X that a sample has: most have one.
  public let pooling: RowSums
  public let loss: any Loss<Double>
  public let kind: LossKind
  /// δ and τ, in units of the targets as scaled.
  public let parameters: LossParameters
  public let hasBias: Bool
  public let features: Standardisation
  public let targets: Standardisation
  /// Rows of the data, those of weight 0 too.
  private let rows: Int
  let schema: Schema
  /// SHA-256 of the data as read.
  let sha256: String

  /// The problem of some training data under some settings.
  ///
  /// Errors: `TrainingError` where loss and task do not fit, targets are missing or, for counts, negative, all weights are 0,
  /// or numbers are too large or features all too small; `LossError` for parameters outside their range.
  public init(_ data: Dataset<Double>, settings: TrainingSettings) throws {
    let kind = settings.loss ?? Self.defaultLoss(data.schema)
    let scaled = settings.standardise
    let weights = data.sampleWeights
    let features = Self.scaling(of: data, settings)
    let raw = try Self.targets(data, kind)
    let isRegression = data.schema.task == .regression && kind != .poisson
    let targets =
      scaled && isRegression
      ? Standardisation(fitting: raw, weights: weights) : .identity(raw.columns)
    try self.init(
      data, isConvex: settings.model.isConvexProgram, kind: kind, hasBias: settings.bias, features: features,
      targets: targets, parameters: settings.parameters)
  }

  /// The problem of some data as a model that training goes on from sees them: with its scaling, whatever the settings
  /// say of it.
  ///
  /// Errors: as above; `InitialModelError.targets` for a loss that does not take the model's scaled targets.
  init(_ data: Dataset<Double>, settings: TrainingSettings, from start: InitialModel) throws {
    let (kind, scaling) = (settings.loss ?? start.model.report.loss, start.model.scaling)
    let y = try Self.targets(data, kind)
    let fits = scaling.targets.columns == y.columns
    if kind == .poisson, fits, scaling.targets != .identity(y.columns) {
      throw InitialModelError.targets(start.source, kind)
    }
    // Other columns of targets need another network, which `InitialModel` refuses with both.
    try self.init(
      data, isConvex: false, kind: kind, hasBias: settings.bias, features: scaling.features,
      targets: fits ? scaling.targets : .identity(y.columns), parameters: settings.parameters)
  }

  /// The problem of some data under scalings that are known, as from a model file. That of a convex program is without the
  /// rows of weight 0, of which its patterns and cones must not know; batches have them, as streams do.
  init(
    _ data: Dataset<Double>, isConvex: Bool, kind: LossKind, hasBias: Bool, features: Standardisation,
    targets: Standardisation, parameters: LossParameters = LossParameters()
  ) throws {
    guard data.sampleWeights.contains(where: { $0 > 0 }) else { throw TrainingError.noWeight(data.source) }
    rows = data.rows
    let data = isConvex ? data.withoutWeightless : data
    self.kind = kind
    self.parameters = parameters
    self.hasBias = hasBias
    (schema, sha256) = (data.schema, data.sha256)
    self.features = features
    self.targets = targets
    pooling = .identity
    x = features.applied(to: data.features).augmented(hasBias: hasBias)
    let y = targets.applied(to: try Self.targets(data, kind))
    var check = ProblemCheck(source: data.source)
    try check.add(x, y, data.sampleWeights)
    try check.finish(hasBias: hasBias)
    loss = try data.namingRows {
      () throws(LossError) in
      try kind.makeLoss(targets: y, weights: data.sampleWeights, parameters: parameters)
    }
  }

  /// The same targets on inputs that a map made of the features; these have no column of ones of their own.
  init(_ other: TrainingProblem, inputs: Matrix<Double>, pooling: RowSums) {
    (x, hasBias, self.pooling) = (inputs, false, pooling)
    (loss, kind, parameters) = (other.loss, other.kind, other.parameters)
    (features, targets) = (other.features, other.targets)
    (schema, sha256, rows) = (other.schema, other.sha256, other.rows)
  }

  /// How the features are scaled: columns each by their own mean and deviation; under a kernel, which all pixels of a channel
  /// share, channels by theirs; images, whose pixels share a unit, by their largest value where a network of many layers
  /// sees them.
  private static func scaling(of data: Dataset<Double>, _ settings: TrainingSettings) -> Standardisation {
    guard settings.standardise else { return .identity(data.features.columns) }
    if settings.model.hasKernel {
      let shape = try? (settings.convolution ?? PatchSettings()).shape(
        features: data.features.columns, image: data.schema.imageShape)
      return Standardisation(
        fitting: data.features, weights: data.sampleWeights, channels: shape?.channels ?? 1)
    }
    guard data.schema.imageShape != nil, !settings.model.isConvexProgram else {
      return Standardisation(fitting: data.features, weights: data.sampleWeights)
    }
    return Standardisation(dividing: data.features)
  }

  /// The problem apart from its samples.
  var frame: ProblemFrame {
    ProblemFrame(
      kind: kind, parameters: parameters, hasBias: hasBias, features: features, targets: targets,
      schema: schema,
      sha256: sha256, rows: rows)
  }

  /// What tells these data from others. Cost: a hash of the targets.
  package var fingerprint: String {
    get throws {
      var fingerprint = try frame.fingerprint
      fingerprint.add(loss.targets, weights: loss.weights)
      return fingerprint.digest
    }
  }

  /// X without the column of ones: the inputs of the network.
  public var inputs: Matrix<Double> {
    guard hasBias else { return x }
    var result = Matrix<Double>(x.rows, x.columns - 1)
    for k in 0..<x.rows { for j in 0..<result.columns { result[k, j] = x[k, j] } }
    return result
  }

  /// Softmax for several classes, logistic for two, squared for numbers.
  static func defaultLoss(_ schema: Schema) -> LossKind {
    guard schema.task == .classification else { return .squared }
    return schema.classes.count > 2 ? .softmax : .logistic
  }

  /// Y as the loss has it: numbers; one-hot rows for softmax and, with more than two classes, squared; −1/1 else.
  static func targets(_ data: Dataset<Double>, _ kind: LossKind) throws -> Matrix<Double> {
    let needsClasses = [.logistic, .softmax, .hinge, .squaredHinge].contains(kind)
    switch data.targets {
    case .none: throw TrainingError.noTargets(data.source)
    case .values(let y):
      guard !needsClasses else { throw TrainingError.lossNeedsClasses(kind, data.source) }
      if kind == .poisson { try checkCounts(y, data) }
      return y
    case .classes(_, let count):
      guard count > 1 else { throw TrainingError.oneClass(data.schema.classes.first ?? "", data.source) }
      if kind != .softmax, let signs = data.targets.signs { return signs }
      var y = data.targets.matrix ?? Matrix(data.rows, count)
      if needsClasses, kind != .softmax {
        for i in 0..<y.count { y.storage[i] = 2 * y.storage[i] - 1 }
      }
      return y
    }
  }

  /// Counts are not negative, but in a row of weight 0, which is no row.
  private static func checkCounts(_ y: Matrix<Double>, _ data: Dataset<Double>) throws(TrainingError) {
    for k in 0..<y.rows where data.sampleWeights[k] > 0 {
      for j in 0..<y.columns where y[k, j] < 0 {
        throw .negativeCount(
          data.source, row: (data.rowNumbers?[k] ?? k) + 1, target: data.schema.targets[j].name, y[k, j])
      }
    }
  }
}

/// What makes data or settings unfit for training.
public enum TrainingError: Error, CustomStringConvertible, Sendable, Equatable {
  case noTargets(String)
  case lossNeedsClasses(LossKind, String)
  case oneClass(String, String)
  /// A target below 0, which the Poisson loss does not take.
  case negativeCount(String, row: Int, target: String, Double)
  case noWeight(String)
  case scale(String, String)
  case vanishing(String)
  case singlePrecision(Double)
  case gates(String)
  case solver(SolverChoice, LossKind)
  case solverOfModel(SolverChoice, ModelKind)
  case lossOfModel(LossKind, ModelKind)
  case lossOfSharedNeurons(LossKind)
  case sharedNeurons(ModelKind)
  case solverOfSharedNeurons(SolverChoice)
  /// Hinges in place of cones, which another model or norm has not.
  case penaltyForm(String)

  public var description: String {
    switch self {
    case .noTargets(let source): "\(source): there is no target column to learn from"
    case .lossNeedsClasses(let kind, let source):
      "\(source): the loss \(kind.rawValue) needs classes; give --task classification, or another --loss"
    case .oneClass(let name, let source):
      "\(source): every row has the class '\(name)'; there is nothing to tell apart"
    case .negativeCount(let source, let row, let target, let value):
      "\(source): row \(row), column \"\(target)\" is \(value); the Poisson loss takes numbers of at least 0"
    case .noWeight(let source): "\(source): all sample weights are 0; give at least one row a weight above 0"
    case .scale(let source, let what):
      "\(source): \(what) beyond 1e100, as the network would see them, overflow; scale the columns or weights, or "
        + "leave standardisation on"
    case .vanishing(let source):
      "\(source): every feature, as the network would see it, lies below 1e-100, where products vanish; scale the "
        + "columns, or leave standardisation on"
    case .singlePrecision(let largest):
      "a number of \(significantDecimal(largest, digits: 2)), as the network would see it, overflows in single precision; give "
        + "--precision double, scale the columns, or leave standardisation on"
    case .gates(let what): what
    case .solver(let solver, let loss):
      "the solver \(solver.rawValue) does not solve the \(loss.rawValue) loss; take auto or interior-point"
    case .solverOfModel(let solver, let model):
      "the solver \(solver.rawValue) is not for the model \(model.rawValue); take auto or fista"
    case .sharedNeurons(let model):
      "neurons that all outputs share (--outputs nuclear) are not for the model \(model.rawValue); take relu or "
        + "gated-relu"
    case .solverOfSharedNeurons(let solver):
      "the solver \(solver.rawValue) is not for shared neurons (--outputs nuclear); take auto or fista"
    case .penaltyForm(let what):
      "the penalty form is not for \(what); take the model three-layer with unit columns"
    case .lossOfModel(let loss, let model):
      Self.kinks(loss, "the model \(model.rawValue)")
    case .lossOfSharedNeurons(let loss):
      Self.kinks(loss, "shared neurons (--outputs nuclear)")
    }
  }

  private static func kinks(_ loss: LossKind, _ what: String) -> String {
    "the \(loss.rawValue) loss has kinks, which \(what) cannot be trained with; take squared, huber, logistic, softmax or "
      + "squared-hinge"
  }
}
