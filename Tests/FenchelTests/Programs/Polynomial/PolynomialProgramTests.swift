import ConvexOptimization
import Fenchel
import FenchelTestSupport
import Foundation
import LinearAlgebra
import Testing

/// Networks with a polynomial activation as semidefinite programs.
struct PolynomialProgramTests {
  private static var activations: [Polynomial] {
    get throws {
      try [
        .quadratic, .nearReLU, Polynomial(a: -0.7, b: 0.2, c: -1), Polynomial(a: 0, b: 1, c: 0.5),
        Polynomial(a: 1, b: 0, c: -1),
      ]
    }
  }

  private func program(
    _ activation: Polynomial, _ kind: LossKind, seed: UInt64, ratio: Double = 0.05
  ) throws -> PolynomialProgram {
    let (n, d) = (6 + Int(seed % 20), 1 + Int(seed % 4))
    let c = kind == .softmax ? 3 : 1 + Int(seed % 2)
    let x: Matrix<Double> = Philox(seed: seed, stream: 1).normalMatrix(n, d)
    var y: Matrix<Double> = Philox(seed: seed, stream: 2).normalMatrix(n, c)
    switch kind {
    case .softmax: for k in 0..<n { for j in 0..<c { y[k, j] = j == (k * k + Int(seed)) % c ? 1 : 0 } }
    case .logistic, .squaredHinge: for i in 0..<y.count { y.storage[i] = y.storage[i] > 0 ? 1 : -1 }
    case .poisson: for i in 0..<y.count { y.storage[i] = abs(3 * y.storage[i]).rounded() }
    default: break
    }
    let loss = try kind.makeLoss(targets: y, weights: (0..<n).map { 0.5 + Double($0 % 3) })
    func program(_ λ: Double) throws -> PolynomialProgram {
      try PolynomialProgram(x: x, loss: loss, kind: kind, λ: λ, activation: activation)
    }
    return try program(ratio * program(1).largestλ())
  }

  private func solve<T: Scalar>(
    _ program: PolynomialProgram, _: T.Type, tolerance: Double
  ) throws -> Solution<PolynomialPoint> {
    var solver = try PolynomialSolver<T>(program, tolerance: tolerance)
    let limits = Limits(tolerance: tolerance, maximumIterations: 20_000, certificateInterval: .max)
    return drive(&solver, on: program, limits: limits, phase: "test")
  }

  /// The objective of a network by the library's prediction, not by the certificate's arithmetic.
  private func objective(_ network: Network, _ program: PolynomialProgram) -> Double {
    guard case .dense(let output) = network.layers[2] else { return .nan }
    return program.loss.value(at: network.predict(program.x))
      + program.λ * output.weights.storage.reduce(0) { $0 + abs($1) }
  }

  private struct Oracle: Decodable {
    var X: [[Double]]
    var y: [Double]
    var beta: Double
    var optimal_value: Double
    var a: Double?
    var b: Double?
    var c: Double?
    var eigenvalues: [Double]?
  }

