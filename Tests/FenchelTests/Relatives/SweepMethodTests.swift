import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Small random problems for methods that sweep over all samples.
struct SweepProblem<T: Scalar> {
  let network: FeedForward<T>
  let data: SweepData<T>
  var x: Matrix<T> { data.x }

  init(_ activation: Activation, _ kind: LossKind, depth: Int, seed: UInt64, n: Int = 14) throws {
    var random = SplitMix64(seed: seed)
    let (d, c) = (4, 3)
    let x: Matrix<T> = random.matrix(n, d)
    let y: Matrix<T> =
      switch kind {
      case .softmax: oneHot((0..<n).map { $0 % c }, c)
      case .logistic, .squaredHinge, .hinge:
        Matrix(n, c, storage: (0..<n * c).map { $0.isMultiple(of: 2) ? 1 : -1 })
      default: random.matrix(n, c)
      }
    network = try Initialiser.xavier.feedForward(
      widths: [d] + [Int](repeating: 5, count: depth) + [c],
      activations: [Activation](repeating: activation, count: depth), bias: 0.1, seed: seed)
    data = try SweepData(OrdinaryTraining.Samples(x: x, targets: y), kind: kind, for: network)
  }
}

/// (w/2)‖A − B‖², in Double.
private func square<T: Scalar>(_ w: Double, _ a: Matrix<T>, _ b: Matrix<T>) -> Double {
  zip(a.storage, b.storage).reduce(0) { sum, pair in
    let difference = Double(pair.0) - Double(pair.1)
    return sum + w / 2 * difference * difference
  }
}

/// X W + 1 bᵀ, by plain loops.
private func affine<T: Scalar>(_ x: Matrix<T>, _ w: Matrix<T>) -> Matrix<T> {
  var result = Matrix<T>(x.rows, w.columns)
  for k in 0..<x.rows {
    for j in 0..<w.columns {
      result[k, j] = (0..<x.columns).reduce(w[x.columns, j]) { $0 + x[k, $1] * w[$1, j] }
    }
  }
  return result
}

private func activated<T: Scalar>(_ network: FeedForward<T>, _ l: Int, _ z: Matrix<T>) -> Matrix<T> {
  network.activations[l].apply(to: z.converted(to: Double.self)).converted(to: T.self)
}

private let kinds: [LossKind] = [.squared, .softmax, .logistic, .huber, .hinge]

@Suite struct MultiplierDescentTests {
  /// E with variables of one's own.
  private func energy<T: Scalar>(
    _ problem: SweepProblem<T>, _ weights: [Matrix<T>], _ point: ForwardPass<T>, _ multiplier: Matrix<T>,
    _ settings: MultiplierSettings
  ) -> Double {
    let last = weights.count - 1
    var value = Double(problem.data.loss.value(at: point.inputs[last]))
    for (λ, z) in zip(multiplier.storage, point.inputs[last].storage) { value += Double(λ) * Double(z) }
    for l in 0...last {
      value += square(
        settings.β, point.inputs[l], affine(l == 0 ? problem.x : point.outputs[l - 1], weights[l]))
      if l < last {
        value += square(settings.γ, point.outputs[l], activated(problem.network, l, point.inputs[l]))
      }
    }
    return value
  }

  /// Every update is the minimiser over its variable: no random point near it is better.
  @Test(arguments: ["relu", "leaky-relu:0.1", "hard-tanh", "identity"], [1, 2, 4])
  func updatesMinimise(name: String, depth: Int) throws {
    let activation = try #require(Activation(name))
    for (number, kind) in kinds.enumerated() {
      try check(activation, kind, depth, UInt64(10 * depth + number), slack: 1e-7, Double.self)
      try check(activation, kind, depth, UInt64(10 * depth + number), slack: 1e-3, Float.self)
    }
  }

  private func check<T: Scalar>(
    _ activation: Activation, _ kind: LossKind, _ depth: Int, _ seed: UInt64, slack: Double, _: T.Type
  ) throws {
    let problem = try SweepProblem<T>(activation, kind, depth: depth, seed: seed)
    var settings = MultiplierSettings()
    settings.γ = 3
    var method = try MultiplierDescent(problem.network, problem.data, settings: settings)
    var random = SplitMix64(seed: seed)
    for _ in 0..<2 { try method.sweep() }
    func value(_ weights: [Matrix<T>], _ point: ForwardPass<T>) -> Double {
      energy(problem, weights, point, method.multiplier, settings)
    }
    let label: Comment = "\(activation), \(kind), depth \(depth), \(T.self)"
    let own = value(method.network.weights, method.point)
    #expect(abs(own - method.objective) <= slack * (1 + abs(own)), label)
    for l in 0...depth {
      for block in 0..<3 where l < depth || block != 1 {
        switch block {
        case 0: try method.updateWeights(l)
        case 1: try method.updateOutputs(l)
        default: if l < depth { method.updateInputs(l) } else { method.updateLastInputs() }
        }
        let least = value(method.network.weights, method.point)
        for scale in [1e-3, 0.05, 0.5] {
          var (weights, point) = (method.network.weights, method.point)
          switch block {
          case 0: weights[l].add(1, random.matrix(weights[l].rows, weights[l].columns, scale: scale))
          case 1: point.outputs[l].add(1, random.matrix(problem.x.rows, weights[l].columns, scale: scale))
          default: point.inputs[l].add(1, random.matrix(problem.x.rows, weights[l].columns, scale: scale))
          }
          #expect(value(weights, point) >= least - slack * (1 + abs(least)), "block \(block) of layer \(l)")
        }
      }
    }
  }

