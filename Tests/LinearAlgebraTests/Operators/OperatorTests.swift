import FenchelTestSupport
import LinearAlgebra
import Testing

struct OperatorTests {
  @Test func conformances() {
    checkLinearOperator(DenseOperator(Philox(seed: 1).normalMatrix(9, 5, of: Double.self)))
    checkLinearOperator(DenseOperator(Philox(seed: 1).normalMatrix(9, 5, of: Float.self)), tolerance: 1e-5)
    checkLinearOperator(DiagonalOperator([1.0, -2, 0, 4]))
    checkLinearOperator(IdentityOperator<Double>(6))
  }

  @Test(
    "Conjugate gradients solve, in at most as many steps as there are eigenvalues", arguments: [1, 10, 60])
  func solves(n: Int) {
    let a: Matrix<Double> = randomPositiveDefinite(n, seed: 2)
    let x: Matrix<Double> = Philox(seed: 3).normalMatrix(n, 3)
    let result = ConjugateGradient(tolerance: 1e-12).solve(DenseOperator(a), matrixProduct(a, x))
    #expect(result.status == .converged)
    #expect(distance(result.solution, x) < 1e-9)
    let three = DiagonalOperator((0..<n).map { [1.0, 5, 100][$0 % 3] })
    let budget = ConjugateGradient(tolerance: 1e-10).solve(three, Matrix(column: x.column(0)))
    #expect(budget.status == .converged && budget.iterations <= 3)
  }

  @Test("Jacobi's preconditioner undoes a bad scaling")
  func preconditioner() {
    let n = 50
    var a: Matrix<Double> = randomPositiveDefinite(n, seed: 4)
    let scales = (0..<n).map { [1e-3, 1e-2, 0.1, 1, 10, 100, 1000][$0 % 7] }
    for i in 0..<n { for j in 0..<n { a[i, j] *= scales[i] * scales[j] } }
    let b = matrixProduct(a, Matrix<Double>(n, 1, fill: 1))
    let jacobi = DiagonalOperator((0..<n).map { 1 / a[$0, $0] })
    let method = ConjugateGradient(tolerance: 1e-9, maximumIterations: 60)
    #expect(method.solve(DenseOperator(a), b, preconditioner: jacobi).status == .converged)
    #expect(method.solve(DenseOperator(a), b).status == .iterationLimit)
  }

  @Test("Statuses: limit, indefinite, not finite, zero right-hand side, a start that is the solution")
  func statuses() {
    let a: Matrix<Double> = randomPositiveDefinite(40, seed: 5)
    let b: Matrix<Double> = Philox(seed: 6).normalMatrix(40, 1)
    let limited = ConjugateGradient(tolerance: 1e-14, maximumIterations: 2).solve(DenseOperator(a), b)
    #expect(limited.status == .iterationLimit && limited.iterations == 2 && limited.relativeResidual < 1)
    let indefinite = DiagonalOperator((0..<40).map { $0 % 2 == 0 ? 1.0 : -3 })
    #expect(ConjugateGradient().solve(indefinite, b).status == .indefinite)
    #expect(
      ConjugateGradient().solve(DiagonalOperator([1.0, .nan]), Matrix(2, 1, fill: 1)).status == .notFinite)
    #expect(
      ConjugateGradient().solve(DiagonalOperator([1.0, 1]), Matrix(2, 1, fill: .nan)).status == .notFinite)
    let zero = ConjugateGradient().solve(DenseOperator(a), Matrix(40, 1))
    #expect(zero.status == .converged && zero.iterations == 0 && zero.relativeResidual == 0)
    let x = ConjugateGradient(tolerance: 1e-13).solve(DenseOperator(a), b).solution
    let again = ConjugateGradient(tolerance: 1e-10).solve(DenseOperator(a), b, start: x)
    #expect(again.status == .converged && again.iterations == 0)
    #expect(ConjugateGradient().solve(IdentityOperator<Float>(0), Matrix(0, 1)).status == .converged)
  }
}
