import ArgumentParser
import ConvexOptimization
import Fenchel

/// The network of models that are trained layer by layer, and its schedule.
struct LayerOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Widths of the hidden layers (default: 300).", valueName: "width,…"))
  var hidden: String?

  @Option(
    help: ArgumentHelp(
      "Convolutional layers in place of --hidden: lenet-5, or a YAML file of layers.",
      valueName: "lenet-5|file"))
  var architecture: String?

  @Option(
    help: ArgumentHelp(
      "Change training images anew in every epoch: move them by up to so many pixels, mirror half of them.",
      valueName: "shift:n,flip"))
  var augment: String?

  @Option(help: ArgumentHelp("Activation of the hidden layers (default: relu).", valueName: "name[:number]"))
  var activation: String?

  @Option(
    name: .customLong("init"),
    help: ArgumentHelp(
      "Go on from this model's weights, with its layers, columns, scaling and (unless given) loss.",
      valueName: "model"))
  var initialModel: String?

  @Option(help: "How weights begin where there is no --init (default: xavier).")
  var initialiser: Initialiser?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Passes over the data (default: 10).", valueName: "n"))
  var epochs: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Samples of a batch (default: 500; 250 of a deep fenchel, 100 of lpom); from the number of rows on, all of them at once.",
      valueName: "n"))
  var batchSize: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Share of the inputs' second moment that fenchel keeps (default: 0.95 of images, 0.9 if deep, else 1).",
      valueName: "share"))
  var inputShare: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "After fenchel, estimate the Lagrangian dual's lower bound by this many steps of ascent in λ.",
      valueName: "n"))
  var dualSteps: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "In lifted, solve tall ridge problems by sketches of this many rows for each input of a layer.",
      valueName: "n"))
  var sketch: Int?

  @Option(help: "Method of mlp, or rule of contrastive (default: adam).")
  var optimizer: Optimizer?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Learning rate of mlp and contrastive (default: the optimizer's usual one).", valueName: "rate"))
  var learningRate: Double?

  @Option(
    help: ArgumentHelp(
      "Learning rates of mlp and contrastive: constant, step:EPOCHS:FACTOR, cosine, inverse-sqrt.",
      valueName: "schedule"))
  var schedule: LearningRateSchedule?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("η of (η/2)‖W‖² in mlp and contrastive (default: 0).", valueName: "η"))
  var weightDecay: Double?

  @Option(
    help: ArgumentHelp(
      "End mlp, contrastive or lpom once the loss on rows held out (default: a share of 0.1) has not fallen for so many epochs; the weights of the best epoch stay.",
      valueName: "epochs[:share]"),
    transform: {
      guard let rule = EarlyStopping($0) else {
        throw ValidationError(
          "write whole epochs from 1, or with the share held out, above 0 and below 1: 10:0.2")
      }
      return rule
    })
  var earlyStopping: EarlyStopping?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Numbers of a method (not mlp) by name, such as beta=1,gamma=10 (default: the paper's).",
      valueName: "name=number,…"))
  var numbers: String?

  func validate() throws {
    try Check.positive(learningRate, "--learning-rate")
    if let inputShare, !(inputShare > 0 && inputShare <= 1) {
      throw ValidationError("--input-share \(inputShare) must lie above 0 and be at most 1")
    }
    if let weightDecay, !(weightDecay.isFinite && weightDecay >= 0) {
      throw ValidationError("--weight-decay \(weightDecay) must be a finite number of at least 0")
    }
    if initialModel != nil && initialiser != nil {
      throw ValidationError("--init and --initialiser exclude each other; give one")
    }
    if architecture != nil && hidden != nil {
      throw ValidationError("--architecture and --hidden exclude each other; give one")
    }
    if let augment, Augmentation(augment) == nil {
      throw ValidationError(
        "--augment \(augment): write shift:n with a whole number of pixels from 1, flip, or shift:n,flip")
    }
    _ = try widths()
    _ = try namedActivation()
    _ = try namedNumbers()
    if let epochs, !(0...1_000_000).contains(epochs) {
      throw ValidationError("--epochs \(epochs) must lie between 0 and 1000000")
    }
    if let dualSteps, !(0...10_000).contains(dualSteps) {
      throw ValidationError("--dual-steps \(dualSteps) must lie between 0 and 10000")
    }
    if let sketch, !(1...1_000_000).contains(sketch) {
      throw ValidationError("--sketch \(sketch) must lie between 1 and 1000000")
    }
    if let batchSize, batchSize < 1 {
      throw ValidationError("--batch-size \(batchSize) must be at least 1")
    }
  }

  /// The model to go on from, where one is named and the model to train can.
  func start(for model: ModelKind) throws -> InitialModel? {
    try model.isConvexProgram ? nil : initialModel.map { try InitialModel(contentsOf: $0) }
  }

  /// The settings; nil for a convex program. Layers that no option gives are those of the model to go on from.
  ///
  /// - Throws: `UsageError` where an option is given that the model has no use for.
  func settings(for model: ModelKind, from start: InitialModel?) throws -> LayerSettings? {
    let common = [
      ("--hidden", hidden != nil), ("--activation", activation != nil), ("--epochs", epochs != nil),
      ("--init", initialModel != nil), ("--initialiser", initialiser != nil), ("--augment", augment != nil),
    ]
    let convolutional = [ModelKind.fenchel, .lifted, .mlp]
    try refuse(
      convolutional.contains(model) ? [] : [("--architecture", architecture != nil)], for: model,
      take: convolutional)
    let batched = [("--batch-size", batchSize != nil)]
    let ordinary = [
      ("--optimizer", optimizer != nil), ("--learning-rate", learningRate != nil),
      ("--schedule", schedule != nil), ("--weight-decay", weightDecay != nil),
    ]
    try refuse(model.isConvexProgram ? common : [], for: model, take: ModelKind.layered)
    let fenchel = [("--input-share", inputShare != nil), ("--dual-steps", dualSteps != nil)]
    try refuse(model == .fenchel ? [] : fenchel, for: model, take: [.fenchel])
    try refuse(model == .lifted ? [] : [("--sketch", sketch != nil)], for: model, take: [.lifted])
    let takesRules = [ModelKind.mlp, .contrastive]
    try refuse(takesRules.contains(model) ? [] : ordinary, for: model, take: takesRules)
    let stoppable = [ModelKind.mlp, .contrastive, .lpom]
    try refuse(
      stoppable.contains(model) ? [] : [("--early-stopping", earlyStopping != nil)], for: model,
      take: stoppable)
    let withBatches = ModelKind.layered.filter { !$0.needsAllSamples }
    try refuse(withBatches.contains(model) ? [] : batched, for: model, take: withBatches)
    let withNumbers = try ModelKind.layered.filter { try $0.numbers() != nil }
    try refuse(
      withNumbers.contains(model) ? [] : [("--numbers", numbers != nil)], for: model, take: withNumbers)
    guard !model.isConvexProgram else { return nil }
    var settings = start?.layers(for: model) ?? LayerSettings(for: model)
    settings.numbers = try model.numbers(with: try namedNumbers())
    if let widths = try widths() { (settings.hidden, settings.architecture) = (widths, nil) }
    if let architecture { settings.architecture = try ArchitectureFile.plan(architecture) }
    if model == .fenchel {
      settings.batchSize = LiftedSettings.batchSize(plan: settings.plan)
    }
    if let activation = try namedActivation() { settings.activation = activation }
    if let initialiser { settings.initialiser = initialiser }
    if let epochs { settings.epochs = epochs }
    if let batchSize { settings.batchSize = batchSize }
    if let optimizer { settings.optimizer = optimizer }
    if let schedule { settings.schedule = schedule }
    settings.augmentation = augment.flatMap { Augmentation($0) }
    settings.inputShare = inputShare
    settings.dualSteps = dualSteps
    settings.sketch = sketch
    settings.learningRate = learningRate
    settings.weightDecay = weightDecay ?? 0
    settings.earlyStopping = earlyStopping
    return settings
  }

  /// Throws where one of the options, paired with whether it is given, is.
  private func refuse(_ options: [(String, Bool)], for model: ModelKind, take others: [ModelKind]) throws {
    guard let (name, _) = options.first(where: \.1) else { return }
    throw UsageError(
      "\(name) is not for the model \(model.rawValue); take --model "
        + others.map(\.rawValue).joined(separator: ", "))
  }

  private func widths() throws -> [Int]? {
    guard let hidden else { return nil }
    return try commaSeparated(hidden).map { text in
      guard let width = Int(text), (1...1_000_000).contains(width) else {
        throw ValidationError("--hidden: \(text) is no width; give whole numbers from 1, such as 300,100")
      }
      return width
    }
  }

  private func namedNumbers() throws -> [String: Double] {
    var result: [String: Double] = [:]
    for text in commaSeparated(numbers) {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let value = Double(parts[1]), !parts[0].isEmpty else {
        throw ValidationError("--numbers: \(text) is no number by name; write such as gamma=10")
      }
      guard result.updateValue(value, forKey: String(parts[0])) == nil else {
        throw ValidationError("--numbers: \(parts[0]) is given twice")
      }
    }
    return result
  }

  private func namedActivation() throws -> Activation? {
    guard let activation else { return nil }
    if let known = Activation(activation) { return known }
    let name = String(activation.prefix { $0 != ":" })
    do {
      _ = try Activation(name: name)
    } catch {
      let hint = Suggestion.phrase(for: name, among: Activation.names)
      throw ValidationError("--activation: there is no activation `\(name)`\(hint)")
    }
    throw ValidationError("--activation: \(activation) has a parameter that \(name) does not take")
  }
}

extension Optimizer: ExpressibleByArgument {}
extension Initialiser: ExpressibleByArgument {}
extension LearningRateSchedule: ExpressibleByArgument {}
