import LinearAlgebra

/// A map of the data in front of a two-layer program: training a network of another kind becomes training a plain ReLU
/// network (X' W₁)₊ W₂ without biases on mapped data X', which have one row a sample or several whose outputs add up. So all of
/// the two-layer program holds: refinement, pruning, certificates, bounds over networks of any width.
protocol FeatureMap: Sendable {
  /// X'.
  var data: Matrix<Double> { get }
  /// Sums over the rows of X' that a sample has.
  var pooling: RowSums { get }
  /// The network on X of a plain network on X'.
  func decode(_ network: Network) throws -> Network
  /// The plain network on X' of a network on X; nil for networks of another form.
  func encode(_ network: Network) -> Network?
  /// Gates as a person writes them, as gates on X'.
  func encode(gates: Matrix<Double>) throws(PatternError) -> Matrix<Double>
}

extension FeatureMap {
  /// The problem of a plain network on the mapped data.
  func mapped(_ problem: TrainingProblem) -> TrainingProblem {
    TrainingProblem(problem, inputs: data, pooling: pooling)
  }

  /// The settings of its training: gates are those on the mapped data.
  func adapted(_ settings: TrainingSettings) throws -> TrainingSettings {
    guard case .gates(let gates) = settings.patterns else { return settings }
    var settings = settings
    settings.patterns = .gates(try encode(gates: gates))
    return settings
  }

  /// The objective of a network on X: its own predictions where it is a plain one, those of its weights on X' otherwise, and the
  /// decay that its weights have as those of neurons on X'. Nil for networks of another form.
  func objective(of network: Network, on problem: TrainingProblem, _ program: TwoLayerProgram) -> Double? {
    var objective = NetworkObjective(loss: program.strictLoss, λ: program.λ)
    objective.pooling = pooling
    guard let encoded = encode(network), let penalty = objective.penalty(of: encoded),
      let f = network.twoLayerForm == nil
        ? objective.predictions(of: encoded, on: data)
        : objective.predictions(of: network, on: problem.inputs)
    else { return nil }
    return objective.loss.value(at: f) + penalty
  }
}

extension TrainingProblem {
  /// The map that a model has in front of its program, nil for most.
  ///
  /// Errors: `BatchNormalisationError`, `PatchError`.
  func featureMap(_ settings: TrainingSettings) throws -> (any FeatureMap)? {
    switch settings.model {
    case .batchNorm where !settings.normalisesOutputs: try BatchNormalisation(self)
    case .cnn, .gatedCNN: try PatchMap(self, settings)
    default: nil
    }
  }
}
