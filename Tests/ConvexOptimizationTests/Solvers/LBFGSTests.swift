import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite("L-BFGS") struct LBFGSTests {
  private static func rosenbrock(_ x: [Double], _ g: inout [Double]) -> Double {
    var value = 0.0
    for i in g.indices { g[i] = 0 }
    for i in 0..<x.count - 1 {
      let (a, b) = (x[i + 1] - x[i] * x[i], 1 - x[i])
      value += 100 * a * a + b * b
      g[i] += -400 * a * x[i] - 2 * b
      g[i + 1] += 200 * a
    }
    return value
  }

  @Test("Rosenbrock's valley, with an evaluation budget")
  func rosenbrock() {
    let start = (0..<20).map { $0 % 2 == 0 ? -1.2 : 1.0 }
    let result = LBFGS(gradientTolerance: 1e-9).minimise(from: start, Self.rosenbrock)
    #expect(result.status == .solved)
    #expect(result.point.allSatisfy { abs($0 - 1) < 1e-7 })
    #expect(result.evaluations <= 200)
  }

  @Test("ill-conditioned quadratic to full accuracy, the start untouched, the same bits twice")
  func quadratic() {
    let n = 100
    let curvatures = (0..<n).map { Double($0 + 1) * Double($0 + 1) }
    let objective: LBFGS.Objective = { x, g in
      var value = 0.0
      for i in 0..<n {
        g[i] = curvatures[i] * (x[i] - Double(i))
        value += g[i] * (x[i] - Double(i)) / 2
      }
      return value
    }
    let start = [Double](repeating: 1, count: n)
    let result = LBFGS(gradientTolerance: 1e-10).minimise(from: start, objective)
    #expect(result.status == .solved)
    #expect(zip(result.point, 0..<n).allSatisfy { abs($0 - Double($1)) < 1e-9 })
    #expect(result.evaluations <= 1000)
    let again = LBFGS(gradientTolerance: 1e-10).minimise(from: start, objective)
    #expect(again.point == result.point && again.evaluations == result.evaluations)
    #expect(start.allSatisfy { $0 == 1 })
  }

  @Test("kinks: gets close, ends by a status, never goes up")
  func kinks() {
    let objective: LBFGS.Objective = { x, g in
      g[0] = x[0] > 0.3 ? 1 : -1
      g[1] = 2 * (x[1] - 1) + (x[1] > x[0] ? 3.0 : -3.0)
      g[0] += x[1] > x[0] ? -3.0 : 3.0
      return abs(x[0] - 0.3) + (x[1] - 1) * (x[1] - 1) + 3 * abs(x[1] - x[0])
    }
    var last = Double.infinity
    let result = LBFGS(maximumEvaluations: 500).minimise(
      from: [5, -4],
      shouldContinue: { iterate in
        let isLower = iterate.value <= last * (1 + 1e-14)
        last = iterate.value
        return isLower
      }, objective)
    // On the line x₀ = x₁ = t: |t − 0.3| + (t − 1)², least at t = 0.5.
    #expect(result.value < 0.2 + 0.25 + 1e-3)
    #expect(
      result.status == .stalled || result.status == .solved || result.status == .stoppedAtLimit(.iterations))
  }

  @Test("statuses: budget, cancellation, a start that is not finite, no parameters")
  func statuses() {
    let start = [-1.2, 1.0, -1.2, 1.0]
    let budget = LBFGS(maximumEvaluations: 10).minimise(from: start, Self.rosenbrock)
    #expect(budget.status == .stoppedAtLimit(.iterations) && budget.evaluations <= 11)
    let iterations = LBFGS(maximumIterations: 3).minimise(from: start, Self.rosenbrock)
    #expect(iterations.status == .stoppedAtLimit(.iterations) && iterations.iterations == 3)
    let cancellation = Cancellation()
    let cancelled = LBFGS(cancellation: cancellation).minimise(
      from: start,
      shouldContinue: { iterate in
        if iterate.iteration == 2 { cancellation.request() }
        return true
      }, Self.rosenbrock)
    #expect(cancelled.status == .cancelled && cancelled.iterations == 2)
    let stopped = LBFGS().minimise(from: start, shouldContinue: { _ in false }, Self.rosenbrock)
    #expect(stopped.status == .cancelled && stopped.iterations == 1)
    let nan = LBFGS().minimise(from: [1]) { _, g in
      g[0] = 1
      return .nan
    }
    #expect(nan.status == .numericalFailure && nan.point == [1])
    let empty = LBFGS().minimise(from: []) { _, _ in 7 }
    #expect(empty.status == .solved && empty.value == 7)
  }

  @Test("backs off from where the function is not finite")
  func barrier() {
    let result = LBFGS(gradientTolerance: 1e-10).minimise(from: [0.01]) { x, g in
      guard x[0] > 0 else {
        g[0] = .nan
        return .infinity
      }
      g[0] = 1 - 2 / x[0]
      return x[0] - 2 * Double.log(x[0])
    }
    #expect(result.status == .solved && abs(result.point[0] - 2) < 1e-8)
  }

  @Test("a logistic regression reaches the gradient of its loss")
  func logistic() throws {
    var random = SplitMix64(seed: 4)
    let (n, d) = (80, 6)
    let x: Matrix<Double> = random.matrix(n, d)
    let loss = try LogisticLoss<Double>(targets: Matrix(column: (0..<n).map { x[$0, 0] > 0.1 ? 1 : -1 }))
    let result = LBFGS(gradientTolerance: 1e-11).minimise(from: [Double](repeating: 0, count: d)) { w, g in
      var (f, r) = (Matrix<Double>(n, 1), Matrix<Double>(n, 1))
      for k in 0..<n { for j in 0..<d { f[k, 0] += x[k, j] * w[j] } }
      var value = loss.gradient(at: f, into: &r)
      for j in 0..<d {
        g[j] = 0.5 * w[j]
        value += 0.25 * w[j] * w[j]
        for k in 0..<n { g[j] += x[k, j] * r[k, 0] }
      }
      return value
    }
    #expect(result.status == .solved && result.evaluations < 60)
  }
}
