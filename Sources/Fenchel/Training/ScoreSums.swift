import ConvexOptimization
import LinearAlgebra
import RealModule

/// Sums over the samples of some data, from which a scorecard is made. Pieces of a multiple of the network's tile give the
/// same bits as the whole.
struct ScoreSums {
  private let network: Network
  private let scaling: Scaling
  private let kind: LossKind
  private let parameters: LossParameters
  /// ȳ of every target, once it is known.
  private var centers: [WeightedMean]
  private var loss = CompensatedSum()
  private var mass = 0.0
  private var accuracy: WeightedMean?
  private var logLoss: WeightedMean?
  private var squares = WeightedMean()
  private var magnitudes = WeightedMean()
  private var residuals: [WeightedMean]
  private var variances: [WeightedMean]
  private var isRegression = false

  /// Of data in pieces. Cost: a prediction, and for numbers a pass over the targets before.
  init(
    _ network: Network, _ scaling: Scaling, _ kind: LossKind, _ parameters: LossParameters,
    on data: some DataPieces
  ) throws {
    (self.network, self.scaling, self.kind, self.parameters) = (network, scaling, kind, parameters)
    let outputs = network.outputs
    centers = [WeightedMean](repeating: WeightedMean(), count: outputs)
    (residuals, variances) = (centers, centers)
    let tile = network.tileSize
    let rows = tile * max(1, 1024 / tile)
    if data.schema.task == .regression {
      try data.forEachPiece(of: rows) { part in
        guard case .values(let y) = part.targets else { return }
        for k in 0..<y.rows {
          for j in 0..<y.columns { centers[j].add(y[k, j], weight: part.sampleWeights[k]) }
        }
      }
    }
    try data.forEachPiece(of: rows) { try add($0) }
  }

  private mutating func add(_ data: Dataset<Double>) throws {
    let f = network.predict(scaling.features.applied(to: data.features))
    let weights = data.sampleWeights
    let y = scaling.targets.applied(to: try TrainingProblem.targets(data, kind))
    StrictLoss(kind: kind, parameters: parameters, targets: y, weights: weights).add(at: f, to: &loss)
    mass = weights.reduce(mass, +)
    switch data.targets {
    case .classes(let indices, _): addClasses(f, indices, weights)
    case .values(let values): addValues(scaling.targets.inverted(f), values, weights)
    case .none: break
    }
  }

  private mutating func addClasses(_ f: Matrix<Double>, _ observed: [Int32], _ weights: [Double]) {
    let predicted = Scores.classes(f)
    var right = accuracy ?? WeightedMean()
    for k in observed.indices { right.add(predicted[k] == Int(observed[k]) ? 1 : 0, weight: weights[k]) }
    accuracy = right
    guard let p = Scores.probabilities(f, loss: kind) else { return }
    var sum = logLoss ?? WeightedMean()
    for k in observed.indices {
      sum.add(-.log(max(p[k, Int(observed[k])], .leastNormalMagnitude)), weight: weights[k])
    }
    logLoss = sum
  }

  private mutating func addValues(_ f: Matrix<Double>, _ y: Matrix<Double>, _ weights: [Double]) {
    isRegression = true
    for k in 0..<y.rows {
      var (square, magnitude) = (0.0, 0.0)
      for j in 0..<y.columns {
        let error = f[k, j] - y[k, j]
        square += error * error
        magnitude += abs(error)
        residuals[j].add(error * error, weight: weights[k])
        let distance = y[k, j] - centers[j].value
        variances[j].add(distance * distance, weight: weights[k])
      }
      squares.add(square / Double(y.columns), weight: weights[k])
      magnitudes.add(magnitude / Double(y.columns), weight: weights[k])
    }
  }

  /// Σ s ℓ.
  var totalLoss: Double { loss.value }

  var scorecard: Scorecard {
    var card = Scorecard(loss: loss.value / mass, accuracy: accuracy?.value, logLoss: logLoss?.value)
    guard isRegression else { return card }
    card.rmse = squares.value.squareRoot()
    card.mae = magnitudes.value
    card.rSquared = Metrics.rSquared(
      residuals: residuals.map(\.value), variances: variances.map(\.value))
    return card
  }
}
