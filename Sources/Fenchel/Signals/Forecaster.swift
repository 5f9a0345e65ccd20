import LinearAlgebra

/// A network that gives the next value of a signal from a window of it:
///
///     ŝ_t = f(s_{t−p}, …, s_{t−1}),
///
/// and several steps ahead by taking its own forecasts for samples.
public struct Forecaster: Sendable {
  public let network: Network
  /// How windows and values are scaled for the network.
  public let scaling: Scaling

  /// The network must have one output.
  public init(network: Network, scaling: Scaling) {
    precondition(network.outputs == 1 && scaling.features.columns == network.inputs)
    (self.network, self.scaling) = (network, scaling)
  }

  /// p.
  public var window: Int { network.inputs }

  /// ŝ after each window: n of them for windows n × p.
  public func next(_ windows: Matrix<Double>) -> [Double] {
    scaling.targets.inverted(network.predict(scaling.features.applied(to: windows))).storage
  }

  /// Forecasts of so many steps from windows n × p: n × steps. A forecast may leave the range of numbers where the network
  /// grows what it gets. Cost: `steps` predictions a window.
  public func forecasts(_ windows: Matrix<Double>, steps: Int) -> Matrix<Double> {
    var (moving, result) = (windows, Matrix<Double>(windows.rows, steps))
    let p = windows.columns
    for step in 0..<steps {
      let values = next(moving)
      result.setColumn(step, values)
      for (k, value) in values.enumerated() {
        for j in 0..<p - 1 { moving[k, j] = moving[k, j + 1] }
        moving[k, p - 1] = value
      }
    }
    return result
  }
}

extension Forecaster {
  /// Linear autoregression: w and b that minimise ‖X w + b − y‖ over windows X: n × p (b where the problem has a bias), of
  /// collinear columns some at 0. Cost 4np².
  ///
  /// Errors: `FactorisationError` where a window is not finite.
  static func linear(_ problem: TrainingProblem) throws -> Forecaster {
    let p = problem.features.columns
    let w = try QR(problem.x).leastSquares(problem.loss.targets)
    let map = try Dense(
      weights: Matrix(p, 1, storage: Array(w.storage[..<p])), bias: [problem.hasBias ? w[p, 0] : 0])
    return Forecaster(
      network: try Network(layers: [.dense(map)]),
      scaling: Scaling(features: problem.features, targets: problem.targets))
  }

  /// ŝ_t = s_{t−1}: what anything else must beat.
  static func last(window: Int) throws -> Forecaster {
    var weights = Matrix<Double>(window, 1)
    weights[window - 1, 0] = 1
    return Forecaster(
      network: try Network(layers: [.dense(try Dense(weights: weights))]),
      scaling: Scaling(features: .identity(window), targets: .identity(1)))
  }
}
