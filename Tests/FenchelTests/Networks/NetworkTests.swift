import Fenchel
import LinearAlgebra
import Testing

/// Numbers that look random and are the same everywhere.
private func sample(_ rows: Int, _ columns: Int, seed: Int) -> Matrix<Double> {
  var state = UInt64(truncatingIfNeeded: seed &* 2_654_435_761 &+ 1)
  var result = Matrix<Double>(rows, columns)
  for i in 0..<result.count {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    result.storage[i] = Double(Int64(bitPattern: state) >> 32) / Double(1 << 31)
  }
  return result
}

@Suite struct NetworkTests {
  @Test(arguments: [(1, 1, 1, 1), (7, 3, 5, 2), (2500, 4, 11, 3)])
  func twoLayersAgreeWithPlainLoops(n: Int, d: Int, m: Int, c: Int) throws {
    let x = sample(n, d, seed: 1)
    let (w1, w2) = (sample(d, m, seed: 2), sample(m, c, seed: 3))
    let (b1, b2) = (sample(m, 1, seed: 4).storage, sample(c, 1, seed: 5).storage)
    let network = try Network(
      hidden: Dense(weights: w1, bias: b1), output: Dense(weights: w2, bias: b2))
    let predicted = network.predict(x)
    #expect(network.neurons == m)
    #expect(network.parameters == d * m + m + m * c + c)
    for k in 0..<n {
      for j in 0..<c {
        var expected = b2[j]
        for i in 0..<m {
          var z = b1[i]
          for l in 0..<d { z += x[k, l] * w1[l, i] }
          if z > 0 { expected += z * w2[i, j] }
        }
        #expect(abs(predicted[k, j] - expected) < 1e-12)
      }
    }
  }

  @Test(arguments: [false, true])
  func gatedAgreesWithPlainLoops(hasBias: Bool) throws {
    let (n, d, p, c) = (300, 4, 6, 3)
    let width = d + (hasBias ? 1 : 0)
    let x = sample(n, d, seed: 6)
    let gates = sample(p, width, seed: 7)
    var weights = sample(p * c, width, seed: 8)
    for j in 0..<width { weights[4, j] = 0 }
    let gated = try Gated(gates: gates, weights: weights, hasBias: hasBias)
    let network = try Network(layers: [.gated(gated)])
    #expect(network.inputs == d && network.outputs == c)
    #expect(network.neurons == p * c - 1)
    let predicted = network.predict(x)
    for k in 0..<n {
      let row = x.row(k) + (hasBias ? [1] : [])
      func dot(_ v: [Double]) -> Double { zip(row, v).reduce(0) { $0 + $1.0 * $1.1 } }
      for j in 0..<c {
        var expected = 0.0
        for i in 0..<p where dot(gates.row(i)) > 0 { expected += dot(weights.row(i * c + j)) }
        #expect(abs(predicted[k, j] - expected) < 1e-12)
      }
    }
  }

  @Test func sameBitsForAnyNumberOfThreads() throws {
    let x = sample(5000, 9, seed: 9)
    let network = try Network(
      hidden: Dense(weights: sample(9, 40, seed: 10)), output: Dense(weights: sample(40, 2, seed: 11)))
    let before = Parallel.threads
    defer { Parallel.threads = before }
    Parallel.threads = 1
    let one = network.predict(x)
    for threads in 2...3 {
      Parallel.threads = threads
      #expect(network.predict(x) == one)
    }
  }

  @Test func noRowsGiveNoRows() throws {
    let network = try Network(layers: [.dense(Dense(weights: sample(3, 2, seed: 1)))])
    #expect(network.predict(Matrix(0, 3)) == Matrix(0, 2))
  }

  @Test func wrongShapesAreErrors() throws {
    #expect(throws: NetworkError.empty) { try Network(layers: []) }
    #expect(throws: NetworkError.self) { try Network(layers: [.relu]) }
    #expect(throws: NetworkError.self) { try Dense(weights: Matrix(0, 3)) }
    #expect(throws: NetworkError.self) { try Dense(weights: Matrix(2, 3), bias: [1, 2]) }
    #expect(throws: NetworkError.self) {
      try Network(hidden: Dense(weights: Matrix(2, 3)), output: Dense(weights: Matrix(4, 1)))
    }
    #expect(throws: NetworkError.self) {
      try Gated(gates: Matrix(2, 3), weights: Matrix(3, 3), hasBias: false)
    }
    #expect(throws: NetworkError.self) {
      try Gated(gates: Matrix(2, 3), weights: Matrix(4, 2), hasBias: false)
    }
    #expect(throws: NetworkError.self) {
      try Gated(gates: Matrix(2, 1), weights: Matrix(2, 1), hasBias: true)
    }
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity])
  func weightsMustBeFinite(value: Double) throws {
    let dense = try Dense(weights: Matrix(2, 2, fill: 1), bias: [0, value])
    #expect(throws: NetworkError.notFinite(0, "bias")) { try Network(layers: [.dense(dense)]) }
  }
}
