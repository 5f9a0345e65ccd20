import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite("Wrong arguments of losses") struct LossErrorTests {
  private func error(
    _ kind: LossKind, _ targets: [[Double]], _ weights: [Double]? = nil,
    _ parameters: LossParameters = LossParameters()
  ) -> LossError? {
    do {
      _ = try makeLoss(kind, targets: Matrix(rows: targets), weights: weights, parameters: parameters)
      return nil
    } catch { return error }
  }

  @Test("weights", arguments: LossKind.allCases)
  func weights(kind: LossKind) {
    let y = kind == .softmax ? [[1.0, 0], [0, 1]] : [[1.0], [1]]
    #expect(error(kind, y, [1]) == .weightCount(weights: 1, samples: 2))
    #expect(error(kind, y, [1, -2]) == .negativeWeight(row: 1, weight: -2))
    #expect(error(kind, y, [.nan, 1]) == .nonFiniteWeight(row: 0))
    #expect(error(kind, y, [1, .infinity]) == .nonFiniteWeight(row: 1))
    #expect(error(kind, y, [0, 0]) == nil)
  }

  @Test("targets that are not finite", arguments: LossKind.allCases)
  func nonFinite(kind: LossKind) {
    let y = kind == .softmax ? [[1.0, 0], [0, .nan]] : [[1.0, 1], [1, .nan]]
    #expect(error(kind, y) == .nonFiniteTarget(row: 1, column: 1))
    let far = kind == .softmax ? [[-Double.infinity, 0]] : [[-Double.infinity, 1]]
    #expect(error(kind, far) == .nonFiniteTarget(row: 0, column: 0))
  }

  @Test("labels outside their set", arguments: [LossKind.logistic, .hinge, .squaredHinge])
  func labels(kind: LossKind) {
    for wrong in [0, 2, 0.999, -1.5] {
      let expected = LossError.label(row: 1, column: 0, value: wrong, allowed: "labels −1 and 1")
      #expect(error(kind, [[1], [wrong]]) == expected)
    }
  }

  @Test("class probabilities off the simplex, negative counts")
  func sets() {
    #expect(error(.softmax, [[1, 0], [0.5, 0.4]]) == .rowSum(row: 1, sum: 0.9))
    #expect(error(.softmax, [[1, 1]]) == .rowSum(row: 0, sum: 2))
    #expect(error(.softmax, [[0.25, 0.75]]) == nil)
    let negative = error(.softmax, [[1.5, -0.5]])
    #expect(negative == .label(row: 0, column: 1, value: -0.5, allowed: "probabilities of at least 0"))
    let count = error(.poisson, [[0], [-1]])
    #expect(count == .label(row: 1, column: 0, value: -1, allowed: "numbers of at least 0"))
    #expect(throws: LossError.self) { try SoftmaxLoss<Float>(targets: Matrix(3, 0)) }
  }

  @Test("parameters outside their range")
  func parameters() {
    for δ in [0, -1, Double.nan, .infinity] {
      guard case .parameter(let name, _, _) = error(.huber, [[1]], nil, LossParameters(delta: δ)) else {
        Issue.record("δ = \(δ) was taken")
        continue
      }
      #expect(name == "Huber δ")
    }
    for τ in [0, 1, -0.5, Double.nan, 2] {
      #expect(error(.quantile, [[1]], nil, LossParameters(tau: τ)) != nil, "τ = \(τ)")
    }
  }

  @Test("messages count rows from 1 and say what to do")
  func messages() {
    let message = LossError.label(row: 1, column: 0, value: 2, allowed: "labels −1 and 1").description
    #expect(message == "targets: row 2, column 1 is 2.0; the loss takes labels −1 and 1")
  }

  @Test("kinds are named as on the command line")
  func names() throws {
    #expect(LossKind(rawValue: "squared-hinge") == .squaredHinge)
    for instance in LossCase<Double>.all {
      var random = SplitMix64(seed: 1)
      let loss = try instance.loss(instance.targets(2, &random), nil)
      #expect(type(of: loss).name == instance.kind.rawValue)
      #expect(loss.isSeparable == (instance.kind != .softmax))
    }
  }
}
