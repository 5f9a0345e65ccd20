import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite("Acceleration") struct AccelerationTests {
  @Test("t₊² − t₊ = t², β = (t − 1)/t₊, t grows like half the count")
  func momentum() {
    var momentum = NesterovMomentum<Double>()
    #expect(momentum.advance() == 0)
    for k in 1...1000 {
      let t = momentum.t
      let β = momentum.advance()
      let next = momentum.t
      #expect(abs(next * next - next - t * t) <= 1e-12 * t * t)
      #expect(abs(β - (t - 1) / next) <= 1e-15)
      #expect(next >= Double(k + 3) / 2)
    }
    momentum.restart()
    #expect(momentum.t == 1 && momentum.advance() == 0)
  }

  @Test("restarts exactly where the step turns against the way")
  func restart() {
    var momentum = NesterovMomentum<Float>()
    for _ in 0..<5 { _ = momentum.advance() }
    let (x, next) = (Matrix<Float>(column: [0, 0]), Matrix<Float>(column: [1, 0]))
    let onward = Matrix<Float>(column: [0.5, 0])
    #expect(!momentum.restartIfTurned(extrapolated: onward, from: x, to: next) && momentum.t > 1)
    let overshot = Matrix<Float>(column: [1.5, 0])
    #expect(momentum.restartIfTurned(extrapolated: overshot, from: x, to: next) && momentum.t == 1)
  }

  /// An ill-conditioned lasso, with and without momentum.
  @Test("accelerated proximal gradient within an iteration budget")
  func budget() throws {
    var random = SplitMix64(seed: 4)
    var a: Matrix<Double> = random.matrix(40, 20)
    for i in 0..<40 { for j in 0..<20 { a[i, j] *= 1 / Double(j + 1) } }
    let b: Matrix<Double> = random.matrix(40, 1)
    let loss = try SquaredLoss(targets: b)
    let penalty = try L1Norm(0.05)
    let step = 1 / (try SVD(a).values[0] * SVD(a).values[0])
    func run(_ iterations: Int, accelerated: Bool) -> Double {
      var momentum = NesterovMomentum<Double>()
      var (x, y, next) = (Matrix<Double>(20, 1), Matrix<Double>(20, 1), Matrix<Double>(20, 1))
      for _ in 0..<iterations {
        var residual = b
        loss.gradient(at: matrixProduct(a, y), into: &residual)
        var point = y
        point.add(-step, matrixProduct(a, .yes, residual))
        penalty.prox(of: point, step: step, into: &next)
        if accelerated {
          momentum.restartIfTurned(extrapolated: y, from: x, to: next)
          momentum.extrapolate(from: x, to: next, into: &y)
        } else {
          y = next
        }
        x = next
      }
      return loss.value(at: matrixProduct(a, x)) + penalty.value(at: x)
    }
    let best = run(3000, accelerated: true)
    let (fast, slow) = (run(400, accelerated: true) - best, run(400, accelerated: false) - best)
    #expect(fast < 1e-7 && slow > 20 * fast, "gaps \(fast) and \(slow)")
  }

  @Test("Anderson solves a linear fixed point in about as many steps as unknowns")
  func anderson() throws {
    var random = SplitMix64(seed: 5)
    let n = 6
    let scales = (0..<n).map { 0.5 + 0.49 * Double($0) / Double(n - 1) }
    let basis = try QR(random.matrix(n, n, of: Double.self)).q
    var map = basis
    for i in 0..<n { for j in 0..<n { map[i, j] *= scales[j] } }
    map = matrixProduct(map, .no, basis, .yes)
    let shift: Matrix<Double> = random.matrix(n, 1)
    func image(_ x: Matrix<Double>) -> Matrix<Double> { combine(1, matrixProduct(map, x), 1, shift) }
    func residual(_ x: Matrix<Double>) -> Double { combine(1, image(x), -1, x).frobeniusNorm }
    var anderson = try AndersonAcceleration<Double>(memory: 8, regularisation: 1e-14)
    var x = Matrix<Double>(n, 1)
    for _ in 0..<40 { x = anderson.next(after: x, image: image(x), objective: residual) }
    #expect(residual(x) < 1e-9)
    var plain = Matrix<Double>(n, 1)
    for _ in 0..<40 { plain = image(plain) }
    #expect(residual(plain) > 1e-4)
  }

  @Test("Anderson never takes a worse point, and stands fixed points and nonsense")
  func safeguard() throws {
    var random = SplitMix64(seed: 6)
    var anderson = try AndersonAcceleration<Float>(memory: 3)
    for _ in 0..<50 {
      let (x, image): (Matrix<Float>, Matrix<Float>) = (random.matrix(4, 2), random.matrix(4, 2))
      let next = anderson.next(after: x, image: image) { $0.inner($0) }
      #expect(next.inner(next) <= image.inner(image))
    }
    let fixed: Matrix<Float> = random.matrix(4, 2)
    anderson.restart()
    for _ in 0..<5 { #expect(anderson.next(after: fixed, image: fixed) { $0.inner($0) } == fixed) }
    let broken = Matrix<Float>(4, 2, fill: .nan)
    _ = anderson.next(after: broken, image: broken) { $0.inner($0) }
    #expect(anderson.next(after: broken, image: fixed) { $0.inner($0) } == fixed)
    #expect(throws: ParameterError.self) { try AndersonAcceleration<Float>(memory: 1) }
    #expect(throws: ParameterError.self) { try AndersonAcceleration<Float>(regularisation: -1) }
  }
}