  @Test("oracle", arguments: [("03a_poly_sdp", 1e-6), ("03b_quadratic_nuclear", 1e-8)])
  func oracle(name: String, tolerance: Double) throws {
    let oracle = try JSONDecoder().decode(Oracle.self, from: OracleTests.Oracle.data(name))
    let activation = try Polynomial(a: oracle.a ?? 1, b: oracle.b ?? 0, c: oracle.c ?? 0)
    let y = Matrix(column: oracle.y)
    let program = try PolynomialProgram(
      x: Matrix(rows: oracle.X), loss: LossKind.squared.makeLoss(targets: y), kind: .squared, λ: oracle.beta,
      activation: activation)
    let solution = try solve(program, Double.self, tolerance: 1e-9)
    let (certificate, optimum) = (solution.certificate, oracle.optimal_value)
    #expect(solution.status == .solved && certificate.scope == .exact)
    #expect(abs(certificate.primal - optimum) <= tolerance * optimum)
    #expect(certificate.dual <= optimum + 1e-9 && certificate.relativeGap <= 1e-9)
    #expect(solution.iterations <= 1200)
    let network = try program.decode(solution.point, hasBias: false)
    #expect(network.neurons <= 2 * (program.features + 1))
    #expect(abs(objective(network, program) - certificate.primal) <= 1e-12 * optimum)
    if let eigenvalues = oracle.eigenvalues {
      let amplitudes = solution.point.neurons.norms.sorted(by: >)
      let expected = eigenvalues.map(abs).filter { $0 > 1e-6 }.sorted(by: >)
      #expect(amplitudes.count == expected.count)
      for (found, known) in zip(amplitudes, expected) { #expect(abs(found - known) <= 1e-4) }
    }
  }

  @Test(
    "the decoded network is the program's point: its predictions, its objective, its certificate",
    arguments: try activations, [LossKind.squared, .logistic, .softmax, .huber, .squaredHinge, .poisson])
  func theorem(activation: Polynomial, kind: LossKind) throws {
    for seed: UInt64 in 0..<3 {
      let program = try program(activation, kind, seed: seed)
      try check(program, solve(program, Double.self, tolerance: 1e-7), tolerance: 1e-7, "seed \(seed)")
      guard kind != .poisson else { continue }  // its scores leave the range of Float's exponentials at first
      try check(program, solve(program, Float.self, tolerance: 1e-3), tolerance: 1e-3, "Float, seed \(seed)")
    }
  }

  private func check(
    _ program: PolynomialProgram, _ solution: Solution<PolynomialPoint>, tolerance: Double, _ label: Comment
  ) throws {
    let certificate = solution.certificate
    let scale = max(1, abs(certificate.primal))
    #expect(solution.status == .solved && certificate.relativeGap <= tolerance, label)
    #expect(certificate.dual <= certificate.primal + 1e-13 * scale, label)
    let network = try program.decode(solution.point, hasBias: false)
    #expect(program.contains(network), label)
    #expect(network.neurons <= 2 * (program.features + 1) * program.outputs, label)
    #expect(abs(objective(network, program) - certificate.primal) <= 1e-11 * scale, label)
  }

  @Test("no network is better than the bound", arguments: try activations)
  func bound(activation: Polynomial) throws {
    for seed: UInt64 in 0..<4 {
      let program = try program(activation, .squared, seed: seed, ratio: 0.1)
      let solution = try solve(program, Double.self, tolerance: 1e-7)
      for trial: UInt64 in 0..<50 {
        let random = Philox(seed: seed, stream: 100 + trial)
        let count = 1 + Int(trial % 5)
        var vectors: Matrix<Double> = random.normalMatrix(count, program.features)
        vectors.scale(by: [1, 0.1, 0.01][Int(trial % 3)])
        let neurons = NeuronSet(
          vectors: vectors, signs: (0..<count).map { $0 % 2 == 0 ? 1 : -1 },
          outputs: (0..<count).map { $0 % program.outputs })
        #expect(program.strictObjective(of: neurons) >= solution.certificate.dual)
        // Nor is the bound of any other θ above the optimum.
        let θ: Matrix<Double> = random.normalMatrix(program.samples, program.outputs)
        #expect(program.dualBound(θ: θ) <= solution.certificate.primal)
      }
    }
  }

  @Test("above λ_max the zero network is optimal, below it is not", arguments: try activations)
  func largestλ(activation: Polynomial) throws {
    for (ratio, isZero) in [(1 + 1e-9, true), (0.98, false)] {
      let program = try program(activation, .squared, seed: 3, ratio: ratio)
      let solution = try solve(program, Double.self, tolerance: 1e-10)
      #expect((solution.point.neurons.norms.reduce(0, +) < 1e-12) == isZero)
      let network = try program.decode(solution.point, hasBias: false)
      #expect(program.contains(network) && network.layers.count == 3)
    }
  }

  @Test("a start at the solution stays there")
  func warmStart() throws {
    let program = try program(.nearReLU, .squared, seed: 6)
    let first = try solve(program, Double.self, tolerance: 1e-9)
    var solver = try PolynomialSolver<Double>(program, tolerance: 1e-8, start: first.point)
    let again = drive(&solver, on: program, limits: Limits(tolerance: 1e-8), phase: "test")
    #expect(again.status == .solved && 3 * again.iterations < first.iterations)
  }

  @Test(
    "fewer samples than features: the same optimum in the row space, proven in all of the space",
    arguments: [.quadratic, try Polynomial(a: -0.7, b: 0.2, c: 1)], [1, 2])
  func rowSpace(activation: Polynomial, outputs: Int) throws {
    var x: Matrix<Double> = Philox(seed: 4, stream: 1).normalMatrix(4, 4)
    var y: Matrix<Double> = Philox(seed: 4, stream: 2).normalMatrix(4, outputs)
    // Near constants, for which a neuron that looks away from the samples is best where σ falls to both sides of 0.
    x.scale(by: 1.5)
    for i in 0..<y.count { y.storage[i] = 1 + 0.1 * y.storage[i] }
    let loss = try LossKind.squared.makeLoss(targets: y)
    // The same samples among more features, turned: of neurons of norm one they see the same, as soon as there is one direction
    // that they do not see.
    func program(_ d: Int, _ λ: Double) throws -> PolynomialProgram {
      var wide = Matrix<Double>(4, d)
      for k in 0..<4 { for j in 0..<4 { wide[k, j] = x[k, j] } }
      let turn = try QR(Philox(seed: 5).normalMatrix(d, d) as Matrix<Double>).q
      return try PolynomialProgram(
        x: matrixProduct(wide, turn), loss: loss, kind: .squared, λ: λ, activation: activation)
    }
    let λ = try 0.1 * program(5, 1).largestλ()
    let wide = try program(40, λ)
    let found = wide.findingRowSpace()
    #expect(abs(wide.largestλ() - 10 * λ) <= 1e-9 * λ && abs(found.largestλ() - 10 * λ) <= 1e-9 * λ)
    let narrow = try solve(program(5, λ), Double.self, tolerance: 1e-9)
    let solution = try solve(found, Double.self, tolerance: 1e-9)
    try check(found, solution, tolerance: 1e-9, "in the row space")
    #expect(abs(solution.certificate.primal - narrow.certificate.primal) <= 1e-8)
    let bare = try solve(program(4, λ), Double.self, tolerance: 1e-9).certificate
    #expect(activation == .quadratic || bare.primal > 1.01 * narrow.certificate.primal)
    #expect(solution.point.neurons.vectors.columns == 40)
    let plain = wide.certificate(at: solution.point)
    #expect(
      abs(plain.dual - solution.certificate.dual) <= 1e-10 && plain.primal == solution.certificate.primal)
    try check(found, solve(found, Float.self, tolerance: 1e-3), tolerance: 1e-3, "Float")
    var solver = try PolynomialSolver<Double>(found, tolerance: 1e-8, start: solution.point)
    #expect(drive(&solver, on: found, limits: Limits(tolerance: 1e-8), phase: "test").iterations <= 20)
    #expect(PolynomialSolver<Double>.bytes(wide) > 12 * 8 * 40 * 40)
  }

