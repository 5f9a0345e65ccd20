import ConvexOptimization
import LinearAlgebra

/// A trained model that another training goes on from, of the same layers: its weights, and with them the way it reads
/// tables, its scaling of features and targets, and, where none is asked for, its loss. Only so do the weights mean
/// for the new training what they meant for the old one.
public struct InitialModel: Sendable {
  public let model: ModelFile
  /// What names the model in settings and errors, such as its path.
  public let source: String

  /// - Throws: `InitialModelError.form` unless dense layers and activations alternate.
  public init(_ model: ModelFile, source: String) throws {
    (self.model, self.source) = (model, source)
    do {
      _ = try FeedForward<Double>(model.network)
    } catch { throw InitialModelError.form(source, model: model.report.model) }
  }

  /// Reads the model from a file.
  ///
  /// - Throws: `ModelFileError`; `InitialModelError.form`.
  public init(contentsOf path: String) throws {
    try self.init(try ModelFile(contentsOf: path), source: path)
  }

  /// Settings of a training of some kind with the model's widths and activation.
  public func layers(for kind: ModelKind) -> LayerSettings {
    var layers = LayerSettings(for: kind)
    let (hidden, activations) = (hidden, activations)
    layers.hidden = hidden
    layers.architecture = plan
    layers.activation = activations.first ?? layers.activation
    layers.initialModel = source
    return layers
  }

  private var hidden: [Int] {
    var widths: [Int] = []
    for case .dense(let dense) in model.network.layers { widths.append(dense.weights.columns) }
    return widths.dropLast()
  }

  /// The hidden layers where they are not all dense.
  private var plan: LayerPlan? {
    var (steps, image): ([LayerPlan.Step], ImageShape?) = ([], nil)
    for layer in model.network.layers {
      switch layer {
      case .dense(let dense): steps.append(.dense(dense.weights.columns))
      case .averages(let pooling):
        image = image ?? pooling.input
        steps.append(.pooling(pooling.size))
      case .convolution(let layer):
        let all = layer.convolution
        image = image ?? all.input
        steps.append(
          .convolution(
            channels: all.filters, height: all.kernelHeight, width: all.kernelWidth, stride: all.stride,
            padding: all.padding))
      case .activation, .gated, .gatedConvolution, .pooling, .polynomial: break
      }
    }
    return image.map { LayerPlan(steps: steps.dropLast(), image: $0) }
  }

  private var activations: [Activation] {
    model.network.layers.compactMap { if case .activation(let activation) = $0 { activation } else { nil } }
  }

  private var hasBias: Bool {
    model.network.layers.contains { layer in
      switch layer {
      case .dense(let dense): dense.bias.contains { $0 != 0 }
      case .convolution(let layer): layer.bias.contains { $0 != 0 }
      default: false
      }
    }
  }

  /// The settings with what the model settles: loss and scaling.
  ///
  /// - Throws: `InitialModelError` where settings ask for other layers, for no bias, or for a convex program.
  public func adopted(by settings: TrainingSettings) throws -> TrainingSettings {
    guard !settings.model.isConvexProgram else { throw InitialModelError.convexProgram(settings.model) }
    var settings = settings
    let wanted = settings.layers ?? layers(for: settings.model)
    try check(wanted, outputs: nil)
    guard settings.bias || !hasBias else { throw InitialModelError.bias(source) }
    settings.layers = wanted
    settings.layers?.initialModel = source
    settings.lossParameters =
      settings.lossParameters ?? (settings.loss == nil ? model.report.settings.lossParameters : nil)
    settings.loss = settings.loss ?? model.report.loss
    settings.standardise = isScaled
    return settings
  }

  /// Whether the model scales features or targets.
  public var isScaled: Bool {
    let scaling = model.scaling
    return scaling.features != .identity(scaling.features.columns)
      || scaling.targets != .identity(scaling.targets.columns)
  }

  /// Throws unless hidden layers, and outputs where they are known, are the model's.
  private func check(_ wanted: LayerSettings, outputs: Int?) throws {
    let (inputs, own) = (model.network.inputs, model.network.outputs)
    let outputs = outputs ?? own
    let layers = try (plan ?? .dense(hidden)).layers(inputs: inputs, outputs: own, image: nil)
    let other = try wanted.plan.layers(inputs: inputs, outputs: outputs, image: plan?.image)
    guard layers != other || activations.contains(where: { $0 != wanted.activation }) else { return }
    throw InitialModelError.architecture(
      source, Architecture(widths: [inputs] + layers.map(\.outputs), activations: activations),
      wanted: Architecture(
        widths: [inputs] + other.map(\.outputs),
        activations: [Activation](repeating: wanted.activation, count: wanted.hiddenLayers)))
  }

  /// The weights to start from on a problem.
  ///
  /// - Throws: `InitialModelError.architecture` where the problem has another number of outputs.
  func feedForward<Element: Scalar>(
    for problem: ProblemFrame, _ layers: LayerSettings, _: Element.Type
  ) throws -> FeedForward<Element> {
    try check(layers, outputs: problem.outputs)
    return try FeedForward(model.network, hasBias: problem.hasBias)
  }
}

/// The widths of a feed-forward network and what its hidden layers do, as text `64-50-10 with relu`.
public struct Architecture: Sendable, Equatable, CustomStringConvertible {
  public var widths: [Int]
  public var activations: [Activation]

  public var description: String {
    let names = activations.map(\.description)
    let distinct = Set(names).count == 1 ? [names[0]] : names
    return widths.map(String.init).joined(separator: "-")
      + (names.isEmpty ? "" : " with " + distinct.joined(separator: ", "))
  }
}

/// Why a training cannot go on from a model.
public enum InitialModelError: Error, CustomStringConvertible, Sendable, Equatable {
  case form(String, model: ModelKind)
  case convexProgram(ModelKind)
  case architecture(String, Architecture, wanted: Architecture)
  case bias(String)
  case targets(String, LossKind)

  public var description: String {
    switch self {
    case .form(let source, let model):
      "\(source): a \(model.rawValue) network has other layers than dense ones with activations between them; "
        + "nothing can go on from it"
    case .convexProgram(let model):
      "the optimum of a convex program does not depend on where training starts; --init is not for the model "
        + model.rawValue
    case .architecture(let source, let found, let wanted):
      "\(source) is a network \(found), but this training is of one \(wanted); give the same layers, activation "
        + "and loss"
    case .bias(let source): "\(source) has biases; leave --no-bias away, or start from a model without them"
    case .targets(let source, let loss):
      "\(source) was trained on scaled targets, which the loss \(loss.rawValue) does not take; train the first model "
        + "with --no-standardise, or with this loss"
    }
  }
}
