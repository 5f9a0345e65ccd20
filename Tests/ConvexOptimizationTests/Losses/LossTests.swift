import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite("Losses") struct LossTests {
  @Test("value, gradient, prox, conjugate, weights, in Double", arguments: 0..<4)
  func double(seed: Int) throws {
    for instance in LossCase<Double>.all { try checkLoss(instance, seed: UInt64(seed)) }
  }

  @Test("value, gradient, prox, conjugate, weights, in Float", arguments: 0..<2)
  func float(seed: Int) throws {
    for instance in LossCase<Float>.all { try checkLoss(instance, seed: UInt64(seed)) }
  }

  @Test("prox agrees with golden sections in one dimension")
  func proxByGoldenSection() throws {
    var random = SplitMix64(seed: 3)
    for kind in LossKind.allCases where kind != .softmax {
      let instance = LossCase<Double>(kind, outputs: 1)
      for trial in 0..<10 {
        let y = instance.targets(1, &random)
        let loss = try instance.loss(y, [1.5])
        let x: Matrix<Double> = random.matrix(1, 1, scale: 3)
        let γ = [0.1, 1, 8][trial % 3]
        var p = x
        loss.prox(of: x, step: γ, into: &p)
        let expected = minimiseByGoldenSection(-60, 60) { z in
          loss.value(at: Matrix(column: [z])) + (z - x[0, 0]) * (z - x[0, 0]) / (2 * γ)
        }
        #expect(abs(p[0, 0] - expected) < 1e-6, "\(kind), trial \(trial)")
      }
    }
  }

  @Test("known values")
  func knownValues() throws {
    let y = Matrix<Double>(column: [1])
    func value(_ kind: LossKind, _ f: Double, _ parameters: LossParameters = LossParameters()) throws
      -> Double
    {
      try makeLoss(kind, targets: y, parameters: parameters).value(at: Matrix(column: [f]))
    }
    #expect(try value(.squared, 3) == 2)
    #expect(try value(.logistic, 0) == 0.6931471805599453)
    #expect(try value(.hinge, -1) == 2)
    #expect(try value(.squaredHinge, -1) == 2)
    #expect(try value(.huber, 4) == 2.5)
    #expect(try value(.huber, 1.5) == 0.125)
    #expect(try value(.absolute, 4) == 3)
    #expect(abs(try value(.quantile, 0, LossParameters(tau: 0.9)) - 0.9) < 1e-15)
    #expect(abs(try value(.quantile, 2, LossParameters(tau: 0.9)) - 0.1) < 1e-15)
    #expect(try value(.poisson, 0) == 1)
    let softmax = try SoftmaxLoss<Double>(targets: Matrix(rows: [[0, 1, 0]]))
    #expect(abs(softmax.value(at: Matrix(1, 3)) - 1.0986122886681098) < 1e-15)
  }

  @Test("logistic loss is softmax of two classes")
  func logisticIsSoftmax() throws {
    var random = SplitMix64(seed: 5)
    let f: Matrix<Double> = random.matrix(50, 1, scale: 4)
    let labels = (0..<50).map { _ in Bool.random(using: &random) }
    let logistic = try LogisticLoss<Double>(targets: Matrix(column: labels.map { $0 ? 1 : -1 }))
    let softmax = try SoftmaxLoss<Double>(targets: Matrix(rows: labels.map { $0 ? [1, 0] : [0, 1] }))
    let pair = Matrix(rows: f.storage.map { [$0 / 2, -$0 / 2] })
    #expect(abs(logistic.value(at: f) - softmax.value(at: pair)) < 1e-11)
  }

  @Test("no overflow and no NaN at extreme predictions")
  func extremes() throws {
    try checkExtremes(Double.self, far: 1e300)
    try checkExtremes(Float.self, far: 1e37)
  }

  private func checkExtremes<T: Scalar>(_: T.Type, far: T) throws {
    var random = SplitMix64(seed: 6)
    for instance in LossCase<T>.all {
      let y = instance.targets(4, &random)
      let loss = try instance.loss(y, [1, 0.5, 0, 1])
      for sign in [far, -far] {
        var f = Matrix<T>(4, instance.outputs, fill: sign)
        if instance.kind == .softmax { for k in 0..<4 { f[k, 0] = -sign } }
        var g = Matrix<T>(4, instance.outputs, fill: .nan)
        let value = loss.gradient(at: f, into: &g)
        #expect(!value.isNaN && value >= -far * 100, "\(instance.kind)")
        #expect(g.storage.allSatisfy { !$0.isNaN }, "\(instance.kind)")
        loss.secondDerivative(at: f, into: &g)
        #expect(g.storage.allSatisfy { $0 >= 0 }, "\(instance.kind)")
        loss.prox(of: f, step: 1, into: &g)
        #expect(g.storage.allSatisfy { $0.isFinite }, "\(instance.kind)")
      }
    }
  }

  @Test("the same bits for 1, 2 and 3 threads, and the sum of the parts, over many tiles")
  func threads() throws {
    let before = Parallel.threads
    defer { Parallel.threads = before }
    var random = SplitMix64(seed: 9)
    for kind in [LossKind.squared, .logistic, .softmax, .poisson] {
      let instance = LossCase<Double>(kind, outputs: 3)
      let y = instance.targets(30_000, &random)
      let f: Matrix<Double> = random.matrix(30_000, 3)
      let loss = try instance.loss(y, nil)
      var results: [(Double, Matrix<Double>)] = []
      for threads in 1...3 {
        Parallel.threads = threads
        var g = f
        results.append((loss.gradient(at: f, into: &g), g))
      }
      #expect(results.allSatisfy { $0.0 == results[0].0 && $0.1 == results[0].1 }, "\(kind)")
      let half = try instance.loss(y.selectingRows(0..<15_000), nil)
      let rest = try instance.loss(y.selectingRows(15_000..<30_000), nil)
      let parts =
        half.value(at: f.selectingRows(0..<15_000)) + rest.value(at: f.selectingRows(15_000..<30_000))
      #expect(abs(parts - results[0].0) < 1e-11 * abs(parts), "\(kind)")
    }
  }

  @Test("an empty sample is a loss of 0")
  func empty() throws {
    for instance in LossCase<Double>.all {
      let loss = try instance.loss(Matrix(0, instance.outputs), nil)
      #expect(loss.value(at: Matrix(0, instance.outputs)) == 0)
    }
  }
}