  @Test("d at the limit: a hundred features, the gap of 1e-7")
  func hundredFeatures() throws {
    let x: Matrix<Double> = Philox(seed: 8, stream: 1).normalMatrix(300, 100)
    let y = Matrix(column: (0..<300).map { max(x[$0, 0] + x[$0, 1], 0) - max(x[$0, 2], 0) })
    let loss = try LossKind.squared.makeLoss(targets: y)
    func program(_ λ: Double) throws -> PolynomialProgram {
      try PolynomialProgram(x: x, loss: loss, kind: .squared, λ: λ, activation: .nearReLU)
    }
    let program = try program(0.3 * program(1).largestλ())
    let solution = try solve(program, Double.self, tolerance: 1e-7)
    #expect(solution.status == .solved && solution.iterations < 300)
  }

  @Test func argumentsThatAreWrong() throws {
    for (a, b, c) in [(0.0, 0.0, 0.0), (.nan, 1, 1), (1, .infinity, 0), (1e7, 0, 0)] {
      #expect(throws: PolynomialError.self) { try Polynomial(a: a, b: b, c: c) }
    }
    let loss = try LossKind.squared.makeLoss(targets: Matrix<Double>(3, 1))
    for (x, λ) in [(Matrix<Double>(3, 2), 0.0), (Matrix(3, 2), Double.nan), (Matrix(4, 2), 1.0)] {
      #expect(throws: ProgramError.self) {
        try PolynomialProgram(x: x, loss: loss, kind: .squared, λ: λ, activation: .quadratic)
      }
    }
  }
}
