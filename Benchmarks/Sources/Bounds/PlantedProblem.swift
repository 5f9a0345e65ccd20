import ConvexOptimization
import Fenchel
import LinearAlgebra

/// y = √n Σ_m ±(x·w_m)₊ + noise of five neurons, on columns of norm one.
struct PlantedProblem {
  let program: TwoLayerProgram

  init(samples n: Int, features d: Int) throws {
    var x: Matrix<Double> = Philox(seed: 1).normalMatrix(n, d)
    let norms = (0..<d).map { StrictArithmetic.norm(x.column($0)) }
    for i in 0..<n { for a in 0..<d { x[i, a] /= norms[a] } }
    let w: Matrix<Double> = Philox(seed: 2).normalMatrix(5, d)
    let noise: Matrix<Double> = Philox(seed: 3).normalMatrix(n, 1)
    let images = matrixProduct(x, .no, w, .yes)
    let y = (0..<n).map { i in
      (0..<5).reduce(0.1 * noise[i, 0]) { sum, m in
        sum + (m % 2 == 0 ? 1 : -1) * Double(n).squareRoot() * max(0, images[i, m])
      }
    }
    let gates: Matrix<Double> = Philox(seed: 4).normalMatrix(200, d)
    let bits = BitMatrix(signsOf: x, timesTransposed: gates)
    let loss = try LossKind.squared.makeLoss(targets: Matrix(column: y))
    let largest = GroupLassoProblem(
      map: GatedOperator(data: x, patterns: bits, outputs: 1), loss: loss, λ: 1
    ).largestλ()
    program = try TwoLayerProgram(
      x: x, loss: loss, kind: .squared, parameters: LossParameters(), λ: 0.02 * largest,
      patterns: .given(Matrix(1, d), for: x), isConstrained: true)
  }

  /// The bound beside the zero network's objective, and the seconds that it took.
  func bound() throws -> (share: Double, seconds: Double) {
    let zero = program.loss.value(at: Matrix(program.samples, 1))
    let nothing = TwoLayerPoint(
      groups: [], coefficients: Matrix(0, program.features), θ: Matrix(program.samples, 1))
    let solution = Solution(
      point: nothing, certificate: Certificate(primal: zero, dual: 0, scope: .restricted),
      status: .stalled, iterations: 0, seconds: 0)
    let bound = program.globalBound(near: solution, effort: .tight)
    return ((bound?.value ?? .nan) / zero, bound?.seconds ?? .nan)
  }
}
