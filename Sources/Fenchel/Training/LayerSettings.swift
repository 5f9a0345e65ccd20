import ConvexOptimization
import LinearAlgebra

/// How a network is trained layer by layer, beside a convex program.
public struct LayerSettings: Codable, Sendable, Equatable {
  /// Widths of the hidden layers.
  public var hidden = [300]
  /// The hidden layers where they are not all dense, in place of their widths.
  public var architecture: LayerPlan?
  public var activation = Activation.relu
  public var initialiser = Initialiser.xavier
  /// The model whose weights training began with, where it did.
  public var initialModel: String?
  /// Changes of training images, anew in every epoch.
  public var augmentation: Augmentation?
  /// Passes over the data.
  public var epochs = 10
  /// Samples of a batch; as many as there are, or more, make one batch of all of them.
  public var batchSize = 500
  /// The share of the inputs' second moment that `fenchel` keeps, from the largest directions down; nil for 0.95 of images,
  /// 0.9 where several layers are hidden, whose small directions are noise, and all of other data or where another
  /// method's weights start.
  public var inputShare: Double?
  /// Of `lifted` only: rows of the sketches that ridge problems are solved with, for each input of a layer; nil for none.
  public var sketch: Int?
  /// Steps of the ascent in λ on the Lagrangian dual after the training of `fenchel`; nil for none, not even a first value.
  public var dualSteps: Int?
  /// Of `mlp` only, like the next three.
  public var optimizer = Optimizer.adam
  /// Nil for the optimizer's usual one.
  public var learningRate: Double?
  public var schedule = LearningRateSchedule.constant
  /// η of (η/2)‖W‖².
  public var weightDecay = 0.0
  /// When `mlp`, `contrastive` and `lpom` end before their last epoch; nil for never.
  public var earlyStopping: EarlyStopping?

  /// Numbers of every method but `mlp` by name, in place of the papers' own.
  public var numbers: [String: Double]?

  public init() {}

  /// What a model begins with where nothing else is said: for `bcd` weights of N(0, 0.01²), for `lpom` batches of 100, as
  /// their papers have it.
  public init(for model: ModelKind) {
    if model == .bcd { initialiser = .normal }
    if model == .lpom { batchSize = 100 }
  }

  /// The network that training starts from, for data of d features and c outputs.
  ///
  /// - Throws: `FeedForwardError` for a width below 1; `LayerPlanError` where layers do not fit the data or each other.
  func start<Element: Scalar>(
    for problem: ProblemFrame, seed: UInt64, _: Element.Type
  ) throws -> FeedForward<Element> {
    try initialiser.feedForward(
      shapes(for: problem), activations: [Activation](repeating: activation, count: hiddenLayers),
      hasBias: problem.hasBias, bias: 0.1, seed: seed)
  }

  /// The layers of the network for some data.
  func shapes(for problem: ProblemFrame) throws -> [LayerShape] {
    try plan.layers(inputs: problem.columns, outputs: problem.outputs, image: problem.schema.imageShape)
  }

  /// The hidden layers.
  public var plan: LayerPlan { architecture ?? .dense(hidden) }

  /// L.
  public var hiddenLayers: Int { plan.hiddenLayers }
}
