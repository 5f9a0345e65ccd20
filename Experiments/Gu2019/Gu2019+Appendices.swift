import ConvexOptimization
import Fenchel
import LinearAlgebra

extension Gu2019 {
  /// What the paper says beside its figures, as numbers: one layer is a convex problem (appendix B), one λ is enough
  /// (appendix A), the dual in λ lies below the network (eqs. 7 and 8), and the last layer that projects onto the simplex
  /// (Askari, Negiar, Sambharya & El Ghaoui 2018, eq. 15).
  struct Appendices: Experiment {
    let paper = Gu2019.paper
    let figure = "appendices"
    let subject =
      "one layer as a convex problem, one λ for all layers, the dual in λ, and a last layer on the simplex"
    let seeds = 5

    let openPoints = [
      "the inner minimum of the dual G(λ) is no convex problem: what descent finds is an estimate of the bound, and printed as "
        + "one; the bound of one layer is a bound",
      "the paper’s (21) prints √λ_L for 1/√λ_L and leaves a bar out; the rescaling here keeps the value to rounding",
      "the 2018 paper gives neither λ_L of the simplex nor a comparison with softmax; here λ_L = 2",
    ]

    func run(_ options: ExperimentOptions) throws -> Findings {
      let seeds = options.seeds(of: self)
      var findings = Findings(setting: [
        "one layer: Y = φ(XW*), X: \(OneLayer.n) × \(OneLayer.d) of N(0, 1), \(OneLayer.c) outputs, ρ = 0 and, for a bound above 0, "
          + "outputs with noise and ρ = \(OneLayer.ρ); least squares on ‖Y − φ(XW)‖² from W ~ N(0, \(OneLayer.spread)²) by L-BFGS; shares of \(seeds.count) seeds",
        "the others: the digits that come with the program, 64-50-10, ReLU, Xavier’s weights of seed 0",
      ])
      for activation in OneLayer.activations where !options.isCancelled {
        try findings.comparisons += OneLayer(activation: activation).comparisons(seeds: seeds)
      }
      var quick = options
      quick.isQuick = true  // of the digits whatever is asked for
      if !options.isCancelled {
        let digits = try LiftedDigits(images: ImageSet(quick), sweeps: options.isQuick ? 5 : 30)
        findings.comparisons += try digits.oneWeight() + digits.dual(options) + digits.simplex()
      }
      findings.remarks = [
        "B(Y, XW) is convex in W: every descent ends at W*; ‖Y − φ(XW)‖² is not, and where φ is flat or nearly so descents stay away "
          + "from W*"
      ]
      findings.isComplete = !options.isCancelled
      return findings
    }
  }
}

/// One layer's weights from its inputs and outputs: through the divergence, and by least squares.
private struct OneLayer {
  let activation: Activation

  static let (n, d, c) = (200, 10, 4)
  static let ρ = 0.1
  /// Deviation of the weights that least squares begin with.
  static let spread = 5.0
  static let activations = ["relu", "leaky-relu:0.1", "sigmoid", "tanh", "softplus", "hard-tanh"].compactMap {
    Activation($0)
  }

  /// φ(XW* + noise).
  private func data(seed: UInt64, noise: Double) -> (x: Matrix<Double>, y: Matrix<Double>, w: Matrix<Double>)
  {
    let x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(Self.n, Self.d)
    let w: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(Self.d, Self.c)
    var y = matrixProduct(x, w)
    y.add(noise, Philox(seed: seed, stream: 3).normalMatrix(Self.n, Self.c))
    activation.divergence(Double.self).map(&y)
    return (x, y, w)
  }

  /// Shares of the seeds for which W* was found, and for which the bound closes.
  func comparisons(seeds: Range<UInt64>) throws -> [Comparison] {
    let group = "one layer, \(activation)"
    var (convex, squares, closed) = ([Double](), [Double](), [Double]())
    for seed in seeds {
      let exact = data(seed: seed, noise: 0)
      let program = try OneLayerProgram(x: exact.x, y: exact.y, activation: activation, hasBias: false)
      convex.append(isNear(program.solve().weights, exact.w))
      squares.append(isNear(leastSquares(exact.x, exact.y, seed: seed), exact.w))
      let noisy = data(seed: seed, noise: 1)
      let solution = try OneLayerProgram(
        x: noisy.x, y: noisy.y, activation: activation, ridge: Self.ρ, hasBias: false
      ).solve()
      closed.append(solution.value - solution.bound <= 1e-8 * solution.value ? 1 : 0)
    }
    return [
      Comparison(
        group: group, name: "W* found by the divergence", ours: Measurement(convex), paper: Measurement(1)),
      Comparison(group: group, name: "W* found by least squares", ours: Measurement(squares)),
      Comparison(
        group: group, name: "noise, ridge: proven gap ≤ 1e-8", ours: Measurement(closed)),
    ]
  }

