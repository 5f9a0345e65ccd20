import ConvexOptimization
import Fenchel
import FoundationEssentials
import LinearAlgebra
import Testing

/// The blocks of lifted models against optima found in closed form or by active sets (`Oracle/lifted_*.json`, where
/// columns are samples and the squared loss has no ½).
@Suite struct BlockOracleTests {
  private struct Output: Decodable {
    var lam: Double?
    var lam_next: Double?
    var lam_prev: Double?
    var W: [[Double]]
    var b: [Double]
    var U: [[Double]]
    var labels: [Int]?
    var Y: [[Double]]?
    var X_next: [[Double]]?
    var Z: [[Double]]
    var objective: Double
  }

  private struct Weight: Decodable {
    var lam: Double?
    var gamma: Double
    var rho: Double?
    var X: [[Double]]
    var X_next: [[Double]]?
    var labels: [Int]?
    var W0: [[Double]]
    var W: [[Double]]
    var objective: Double
  }

  private struct File<Case: Decodable>: Decodable { var cases: [Case] }

  private func cases<Case: Decodable>(_ name: String, _: Case.Type) throws -> [Case] {
    try JSONDecoder().decode(File<Case>.self, from: OracleTests.Oracle.data(name)).cases
  }

  @Test(arguments: ["lifted_xL_ce_relu", "lifted_xL_mse_nnls", "lifted_xl_fenchel_relu", "lifted_jcr_x"])
  func outputs(name: String) throws {
    for oracle in try cases(name, Output.self) {
      let (weights, u) = (Matrix(rows: oracle.W + []).transposed, Matrix(rows: oracle.U).transposed)
      let augmented = Matrix(weights.rows + 1, weights.columns, storage: weights.storage + oracle.b)
      let isLifted = name == "lifted_jcr_x"
      let penalty: any LayerPenalty<Double> =
        isLifted ? try SquaredDistancePenalty(.relu) : try FenchelPenalty(.relu)
      let λ = try #require(oracle.lam_prev ?? oracle.lam)
      let block = OutputBlock(
        fit: try fit(oracle, penalty, outputs: weights.columns), weights: augmented, hasBias: true,
        penalty: penalty, weight: λ, toward: u)
      let start = Activation.relu.apply(to: u)
      let solution = try block.solve(from: start, tolerance: 1e-13, maximumSteps: 20_000)
      // λB and (λ/2)‖Z − U‖² differ by a constant, where the oracle's formula has the latter.
      let constant =
        oracle.lam == nil ? 0 : λ / 2 * u.storage.reduce(0) { $0 + min($1, 0) * min($1, 0) }
      #expect(abs(block.value(solution) + constant - oracle.objective) <= 1e-9 * max(1, oracle.objective))
      #expect(largestDifference(solution, Matrix(rows: oracle.Z).transposed) < 2e-6, "\(name)")
    }
  }

  private func fit(
    _ oracle: Output, _ penalty: any LayerPenalty<Double>, outputs: Int
  ) throws -> LayerFit<Double> {
    if let next = oracle.X_next {
      return .outputs(Matrix(rows: next).transposed, penalty, weight: try #require(oracle.lam_next))
    }
    if let y = oracle.Y {
      let targets = Matrix(rows: y).transposed
      return .loss(
        try SquaredLoss(targets: targets, weights: [Double](repeating: 2, count: targets.rows)))
    }
    return .loss(try SoftmaxLoss(targets: oneHot(try #require(oracle.labels), outputs)))
  }

  @Test(arguments: ["lifted_wL_ce_prox", "lifted_wl_fenchel_prox"])
  func weights(name: String) throws {
    for oracle in try cases(name, Weight.self) {
      let (x, start) = (Matrix(rows: oracle.X).transposed, Matrix(rows: oracle.W0).transposed)
      let fit: LayerFit<Double> =
        if let next = oracle.X_next {
          .outputs(
            Matrix(rows: next).transposed, try FenchelPenalty(.relu), weight: try #require(oracle.lam))
        } else {
          .loss(try SoftmaxLoss(targets: oneHot(try #require(oracle.labels), start.columns)))
        }
      let block = WeightBlock(
        fit: fit, inputs: x, hasBias: false, ridge: oracle.rho ?? 0, proximity: oracle.gamma, center: start)
      let solution = try block.minimise(from: start, tolerance: 1e-13, maximumSteps: 50_000)
      #expect(abs(block.value(solution) - oracle.objective) <= 1e-9 * max(1, oracle.objective))
      #expect(largestDifference(solution, Matrix(rows: oracle.W).transposed) < 2e-6, "\(name)")
    }
  }
}

func oneHot<T: Scalar>(_ labels: [Int], _ classes: Int) -> Matrix<T> {
  var y = Matrix<T>(labels.count, classes)
  for (k, label) in labels.enumerated() { y[k, label] = 1 }
  return y
}

func largestDifference<T: Scalar>(_ a: Matrix<T>, _ b: Matrix<T>) -> T {
  zip(a.storage, b.storage).reduce(0) { max($0, abs($1.0 - $1.1)) }
}
