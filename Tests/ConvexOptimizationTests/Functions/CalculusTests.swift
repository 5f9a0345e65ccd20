import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

@Suite("Calculus of functions") struct CalculusTests {
  @Test("every operation, of a loss and of a penalty", arguments: 0..<3)
  func operations(seed: Int) throws {
    try check(Double.self, UInt64(seed))
    try check(Float.self, UInt64(seed))
  }

  private func check<T: Scalar>(_: T.Type, _ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let (n, c) = (5, 2)
    let loss = try HuberLoss<T>(targets: random.matrix(n, c), delta: 0.7)
    let penalty = try GroupLasso<T>(0.4)
    let b: Matrix<T> = random.matrix(n, c)

    checkAll(try Scaled(loss, by: 2.5), n, c, seed)
    checkAll(Translated(loss, by: b), n, c, seed)
    checkAll(try SeparableSum(loss, rows: n, try SquaredL2Norm<T>(0.3)), n + 3, c, seed)
    checkAll(try MoreauEnvelope(loss, 0.6), n, c, seed)
    checkAll(try MoreauEnvelope(penalty, 0.6), n, c, seed)
    checkProximable(try Scaled(penalty, by: 3), rows: n, columns: c, seed: seed)
    checkConjugate(try Scaled(penalty, by: 3), rows: n, columns: c, seed: seed)
    checkProximable(Translated(penalty, by: b), rows: n, columns: c, seed: seed)
    checkConjugate(Translated(penalty, by: b), rows: n, columns: c, seed: seed)
    checkProximable(try SeparableSum(penalty, rows: 2, loss), rows: n + 2, columns: c, seed: seed)
    checkProximable(Conjugate(try SquaredL2Norm<T>(0.8)), rows: n, columns: c, seed: seed)
    checkConjugate(Conjugate(try SquaredL2Norm<T>(0.8)), rows: n, columns: c, seed: seed)
    checkProximable(
      Conjugate(try SquaredLoss<T>(targets: random.matrix(n, c))), rows: n, columns: c, seed: seed)
  }

  private func checkAll<F: SmoothFunction & ProximableFunction & ConjugableFunction>(
    _ f: F, _ rows: Int, _ columns: Int, _ seed: UInt64
  ) {
    checkSmooth(f, rows: rows, columns: columns, seed: seed)
    checkProximable(f, rows: rows, columns: columns, seed: seed)
    checkConjugate(f, rows: rows, columns: columns, seed: seed)
    checkFenchelYoung(f, rows: rows, columns: columns, seed: seed)
  }

  @Test("Moreau: prox of the conjugate of a norm is the projection onto the dual ball")
  func dualBall() throws {
    var random = SplitMix64(seed: 2)
    let x: Matrix<Double> = random.matrix(6, 3, scale: 2)
    var y = x
    Conjugate(try GroupLasso(0.9)).prox(of: x, step: 3.7, into: &y)
    for i in 0..<6 {
      let norm = x.row(i).reduce(0) { $0 + $1 * $1 }.squareRoot()
      for j in 0..<3 { #expect(abs(y[i, j] - x[i, j] * min(1, 0.9 / norm)) < 1e-14) }
    }
  }

  @Test("the Moreau envelope of |x| is Huber's function over μ")
  func envelopeIsHuber() throws {
    let targets = Matrix<Double>(1, 1)
    let envelope = try MoreauEnvelope(try AbsoluteLoss(targets: targets), 0.5)
    let huber = try HuberLoss(targets: targets, delta: 0.5)
    for x in [-3, -0.4, 0, 0.1, 0.5, 2] {
      let point = Matrix<Double>(column: [x])
      #expect(abs(envelope.value(at: point) - huber.value(at: point) / 0.5) < 1e-15)
    }
  }

  @Test("twice the conjugate is the function")
  func biconjugate() throws {
    var random = SplitMix64(seed: 3)
    let x: Matrix<Double> = random.matrix(4, 2)
    let f = try L1Norm(1.3)
    let twice = Conjugate(Conjugate(f))
    var (p, q) = (x, x)
    #expect(twice.value(at: x) == f.value(at: x))
    f.prox(of: x, step: 0.4, into: &p)
    twice.prox(of: x, step: 0.4, into: &q)
    #expect(distance(p, q) < 1e-14)
  }

  @Test("wrong arguments")
  func wrongArguments() throws {
    let f = try L1Norm(1.0)
    for wrong in [0, -1, Double.nan, .infinity] {
      #expect(throws: ParameterError.self) { try Scaled(f, by: wrong) }
      #expect(throws: ParameterError.self) { try MoreauEnvelope(f, wrong) }
    }
    #expect(throws: ParameterError.self) { try SeparableSum(f, rows: -1, f) }
  }
}