  /// 1 where ‖A − B‖ ≤ 1e-4 ‖B‖, else 0.
  private func isNear(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Double {
    var difference = a
    difference.add(-1, b)
    return difference.frobeniusNorm <= 1e-4 * b.frobeniusNorm ? 1 : 0
  }

  /// A local minimum of ‖Y − φ(XW)‖² over W.
  private func leastSquares(_ x: Matrix<Double>, _ y: Matrix<Double>, seed: UInt64) -> Matrix<Double> {
    var start: Matrix<Double> = Philox(seed: seed, stream: 4).normalMatrix(Self.d, Self.c)
    start.scale(by: Self.spread)
    let divergence = activation.divergence(Double.self)
    let result = LBFGS(gradientTolerance: 1e-12).minimise(from: start.storage) { w, gradient in
      var outputs = matrixProduct(x, Matrix(Self.d, Self.c, storage: w))
      divergence.map(&outputs)
      var slope = outputs
      slope.add(-1, y)
      let value = slope.inner(slope)
      divergence.multiplyByDerivative(at: outputs, &slope)
      slope.scale(by: 2)
      gradient = matrixProduct(x, .yes, slope).storage
      return value
    }
    return Matrix(Self.d, Self.c, storage: result.point)
  }
}

/// Lifted models of the digits.
private struct LiftedDigits {
  let images: ImageSet
  let sweeps: Int

  private static let ρ = [Double](repeating: 1e-3, count: 2)

  private var x: Matrix<Double> { images.training.x.converted(to: Double.self) }
  private var targets: Matrix<Double> { images.training.targets.converted(to: Double.self) }

  private func start() throws -> FeedForward<Double> {
    try Initialiser.xavier.feedForward(
      widths: [images.inputs, 50, images.classes], activations: [.relu], bias: 0.1, seed: 0)
  }

  private func program(λ: Double) throws -> LiftedProgram<Double> {
    try LiftedProgram(
      x: x, loss: LossKind.softmax.makeLoss(targets: targets), kind: .softmax, activations: [.relu], λ: [λ],
      ρ: Self.ρ)
  }

  private func descended(_ program: LiftedProgram<Double>) throws -> BlockCoordinateDescent<Double> {
    var descent = try BlockCoordinateDescent(program, from: start(), tolerance: 1e-3, maximumSteps: 10)
    for _ in 0..<sweeps { try descent.sweep() }
    return descent
  }

  /// A model's value, and that of the same point in the model with λ = 1.
  func oneWeight() throws -> [Comparison] {
    let program = try program(λ: 5)
    let point = try descended(program).point
    let scaled = try program.withUnitPenaltyWeights()
    let group = "one λ for all layers, λ = 5"
    let ρ = scaled.ρ.map { significantDecimal($0, digits: 3) }.joined(separator: ", ")
    return [
      Comparison(group: group, name: "value", ours: Measurement(program.objective(at: point).total)),
      Comparison(
        group: group, name: "value at λ = 1, ρ = \(ρ)",
        ours: Measurement(scaled.objective(at: program.withUnitPenaltyWeights(point)).total)),
    ]
  }

  /// Estimates of G(λ) on the way up, beside the best network's value.
  func dual(_ options: ExperimentOptions) throws -> [Comparison] {
    let program = try program(λ: 0.05)
    var dual = try LagrangianDual(
      x: x, loss: LossKind.softmax.makeLoss(targets: targets), kind: .softmax, activations: [.relu],
      λ: program.λ, ρ: program.ρ)
    dual.isInterrupted = { options.isCancelled }
    let ascent = try dual.ascend(from: start(), steps: options.isQuick ? 2 : 8)
    let group = "dual in λ (estimates, no bounds)"
    let estimates = ascent.map {
      Comparison(
        group: group, name: "G(\(significantDecimal($0.λ[0], digits: 3)))", ours: Measurement($0.value))
    }
    let best = ascent.map(\.network).min().map { Measurement($0) }
    return estimates + [Comparison(group: group, name: "best network met", ours: best)]
  }

  /// Test accuracies of the last layer on the simplex, and of softmax.
  func simplex() throws -> [Comparison] {
    let program = try LiftedProgram(
      x: x, probabilities: SimplexCrossEntropy(targets: targets), outputWeight: 2, activations: [.relu],
      form: .fenchel, λ: [1], ρ: Self.ρ)
    let group = "last layer, test accuracy after \(sweeps) sweeps"
    return try [("projected onto the simplex", program), ("softmax", self.program(λ: 1))].map {
      name, program in
      let network = try descended(program).point.network.network()
      return Comparison(
        group: group, name: name, ours: Measurement(images.accuracy(of: network)))
    }
  }
}
