import Fenchel
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite struct LinearPiecesTests {
  static let names = [
    "relu", "leaky-relu:0.1", "hard-tanh", "hard-sigmoid", "soft-threshold:0.5", "identity",
  ]

  /// No point of a fine grid is better.
  @Test(arguments: names)
  func brute(name: String) throws {
    try check(name, Double.self, tolerance: 1e-12)
    try check(name, Float.self, tolerance: 1e-5)
  }

  private func check<T: Scalar>(_ name: String, _: T.Type, tolerance: Double) throws {
    let activation = try #require(Activation(name))
    let pieces = try #require(LinearPieces<T>(activation))
    var random = SplitMix64(seed: 7)
    for (γ, β) in [(1.0, 1.0), (10, 1), (0.3, 5)] {
      let (a, m): (Matrix<T>, Matrix<T>) = (
        random.matrix(10, 6, scale: 1.5), random.matrix(10, 6, scale: 1.5)
      )
      var z = Matrix<T>(10, 6)
      pieces.fit(outputs: a, weight: T(γ), near: m, weight: T(β), into: &z)
      let grid = (-4000...4000).map { Double($0) / 800 }
      let heights = activation.apply(to: Matrix(column: grid)).storage
      let reached = activation.apply(to: z.converted(to: Double.self))
      for k in 0..<60 {
        let (a, m) = (Double(a.storage[k]), Double(m.storage[k]))
        func value(_ h: Double, _ z: Double) -> Double { γ * (a - h) * (a - h) + β * (z - m) * (z - m) }
        let ours = value(reached.storage[k], Double(z.storage[k]))
        let least = zip(heights, grid).map { value($0.0, $0.1) }.min() ?? 0
        #expect(ours <= least + tolerance * (1 + least), "\(name), γ \(γ), β \(β), entry \(k)")
      }
    }
  }

  @Test(arguments: ["sigmoid", "tanh", "softplus", "sign", "sine", "simplex", "softmax"])
  func curvedOnesHaveNone(name: String) throws {
    let activation = try #require(Activation(name))
    #expect(LinearPieces<Double>(activation).map { _ in true } == nil)
  }
}