  /// Without the multiplier no sweep raises E.
  @Test(arguments: 1...4)
  func warmUpNeverRises(depth: Int) throws {
    var settings = MultiplierSettings()
    settings.warmUp = 100
    let problem = try SweepProblem<Double>(.relu, .softmax, depth: depth, seed: 3)
    var method = try MultiplierDescent(problem.network, problem.data, settings: settings)
    var last = method.objective
    for _ in 0..<20 {
      try method.sweep()
      #expect(method.objective <= last * (1 + 1e-12))
      last = method.objective
    }
    #expect(method.multiplier.storage.allSatisfy { $0 == 0 })
  }

  /// The multiplier grows by β times what the last layer misses.
  @Test func multiplierFollowsItsFormula() throws {
    let problem = try SweepProblem<Double>(.relu, .squared, depth: 1, seed: 4)
    var settings = MultiplierSettings()
    (settings.warmUp, settings.β) = (1, 2)
    var method = try MultiplierDescent(problem.network, problem.data, settings: settings)
    try method.sweep()
    #expect(method.multiplier.frobeniusNorm == 0)
    try method.sweep()
    var expected = method.point.inputs[1]
    expected.add(-1, affine(method.point.outputs[0], method.network.weights[1]))
    expected.scale(by: 2)
    #expect(distance(method.multiplier, expected) < 1e-12)
  }
}

@Suite struct ThreeSplittingDescentTests {
  private func energy<T: Scalar>(
    _ problem: SweepProblem<T>, _ weights: [Matrix<T>], _ point: ForwardPass<T>, _ output: Matrix<T>,
    _ settings: ThreeSplittingSettings
  ) -> Double {
    let last = weights.count - 1
    var value = Double(problem.data.loss.value(at: output)) + square(settings.γ, output, point.inputs[last])
    for l in 0...last {
      value += square(
        settings.ρ, point.inputs[l], affine(l == 0 ? problem.x : point.outputs[l - 1], weights[l]))
      if l < last {
        value += square(settings.γ, point.outputs[l], activated(problem.network, l, point.inputs[l]))
      }
    }
    return value
  }

  /// Every update minimises over its block, with the proximal term where it has one; none raises the objective.
  @Test(arguments: ["relu", "leaky-relu:0.1", "hard-sigmoid", "soft-threshold:0.2"], [1, 2, 4])
  func updatesMinimise(name: String, depth: Int) throws {
    let activation = try #require(Activation(name))
    for (number, kind) in kinds.enumerated() {
      try check(activation, kind, depth, UInt64(10 * depth + number), slack: 1e-8, Double.self)
      try check(activation, kind, depth, UInt64(10 * depth + number), slack: 1e-4, Float.self)
    }
  }

  private func check<T: Scalar>(
    _ activation: Activation, _ kind: LossKind, _ depth: Int, _ seed: UInt64, slack: Double, _: T.Type
  ) throws {
    let problem = try SweepProblem<T>(activation, kind, depth: depth, seed: seed)
    var settings = ThreeSplittingSettings()
    (settings.γ, settings.ρ, settings.α) = (2, 0.7, 0.1)
    var method = try ThreeSplittingDescent(problem.network, problem.data, settings: settings)
    var random = SplitMix64(seed: seed)
    try method.sweep()
    var last = method.objective
    let label: Comment = "\(activation), \(kind), depth \(depth), \(T.self)"
    for l in (0...depth).reversed() {
      for block in 0..<3 {
        let (oldWeights, oldOutput) = (method.network.weights[l], method.output)
        switch block {
        case 0: if l < depth { try method.updateOutputs(l) } else { method.updateOutput() }
        case 1: if l < depth { method.updateInputs(l) } else { method.updateLastInputs() }
        default: try method.updateWeights(l)
        }
        func value(_ weights: [Matrix<T>], _ point: ForwardPass<T>, _ output: Matrix<T>) -> Double {
          energy(problem, weights, point, output, settings) + square(settings.α, weights[l], oldWeights)
            + square(settings.α, output, oldOutput)
        }
        let least = value(method.network.weights, method.point, method.output)
        #expect(method.objective <= last + slack * (1 + last), label)
        last = method.objective
        #expect(
          abs(energy(problem, method.network.weights, method.point, method.output, settings) - last)
            <= slack * (1 + last), label)
        for scale in [1e-3, 0.05, 0.5] {
          var (weights, point, output) = (method.network.weights, method.point, method.output)
          let step: Matrix<T> = random.matrix(problem.x.rows, weights[l].columns, scale: scale)
          switch block {
          case 0: if l < depth { point.outputs[l].add(1, step) } else { output.add(1, step) }
          case 1: point.inputs[l].add(1, step)
          default: weights[l].add(1, random.matrix(weights[l].rows, weights[l].columns, scale: scale))
          }
          #expect(value(weights, point, output) >= least - slack * (1 + least), "block \(block), layer \(l)")
        }
      }
    }
  }

  @Test(arguments: 1...4)
  func sweepsNeverRise(depth: Int) throws {
    for kind in kinds {
      let problem = try SweepProblem<Float>(.relu, kind, depth: depth, seed: 8)
      var method = try ThreeSplittingDescent(problem.network, problem.data)
      var last = method.objective
      for _ in 0..<30 {
        try method.sweep()
        #expect(method.objective <= last * (1 + 1e-5) + 1e-6, "\(kind), depth \(depth)")
        last = method.objective
      }
    }
  }
}
