import ArgumentParser
import ConvexOptimization
import Fenchel
import Foundation

/// What to train and how; checked before any data is read.
struct TrainingOptions: ParsableArguments {
  @Option(
    help:
      "Convex program (relu, gated-relu, cnn, gated-cnn, batch-norm, threshold, three-layer, polynomial, quadratic), or model trained layer by layer (all others)."
  )
  var model: ModelKind = .relu

  @Option(help: "Loss (default: by the target).")
  var loss: LossKind?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Residual at which the loss huber turns linear, in standard deviations of the target unless --no-standardise (default: 1).",
      valueName: "δ"))
  var huberDelta: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Share of the targets that the loss quantile is to leave below the prediction (default: 0.5, the median).",
      valueName: "τ"))
  var quantile: Double?

  @Option(parsing: .unconditional, help: ArgumentHelp("Regularisation λ itself.", valueName: "λ"))
  var lambda: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "λ = R·λ_max, where λ_max makes the zero network optimal (default: 0.01).", valueName: "R")
  )
  var lambdaRatio: Double?

  @Option(
    help: ArgumentHelp(
      "refine, exact, a number to sample, or a file of gates (.npy, or .csv without header).",
      valueName: "patterns"))
  var patterns = "refine"

  @OptionGroup(title: "Convex programs") var programs: ProgramOptions

  @OptionGroup(title: "Layers") var layers: LayerOptions

  @Option(help: "Several outputs: one group of neurons each, or (relu, gated-relu) neurons that all share.")
  var outputs: OutputCoupling = .groups

  @Option(help: ArgumentHelp("Solver by name.", valueName: "name"))
  var solver: SolverChoice = .auto

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Relative gap (primal − dual)/max(1, |primal|) to reach.", valueName: "gap"))
  var tolerance = 1e-4

  @Flag(inversion: .prefixedNo, help: "A constant column beside the features.")
  var bias = true

  @Flag(inversion: .prefixedNo, help: "Scale features, and the target in regression.")
  var standardise = true

  @Option(
    help:
      "Arithmetic of the solver (default: float where it is of use: not with cones, sub-networks, losses with kinks or tolerances below 5e-5); certificates are always double."
  )
  var precision: Precision?

  @Option(
    help:
      "Work for the bound over ReLU networks of any width, and in tight for the last of refinement (default: quick)."
  )
  var bound: BoundEffort?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Stop looking for that bound after this many seconds.", valueName: "s"))
  var boundTime: Double?

  @Option(parsing: .unconditional, help: ArgumentHelp("Threads (default: all processors).", valueName: "n"))
  var threads: Int?

  @Option(parsing: .unconditional, help: ArgumentHelp("Seed of all random choices.", valueName: "n"))
  var seed: UInt64 = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Stop after this many seconds (path and cv: of all that they train).", valueName: "s"))
  var timeLimit: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Memory to stay below (default: 80 % of what there is).", valueName: "GiB"))
  var maxMemory: Double?

  func validate() throws {
    try Check.positive(lambda, "--lambda")
    try Check.positive(lambdaRatio, "--lambda-ratio")
    if let lambdaRatio, lambdaRatio > 1e6 {
      throw ValidationError("--lambda-ratio \(lambdaRatio) is too large")
    }
    try Check.positive(huberDelta, "--huber-delta")
    guard quantile.map({ $0 > 0 && $0 < 1 }) ?? true else {
      throw ValidationError("--quantile \(quantile ?? .nan) must lie between 0 and 1")
    }
    if lambda != nil && lambdaRatio != nil {
      throw ValidationError("--lambda and --lambda-ratio exclude each other; give one")
    }
    guard tolerance.isFinite, tolerance >= Check.leastTolerance, tolerance < 1 else {
      throw ValidationError("--tolerance \(tolerance) must lie between \(Check.leastTolerance) and 1")
    }
    try Check.threads(threads)
    try Check.positive(timeLimit, "--time-limit")
    if let boundTime, !(boundTime.isFinite && boundTime >= 0) {
      throw ValidationError("--bound-time \(boundTime) must be a number of seconds, 0 or more")
    }
    try Check.positive(maxMemory, "--max-memory")
    if let count = Int(patterns), !(1...100_000_000).contains(count) {
      throw ValidationError("--patterns \(count) must lie between 1 and 100000000")
    }
  }

  /// The settings for the library. Reads the file of gates, where one is named.
  ///
  /// - Parameter compared: the models that are trained with them, nil for that of `--model` alone.
  func settings(from start: InitialModel? = nil, compared: [ModelKind]? = nil) throws -> TrainingSettings {
    var settings = TrainingSettings()
    settings.model = model
    settings.layers = try layers.settings(for: model, from: start)
    if !model.isConvexProgram, lambdaRatio != nil {
      throw UsageError("--lambda-ratio is for convex programs; give --lambda for the model \(model.rawValue)")
    }
    settings.loss = loss
    settings.lossParameters = try lossParameters(of: loss ?? start?.model.report.loss)
    settings.lambda = lambda.map { .value($0) } ?? .ratio(lambdaRatio ?? 0.01)
    settings.patterns = try patternChoice()
    let models = compared ?? [model]
    try programs.apply(to: &settings, models: models)
    guard outputs == .groups || [.relu, .gatedReLU].contains(model) else {
      throw UsageError(
        "--outputs nuclear is not for the model \(model.rawValue); take --model relu or gated-relu")
    }
    settings.outputs = outputs == .nuclear ? .nuclear : nil
    settings.solver = solver
    settings.tolerance = tolerance
    settings.bias = bias
    settings.standardise = standardise
    guard precision != .float || !models.allSatisfy(\.isDoubleAlone) else {
      let names = models.map(\.rawValue).joined(separator: ", ")
      throw UsageError(
        models.count == 1
          ? "--precision float is not for the model \(names), whose solver computes in double; leave it away"
          : "--precision float is not for the models \(names), whose solvers compute in double; leave it away"
      )
    }
    settings.precision = precision ?? .float
    settings.seed = seed
    settings.timeLimit = timeLimit
    settings.maxMemory = maxMemory.map { $0 * 1_073_741_824 }
    settings.threads = threads
    let asksForBound = bound.map { $0 != BoundEffort.none } ?? false || boundTime != nil
    guard model.hasCones || !asksForBound else {
      throw UsageError(
        "--bound is not for the model \(model.rawValue): only ReLU networks have a bound over all widths")
    }
    guard outputs == .groups || !asksForBound else {
      throw UsageError(
        "--bound is not for --outputs nuclear, whose networks have no bound over all widths yet")
    }
    guard settings.normalisation != .after || !asksForBound else {
      throw UsageError(
        "--bound is not for --normalise after, whose networks have no bound over all widths yet")
    }
    if model.hasCones, outputs == .groups, settings.normalisation != .after {
      (settings.bound, settings.boundTime) = (bound ?? .quick, boundTime)
    }
    guard let start else { return settings }
    guard standardise || !start.isScaled else {
      throw UsageError("\(start.source) was trained on scaled data; leave --no-standardise away")
    }
    return try start.adopted(by: settings)
  }

  /// δ and τ where they are given, for the loss that has them.
  private func lossParameters(of loss: LossKind?) throws -> LossParameters? {
    guard huberDelta == nil || loss == .huber else {
      throw UsageError("--huber-delta is for the loss huber; give --loss huber")
    }
    guard quantile == nil || loss == .quantile else {
      throw UsageError("--quantile is for the loss quantile; give --loss quantile")
    }
    if let huberDelta { return LossParameters(delta: huberDelta) }
    return quantile.map { LossParameters(tau: $0) }
  }

  private func patternChoice() throws -> PatternChoice {
    if model.isConvexProgram, !model.hasPatterns, patterns != "refine" {
      throw UsageError("--patterns is not for the model \(model.rawValue), which has no activation patterns")
    }
    switch patterns {
    case "refine": return .refine
    case "exact": return .exact
    default:
      if let count = Int(patterns) { return .sampled(count) }
      if patterns.contains(".") || patterns.contains("/") { return .gates(try readGates(patterns)) }
      let hint = Suggestion.phrase(for: patterns, among: ["refine", "exact"])
      throw UsageError("--patterns \(patterns) is none of refine, exact, a number or a file\(hint)")
    }
  }
}

extension ModelKind: ExpressibleByArgument {}
extension SubnetworkNorm: ExpressibleByArgument {}
extension OutputCoupling: ExpressibleByArgument {}
extension LossKind: ExpressibleByArgument {}
extension SolverChoice: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
extension BoundEffort: ExpressibleByArgument {}

/// Checks of numbers that options give.
enum Check {
  /// Below this the rounding of Double in the objective is larger than the gap asked for.
  static let leastTolerance = 1e-13
  static let mostThreads = 4096

  static func positive(_ value: Double?, _ option: String) throws {
    guard let value else { return }
    guard value.isFinite, value > 0 else {
      throw ValidationError("\(option) \(value) must be a positive number")
    }
  }

  /// A whole number above 0 that something is counted with.
  static func count(_ value: Int, _ option: String) throws {
    guard (1...1_000_000_000).contains(value) else {
      throw ValidationError("\(option) \(value) must lie between 1 and 1000000000")
    }
  }

  static func threads(_ count: Int?) throws {
    guard let count else { return }
    guard (1...mostThreads).contains(count) else {
      throw ValidationError("--threads \(count) must lie between 1 and \(mostThreads)")
    }
  }
}
