import ConvexOptimization
import LinearAlgebra

/// How a trained network predicts.
public enum PredictionRule: String, Codable, Sendable, CaseIterable {
  /// X_{l+1} = φ_l(X_l W_l + b_l), layer by layer.
  case feedForward = "feed-forward"
  /// The outputs and targets that minimise the lifted model with the weights held.
  case lifted
}

/// The lifted rule of prediction (Askari, Negiar, Sambharya & El Ghaoui 2018, §5.2; Gu, Askari & El Ghaoui 2019, eq. 12):
/// for inputs x, with the weights held,
///
///     ŷ = argmin_y min_{x_1 … x_L} ℓ(y, x_L W_L + b_L) + Σ_{l<L} λ_l D_l(x_{l+1}, x_l W_l + b_l),   x_0 = x.
///
/// Losses of numbers vanish at y = x_L W_L + b_L, and Fenchel divergences at feed-forward outputs: there the rule is
/// feed-forward, for any depth; with squared distances it is for one hidden layer, where X_1 = φ(U_0) is the minimiser.
/// Losses of classes are minimised over y at a class: each is tried, by descent over the layers' outputs, which is exact
/// for one hidden layer, and for squared distances, where the problem is convex.
public struct LiftedPrediction: Sendable {
  public let network: FeedForward<Double>
  public let form: LiftedForm
  /// λ_0 … λ_{L−1}.
  public let λ: [Double]
  public let loss: LossKind

  /// - Throws: `LiftedError` for a loss or an activation that the model does not take, or λ not positive.
  public init(_ network: FeedForward<Double>, form: LiftedForm, λ: [Double], loss: LossKind) throws {
    (self.network, self.form, self.λ, self.loss) = (network, form, λ, loss)
    _ = try program(Matrix(1, network.widths[0]), targets: candidates[0])
  }

  /// The rule of a trained model, with its λ.
  ///
  /// - Throws: `LiftedError.notLifted` for a model that was trained in another way.
  public init(_ model: ModelFile) throws {
    let form: LiftedForm
    switch model.report.model {
    case .fenchel: form = .fenchel
    case .lifted: form = .squaredDistance
    default: throw LiftedError.notLifted(model.report.model)
    }
    let network = try FeedForward<Double>(model.network)
    let settings = model.settings
    let lifted = try LiftedSettings(
      settings, settings.layers ?? LayerSettings(for: settings.model), rows: model.report.samples)
    try self.init(network, form: form, λ: lifted.weights(of: network, form), loss: model.report.loss)
  }

  /// Predictions for rows of inputs.
  public struct Result: Sendable {
    /// x_L W_L + b_L: n × c. For classes the largest entry (the sign, where c = 1) is that of ŷ.
    public var outputs: Matrix<Double>
    /// The least value found for each row, never above that of feed-forward outputs.
    public var values: [Double]
  }

  /// Predicts for X: n × d. Cost: for classes, as many descents over the outputs of all layers.
  ///
  /// - Throws: `FactorisationError` where a block has no unique solution.
  public func predict(_ x: Matrix<Double>) throws -> Result {
    var result = Result(outputs: Matrix(x.rows, network.widths.last ?? 0), values: [])
    let size = 4096
    for tile in 0..<Parallel.tiles(of: size, covering: x.rows) {
      let rows = Array(Parallel.range(ofTile: tile, size: size, count: x.rows))
      let part = try best(x.selectingRows(rows))
      for (k, row) in rows.enumerated() {
        for j in 0..<part.outputs.columns { result.outputs[row, j] = part.outputs[k, j] }
      }
      result.values += part.values
    }
    return result
  }

  /// The best of the candidates for each row.
  private func best(_ x: Matrix<Double>) throws -> Result {
    var best = Result(outputs: network.output(x), values: [Double](repeating: .infinity, count: x.rows))
    for row in candidates {
      let targets = row.map { Matrix(rows: [[Double]](repeating: $0.row(0), count: x.rows)) }
      let program = try program(x, targets: targets)
      let forward = LiftedPoint(forward: network, on: x)
      for point in [forward, try descend(program, from: forward, hasTargets: targets != nil)] {
        let outputs = program.preactivations(ofLayer: network.activations.count, at: point)
        for (k, value) in values(program, point, hasTargets: targets != nil).enumerated()
        where value < best.values[k] {
          best.values[k] = value
          for j in 0..<outputs.columns { best.outputs[k, j] = outputs[k, j] }
        }
      }
    }
    return best
  }

  /// Targets of one row to be tried: every class, or nil where the best y is the output itself.
  private var candidates: [Matrix<Double>?] {
    let c = network.widths.last ?? 0
    switch loss {
    case .softmax, .logistic, .hinge, .squaredHinge:
      if loss != .softmax, c == 1 { return [Matrix(rows: [[-1]]), Matrix(rows: [[1]])] }
      let other = loss == .softmax ? 0.0 : -1
      return (0..<c).map { j in Matrix(rows: [(0..<c).map { $0 == j ? 1 : other }]) }
    case .squared, .huber, .absolute, .quantile, .poisson: return [nil]
    }
  }

  /// The model of some rows; without targets, of numbers that no block looks at.
  private func program(_ x: Matrix<Double>, targets: Matrix<Double>?) throws -> LiftedProgram<Double> {
    let layers = network.activations.count
    let y = targets ?? Matrix(x.rows, network.widths.last ?? 0)
    return try LiftedProgram(
      x: x, loss: loss.makeLoss(targets: y), kind: loss, activations: network.activations, form: form, λ: λ,
      ρ: [Double](repeating: 0, count: layers + 1))
  }

  /// Visits X_L … X_1 until a sweep gains less than a share of 1e-5; no visit raises the value. One layer needs one.
  private func descend(
    _ program: LiftedProgram<Double>, from start: LiftedPoint<Double>, hasTargets: Bool
  ) throws -> LiftedPoint<Double> {
    var point = start
    if form == .fenchel, !hasTargets { return point }
    let layers = network.activations.count
    let (sweeps, steps, tolerance) = layers == 1 ? (1, 500, 1e-8) : (100, 20, 1e-4)
    var last = Double.infinity
    for _ in 0..<sweeps {
      for l in (0..<layers).reversed() {
        let block = program.outputBlock(l, at: point)
        if l == layers - 1, !hasTargets {
          point.outputs[l] = block.u
          program.penalties[l].divergence.map(&point.outputs[l])
        } else {
          point.outputs[l] = try block.solve(
            from: point.outputs[l], tolerance: tolerance, maximumSteps: steps)
        }
      }
      let objective = program.objective(at: point)
      let value = objective.total - (hasTargets ? 0 : objective.loss)
      if !(last - value > 1e-5 * abs(value)) { break }
      last = value
    }
    return point
  }

  /// The model's value of each row alone.
  private func values(
    _ program: LiftedProgram<Double>, _ point: LiftedPoint<Double>, hasTargets: Bool
  ) -> [Double] {
    var values = [Double](repeating: 0, count: program.x.rows)
    for l in 0...network.activations.count {
      let u = program.preactivations(ofLayer: l, at: point)
      for k in values.indices {
        let row = u.selectingRows([k])
        if l < network.activations.count {
          values[k] += λ[l] * program.penalties[l].value(point.outputs[l].selectingRows([k]), row)
        } else if hasTargets, case .loss(let loss) = program.output {
          values[k] += loss.restricted(toSamples: [k]).value(at: row)
        }
      }
    }
    return values
  }
}
