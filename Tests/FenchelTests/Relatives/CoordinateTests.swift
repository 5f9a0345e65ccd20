import ConvexOptimization
import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct AuxiliaryCoordinatesTests {
  private static let names = ["relu", "leaky-relu:0.1", "sigmoid", "tanh", "softplus", "hard-tanh", "sine"]

  /// At one μ no step raises the objective, which is the model's at the point.
  @Test(arguments: names, 1...3)
  func stepsNeverRise(name: String, depth: Int) throws {
    let activation = try #require(Activation(name))
    for kind in [LossKind.squared, .softmax, .logistic, .huber] {
      try check(activation, kind, depth, slack: 1e-10, Double.self)
      try check(activation, kind, depth, slack: 1e-4, Float.self)
    }
  }

  private func check<T: Scalar>(
    _ activation: Activation, _ kind: LossKind, _ depth: Int, slack: Double, _: T.Type
  ) throws {
    let problem = try SweepProblem<T>(activation, kind, depth: depth, seed: UInt64(depth))
    var settings = AuxiliaryCoordinateSettings()
    (settings.growth, settings.μ) = (1, 2)
    var method = try AuxiliaryCoordinates(problem.network, problem.data, settings: settings)
    let first = method.objective
    var last = first
    let label: Comment = "\(activation), \(kind), depth \(depth), \(T.self)"
    for _ in 0..<4 {
      for l in 0...depth {
        try method.updateWeights(l)
        let value = method.objective(at: 2)
        #expect(value <= last + slack * (1 + last), label)
        last = value
      }
      for l in (0..<depth).reversed() {
        try method.updateCoordinates(l)
        let value = method.objective(at: 2)
        #expect(value <= last + slack * (1 + last), label)
        last = value
      }
    }
    #expect(last < first, label)
  }

  /// Many Gauss–Newton steps end where the gradient of a layer's fit vanishes.
  @Test func layerFitsAreStationary() throws {
    let problem = try SweepProblem<Double>(.tanh, .squared, depth: 1, seed: 6, n: 40)
    var settings = AuxiliaryCoordinateSettings()
    (settings.steps, settings.iterations, settings.growth) = (200, 50, 1)
    var method = try AuxiliaryCoordinates(problem.network, problem.data, settings: settings)
    try method.sweep()
    try method.updateWeights(0)
    let z = method.coordinates[0]
    var v = Matrix<Double>(40, 5)
    method.network.preactivate(problem.x, layer: 0, into: &v)
    for k in 0..<v.count {
      let h = Double.tanh(v.storage[k])
      v.storage[k] = (h - z.storage[k]) * (1 - h * h)
    }
    #expect(matrixProduct(problem.x, .yes, v).frobeniusNorm < 1e-6)
  }

  @Test func penaltyGrows() throws {
    let problem = try SweepProblem<Double>(.relu, .squared, depth: 1, seed: 6)
    var settings = AuxiliaryCoordinateSettings()
    (settings.μ, settings.growth) = (3, 2)
    var method = try AuxiliaryCoordinates(problem.network, problem.data, settings: settings)
    for _ in 0..<3 { try method.sweep() }
    #expect(method.penalty == 24)
  }
}

@Suite struct TikhonovDescentTests {
  @Test(arguments: [0.3, 1.0], 1...3)
  func sweepsNeverRise(θ: Double, depth: Int) throws {
    for kind in [LossKind.squared, .softmax] {
      let problem = try SweepProblem<Double>(.relu, kind, depth: depth, seed: 2)
      var settings = TikhonovSettings()
      settings.θ = θ
      var method = try TikhonovDescent(problem.network, problem.data, settings: settings)
      let first = method.objective
      var last = first
      for _ in 0..<10 {
        try method.sweep()
        #expect(method.objective <= last * (1 + 1e-12))
        last = method.objective
      }
      #expect(last < first)
    }
  }

  /// θ is the share of the way: half of it goes half as far.
  @Test func relaxationSharesTheWay() throws {
    let problem = try SweepProblem<Double>(.relu, .squared, depth: 1, seed: 2)
    var ends: [Matrix<Double>] = []
    for θ in [1.0, 0.5] {
      var settings = TikhonovSettings()
      settings.θ = θ
      var method = try TikhonovDescent(problem.network, problem.data, settings: settings)
      try method.descent.updateWeights(1)
      var step = method.network.weights[1]
      step.add(-1, problem.network.weights[1])
      ends.append(step)
    }
    ends[1].scale(by: 2)
    #expect(ends[0].frobeniusNorm > 1e-3 && distance(ends[0], ends[1]) < 1e-9)
  }
}
