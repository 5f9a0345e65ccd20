import ConvexOptimization
import LinearAlgebra

/// A network that a convex program trained, and what is known of it: all that reports and model files say, whatever the
/// program was.
struct CertifiedNetwork {
  var network: Network
  /// The network's own training objective, from its weights.
  var objective: Double?
  var λ: Double
  var λMax: Double
  var certificate: Certificate
  var status: Status
  var iterations: Int
  /// What `verify` needs beside the data.
  var tensors: [String: Tensor]
  /// Arithmetic that the solver began with.
  var precision = Precision.double
  /// Of programs over activation patterns.
  var patterns: TrainingReport.Patterns?
  var heuristicViolation: Double?
  var globalBound: GlobalBound?
  var phases: RefinementPhases?
  var penalty: PenaltySummary?
}

/// A fit of any convex program.
enum ConvexFit: Sendable {
  case twoLayer(Fit)
  /// By the gated program over the constant 1.
  case threshold(Fit)
  case polynomial(PolynomialFit)
  case threeLayer(ThreeLayerFit)
  /// With batch normalisation after the ReLU.
  case postNormalised(PostNormalisedFit)
  /// Of ReLU neurons that feed all outputs.
  case shared(SharedFit)
  /// On mapped data.
  case mapped(MappedFit)

  /// The network that the fit stands for.
  func certified(for problem: TrainingProblem) throws -> CertifiedNetwork {
    switch self {
    case .twoLayer(let fit): try fit.certified(for: problem, fit.network(hasBias: problem.hasBias))
    case .threshold(let fit): try fit.certified(for: problem, fit.thresholdNetwork(for: problem))
    case .polynomial(let fit): try fit.certified(for: problem)
    case .threeLayer(let fit): try fit.certified(for: problem)
    case .postNormalised(let fit): try fit.certified(for: problem)
    case .shared(let fit): try fit.certified(for: problem)
    case .mapped(let fit): try fit.certified(for: problem)
    }
  }
}

/// Fits problems by the convex programs of all models.
struct ConvexFitting {
  let problem: TrainingProblem
  let settings: TrainingSettings
  var cancellation: Cancellation?
  var progress: ProgressHandler?

  /// Fits the problem, from the fit of a neighbouring λ where there is one.
  func fit(after earlier: ConvexFit? = nil) throws -> ConvexFit {
    switch settings.model {
    case .polynomial, .quadratic:
      let fitting = PolynomialFitting(
        problem, settings: settings, cancellation: cancellation, progress: progress)
      guard case .polynomial(let fit) = earlier else { return .polynomial(try fitting.fit()) }
      return .polynomial(try fitting.fit(after: fit))
    case .threeLayer:
      let fitting = ThreeLayerFitting(
        problem, settings: settings, cancellation: cancellation, progress: progress)
      guard case .threeLayer(let fit) = earlier else { return .threeLayer(try fitting.fit()) }
      return .threeLayer(try fitting.fit(after: fit))
    case .batchNorm where settings.normalisesOutputs:
      guard case .postNormalised(let fit) = earlier else {
        return .postNormalised(try fitting.postNormalisedFit(after: nil))
      }
      return .postNormalised(try fitting.postNormalisedFit(after: fit))
    case .relu where settings.sharesNeurons:
      guard case .shared(let fit) = earlier else { return .shared(try fitting.sharedFit(after: nil)) }
      return .shared(try fitting.sharedFit(after: fit))
    case .threshold:
      guard case .threshold(let fit) = earlier else { return .threshold(try fitting.fit()) }
      return .threshold(try fitting.fit(after: fit))
    default:
      if case .mapped(var fit) = earlier {
        fit.fit = try fitting(fit.map).fit(after: fit.fit)
        return .mapped(fit)
      }
      if let map = try problem.featureMap(settings) {
        return .mapped(MappedFit(fit: try fitting(map).fit(), map: map))
      }
      guard case .twoLayer(let fit) = earlier else { return .twoLayer(try fitting.fit()) }
      return .twoLayer(try fitting.fit(after: fit))
    }
  }

  /// The fit with what is known of networks of any width, where that is not settled.
  func bounded(_ fit: ConvexFit, seconds: Double?) throws -> ConvexFit {
    switch fit {
    case .twoLayer(let fit): return .twoLayer(try fitting.bounded(fit, seconds: seconds))
    case .mapped(var fit):
      fit.fit = try fitting(fit.map).bounded(fit.fit, seconds: seconds)
      return .mapped(fit)
    case .threshold, .polynomial, .threeLayer, .postNormalised, .shared: return fit
    }
  }

  private func fitting(_ map: any FeatureMap) throws -> Fitting {
    Fitting(
      map.mapped(problem), settings: try map.adapted(settings), cancellation: cancellation,
      progress: progress)
  }

  private var fitting: Fitting {
    Fitting(problem, settings: settings, cancellation: cancellation, progress: progress)
  }
}

extension Fit {
  func certified(for problem: TrainingProblem, _ network: Network) throws -> CertifiedNetwork {
    var objective = NetworkObjective(loss: program.strictLoss, λ: program.λ)
    objective.sharesNeurons = sharesNeurons
    return CertifiedNetwork(
      network: network, objective: objective.value(of: network, on: problem.inputs), λ: program.λ, λMax: λMax,
      certificate: solution.certificate, status: solution.status, iterations: solution.iterations,
      tensors: tensors, precision: precision,
      patterns: .init(count: program.patterns.count, exact: program.patterns.isExact),
      heuristicViolation: heuristicViolation, globalBound: globalBound, phases: phases)
  }

  /// The decoded network, of neurons no more than needed: at most one a sample for each output, unless rounding takes these
  /// out of the program, or the run was interrupted and finding them takes long.
  func network(hasBias: Bool) throws -> Network {
    if program.isConstrained {
      let isQuick = ContributionPruning.isQuick(
        samples: program.rows, features: program.features, outputs: program.outputs,
        parts: solution.point.groups.count)
      guard isQuick || !solution.status.isInterrupted else {
        return try program.decode(solution.point, hasBias: hasBias)
      }
      let pruning = NetworkPruning(
        x: program.x, loss: program.loss, λ: program.λ, pooling: program.pooling)
      let network = try program.decode(pruning.pruned(NeuronSet(solution.point)), hasBias: hasBias)
      if program.contains(network) { return network }
      return try program.decode(solution.point, hasBias: hasBias)
    }
    let point = sharesNeurons ? solution.point : try GroupPruning(program).pruned(solution.point)
    return try program.decode(point, hasBias: hasBias)
  }

  /// The decoded network of a threshold program.
  func thresholdNetwork(for problem: TrainingProblem) throws -> Network {
    try ThresholdProgram(
      x: problem.x, loss: program.loss, kind: program.kind, parameters: program.parameters, λ: program.λ,
      patterns: program.patterns
    ).decode(GroupPruning(program).pruned(solution.point), hasBias: problem.hasBias)
  }

  private var tensors: [String: Tensor] {
    program.proof(θ: solution.dualPoint.θ).merging(globalBound?.tensors ?? [:]) { own, _ in own }
  }
}

extension TwoLayerProgram {
  /// The θ that proves a bound, the patterns as bits, and the gates.
  func proof(θ: Matrix<Double>) -> [String: Tensor] {
    [
      "theta": Tensor(θ), "patterns": Tensor(patterns.bits.transposed), "gates": Tensor(patterns.gates),
    ]
  }
}
