import ConvexOptimization
import LinearAlgebra

/// One layer fitted to its outputs Y: n × c through the divergence of its activation,
///
///     min_W B(Y, X̃ W) + ρ‖W‖²,   X̃ = (X, 1): n × (d + 1), or X: n × d without bias,
///
/// convex, although ‖Y − φ(X̃W)‖² is not: where Y = φ(X̃W*) the least value is 0 at ρ = 0, and the minimiser is W* where
/// it is unique (Gu, Askari & El Ghaoui 2019, appendix B). ρ is on the bias too, here.
public struct OneLayerProgram: Sendable {
  public let x: Matrix<Double>
  public let y: Matrix<Double>
  public let activation: Activation
  public let ρ: Double
  public let hasBias: Bool

  /// - Throws: `LiftedError` for an activation that jumps, a negative ρ, other rows in X than in Y, or outputs outside of
  ///   the activation's closed range.
  public init(
    x: Matrix<Double>, y: Matrix<Double>, activation: Activation, ridge ρ: Double = 0, hasBias: Bool = true
  ) throws {
    _ = try FenchelPenalty<Double>(activation)
    guard x.rows == y.rows else {
      throw LiftedError.shape("\(x.rows) rows of inputs and \(y.rows) of outputs")
    }
    guard ρ.isFinite, ρ >= 0 else {
      throw LiftedError.parameter("ρ", ρ, allowed: "a finite number of at least 0")
    }
    guard activation.divergence(Double.self).potential(at: y).isFinite else {
      throw LiftedError.shape("the outputs lie outside of the range of \(activation)")
    }
    (self.x, self.y, self.activation, self.ρ, self.hasBias) = (x, y, activation, ρ, hasBias)
  }

  /// The least value found, with what it proves: bound ≤ optimum ≤ value.
  public struct Solution: Sendable {
    /// W: (d + 1) × c, or d × c without bias.
    public var weights: Matrix<Double>
    public var value: Double
    public var bound: Double
    public var status: Status
    public var iterations: Int
  }

  /// Minimises by quasi-Newton steps, from W = 0. A step costs 4ndc most of the time.
  public func solve(_ solver: LBFGS = LBFGS(gradientTolerance: 1e-12)) -> Solution {
    let (inputs, divergence) = (x.augmented(hasBias: hasBias), activation.divergence(Double.self))
    let (rows, columns) = (inputs.columns, y.columns)
    let result = solver.minimise(from: [Double](repeating: 0, count: rows * columns)) { w, gradient in
      let w = Matrix(rows, columns, storage: w)
      let u = matrixProduct(inputs, w)
      var slope = u
      let value = divergence.gradient(y, u, into: &slope)
      var total = matrixProduct(inputs, .yes, slope)
      total.add(2 * ρ, w)
      gradient = total.storage
      return value + ρ * w.inner(w)
    }
    let weights = Matrix(rows, columns, storage: result.point)
    let (value, bound) = bounds(at: weights)
    return Solution(
      weights: weights, value: value, bound: bound, status: result.status, iterations: result.iterations)
  }

  /// The value F(W), and a bound below the optimum: B ≥ 0, and F is strongly convex with 2ρ, so that it is nowhere less
  /// than F(W) − ‖∇F(W)‖²/(4ρ). By plain loops in Double, apart from the solver's products.
  public func bounds(at w: Matrix<Double>) -> (value: Double, bound: Double) {
    let divergence = activation.divergence(Double.self)
    let inputs = x.augmented(hasBias: hasBias)
    var (value, gradient) = (CompensatedSum(), w)
    gradient.scale(by: 2 * ρ)
    for entry in w.storage { value += ρ * entry * entry }
    for k in 0..<inputs.rows {
      var u = Matrix<Double>(1, w.columns)
      for i in 0..<w.rows { for j in 0..<w.columns { u[0, j] += inputs[k, i] * w[i, j] } }
      let target = Matrix(rows: [y.row(k)])
      value += divergence.divergence(target, u)
      divergence.map(&u)
      for i in 0..<w.rows {
        for j in 0..<w.columns { gradient[i, j] += inputs[k, i] * (u[0, j] - target[0, j]) }
      }
    }
    var square = CompensatedSum()
    for entry in gradient.storage { square += entry * entry }
    let slack = ρ > 0 ? square.value / (4 * ρ) : .infinity
    return (value.value, max(0, value.value - slack))
  }
}
