import ConvexOptimization
import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

/// Problems with known optima, each from a JSON file that states its formula, tolerance and how it was checked.
struct OracleTests {
  /// A file of `Oracle/`, by the fields that the two-layer programs use.
  struct Oracle: Decodable {
    var X: [[Double]]
    var G: [[Double]]?
    var y: [Double]?
    var Y: [[Double]]?
    var labels: [Int]?
    var lambda: Double
    var optimal_value: Double
    var patterns: [String]?
    var lambda_max: Double?

    init(_ name: String) throws {
      self = try JSONDecoder().decode(Oracle.self, from: Oracle.data(name))
    }

    static func data(_ name: String) throws -> Data {
      let folder = URL(filePath: #filePath).deletingLastPathComponent()
      return try Data(contentsOf: folder.appending(path: "Oracle/\(name).json"))
    }

    var x: Matrix<Double> { Matrix(rows: X) }

    func targets(_ kind: LossKind) -> Matrix<Double> {
      if let y { return Matrix(column: y) }
      if let Y { return Matrix(rows: Y) }
      let classes = (labels?.max() ?? 0) + 1
      return Matrix(rows: (labels ?? []).map { label in (0..<classes).map { $0 == label ? 1 : 0 } })
    }

    func program(_ kind: LossKind, isConstrained: Bool, λ: Double? = nil) throws -> TwoLayerProgram {
      let patterns =
        try G.map { try ActivationPatterns.given(Matrix(rows: $0).transposed, for: x) } ?? .enumerated(x)
      return try TwoLayerProgram(
        x: x, loss: kind.makeLoss(targets: targets(kind)), kind: kind, λ: λ ?? lambda, patterns: patterns,
        isConstrained: isConstrained)
    }
  }

  private func check(_ program: TwoLayerProgram, optimum: Double, tolerance: Double = 1e-6) throws {
    let outcome = try WorkingSetMethod(program, limits: Limits(tolerance: 1e-8)).solve()
    let certificate = outcome.solution.certificate
    let scale = max(1, abs(optimum))
    #expect(abs(certificate.primal - optimum) <= tolerance * scale)
    #expect(certificate.relativeGap <= 1e-7)
    #expect(certificate.dual <= optimum + 1e-7 * scale)
    #expect(certificate.dual <= certificate.primal + 1e-12 * scale)
    let network = try program.decode(outcome.solution.point, hasBias: false)
    let f = network.predict(program.x)
    let value = program.loss.value(at: f) + penalty(network, program.λ)
    #expect(abs(value - certificate.primal) <= 1e-9 * scale)
  }

  /// λ/2 times the squared weights of a ReLU network, or λ times the norms of gated vectors.
  private func penalty(_ network: Network, _ λ: Double) -> Double {
    network.layers.reduce(0) { sum, layer in
      switch layer {
      case .dense(let dense):
        sum + λ / 2 * (dense.weights.storage + dense.bias).reduce(0) { $0 + $1 * $1 }
      case .gated(let gated): sum + λ * gated.weights.rowNorms.reduce(0, +)
      case .activation, .gatedConvolution, .convolution, .averages, .pooling, .polynomial: sum
      }
    }
  }

  @Test(arguments: ["01a_relu2_d2_n8", "01b_relu2_d2_n14", "01c_relu2_d2_n20", "01d_relu2_slide_n3"])
  func exactReLU(name: String) throws {
    let oracle = try Oracle(name)
    let program = try oracle.program(.squared, isConstrained: true)
    #expect(program.patterns.isExact)
    #expect(program.patterns.count == oracle.patterns?.count)
    try check(program, optimum: oracle.optimal_value)
  }

  @Test func exactReLULogistic() throws {
    let oracle = try Oracle("01e_relu2_logistic_d2_n12")
    try check(oracle.program(.logistic, isConstrained: true), optimum: oracle.optimal_value)
  }

  @Test func sampledReLU() throws {
    let oracle = try Oracle("01f_relu2_sampled_n60_d6")
    try check(oracle.program(.squared, isConstrained: true), optimum: oracle.optimal_value)
  }

  @Test(arguments: [
    ("02a_gated_sq_scalar", LossKind.squared), ("02b_gated_sq_vector", .squared),
    ("02c_gated_logistic", .logistic), ("02d_gated_softmax3", .softmax), ("02e_gated_hinge", .hinge),
  ])
  func gated(name: String, kind: LossKind) throws {
    let oracle = try Oracle(name)
    try check(oracle.program(kind, isConstrained: false), optimum: oracle.optimal_value)
  }

  @Test func gatedPath() throws {
    struct Path: Decodable {
      struct Point: Decodable {
        var lambda: Double
        var optimal_value: Double
      }
      var lambda_max: Double
      var path: [Point]
    }
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
    let data = try Data(contentsOf: folder.appending(path: "Oracle/02f_gated_path.json"))
    let path = try JSONDecoder().decode(Path.self, from: data)
    let oracle = try Oracle("02a_gated_sq_scalar")
    for point in path.path {
      try check(
        oracle.program(.squared, isConstrained: false, λ: point.lambda), optimum: point.optimal_value)
    }
    let program = try oracle.program(.squared, isConstrained: false)
    let θ = Matrix(column: oracle.y ?? [])
    let largest = GroupPricing(program).prices(θ: θ, above: 0).map(\.norm).max() ?? 0
    #expect(abs(largest - path.lambda_max) <= 1e-9 * path.lambda_max)
  }
}
