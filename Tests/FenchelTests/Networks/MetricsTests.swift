import ConvexOptimization
import Fenchel
import LinearAlgebra
import Testing

@Suite struct MetricsTests {
  let f = Matrix<Double>(column: [1, 2, 4])
  let y = Matrix<Double>(column: [1, 3, 2])

  @Test func errorsOfNumbers() {
    #expect(abs(Metrics.rmse(f, y) - (5.0 / 3).squareRoot()) < 1e-15)
    #expect(abs(Metrics.mae(f, y) - 1) < 1e-15)
    #expect(abs(Metrics.rSquared(f, y) - (1 - 5.0 / 2)) < 1e-15)
    #expect(Metrics.rSquared(y, y) == 1)
    #expect(Metrics.rSquared(Matrix(column: [2]), Matrix(column: [2])) == 1)
    #expect(Metrics.rSquared(Matrix(column: [2, 2]), Matrix(column: [1, 1])) == 0)
  }

  @Test func aWeightOfTwoIsTheSampleTwice() {
    let twice = [0, 1, 1, 2]
    let (f2, y2) = (f.selectingRows(twice), y.selectingRows(twice))
    let weights = [1.0, 2, 1]
    #expect(abs(Metrics.rmse(f, y, weights: weights) - Metrics.rmse(f2, y2)) < 1e-15)
    #expect(abs(Metrics.mae(f, y, weights: weights) - Metrics.mae(f2, y2)) < 1e-15)
    #expect(abs(Metrics.rSquared(f, y, weights: weights) - Metrics.rSquared(f2, y2)) < 1e-14)
    #expect(Metrics.accuracy([0, 1, 1], [0, 1, 0], weights: weights) == 0.75)
  }

  @Test func classes() {
    #expect(Metrics.accuracy([0, 1, 2, 2], [0, 1, 1, 2]) == 0.75)
    #expect(
      Metrics.confusion([0, 1, 2, 2], [0, 1, 1, 2], classes: 3) == [[1, 0, 0], [0, 1, 1], [0, 0, 1]])
    let p = Matrix<Double>(rows: [[0.5, 0.5], [0.25, 0.75], [1, 0]])
    #expect(
      abs(Metrics.logLoss(probabilities: p, [0, 1, 0]) - (0.6931471805599453 + 0.2876820724517809) / 3)
        < 1e-15)
    #expect(Metrics.logLoss(probabilities: p, [0, 1, 1]).isFinite)
    #expect(Metrics.accuracy([], []).isNaN)
  }

  @Test func scoresBecomeClasses() {
    #expect(Scores.classes(Matrix(column: [-1, 0, 2])) == [0, 0, 1])
    #expect(Scores.classes(Matrix(rows: [[1, 1, 0], [0, 2, 3]])) == [0, 2])
  }

  @Test func probabilitiesSumToOneAndStayFinite() throws {
    let wild = Matrix<Double>(rows: [[1e308, -1e308, 0], [-1e308, -1e308, -1e308], [1, 2, 3]])
    for loss in [LossKind.softmax, .logistic] {
      let p = try #require(Scores.probabilities(wild, loss: loss))
      for k in 0..<3 {
        #expect(p.row(k).allSatisfy { $0 >= 0 && $0 <= 1 })
        #expect(abs(p.row(k).reduce(0, +) - 1) < 1e-12)
      }
    }
    let p = try #require(Scores.probabilities(Matrix(column: [0, 1000, -1000]), loss: .logistic))
    #expect(p == Matrix(rows: [[0.5, 0.5], [0, 1], [1, 0]]))
    #expect(Scores.probabilities(wild, loss: .hinge) == nil)
  }
}
