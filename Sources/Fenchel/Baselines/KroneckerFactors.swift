import ConvexOptimization
import LinearAlgebra

/// The curvature of one layer as a Kronecker product, ∇²h ≈ A ⊗ G with running means of A = x̄x̄ᵀ over its inputs and of
/// G = ggᵀ over derivatives with respect to its outputs (Martens & Grosse 2015, sections 3 and 5).
struct KroneckerFactors<Element: Scalar>: Resumable {
  /// A, lower triangle: the inputs with the constant of the bias last.
  private var inputs: Matrix<Element>
  /// G, lower triangle.
  private var outputs: Matrix<Element>
  private var inverses: (inputs: Cholesky<Element>, outputs: Cholesky<Element>)?
  private var updates = 0

  init(for weights: Matrix<Element>) {
    inputs = Matrix(weights.rows, weights.rows)
    outputs = Matrix(weights.columns, weights.columns)
  }

  /// Mixes the means over a batch in, with the share max(1/k, 0.05) at update k. X holds the inputs with rows times
  /// √s, `constants` the √s themselves where there is a bias; D the derivatives, n × outputs.
  mutating func update(x: Matrix<Element>, constants: [Element]?, d: Matrix<Element>, mass: Double) {
    updates += 1
    let share = Element(max(1 / Double(updates), 0.05))
    let scale = share / Element(mass)
    inputs.scale(by: 1 - share)
    outputs.scale(by: 1 - share)
    addGram(of: x, scale, to: &inputs)
    addGram(of: d, scale, to: &outputs)
    guard let constants else { return }
    let (n, width) = (x.rows, x.columns)
    withPointers(x, Matrix(column: constants), &inputs.storage) { x, constants, a in
      let row = a + width * (width + 1)
      Element.gemv(.yes, m: n, n: width, alpha: scale, a: x, lda: width, x: constants, beta: 1, y: row)
      row[width] += scale * Element.dot(n, constants, constants)
    }
  }

  /// C's leading block ← C + α AᵀA, lower triangle.
  private func addGram(of a: Matrix<Element>, _ α: Element, to c: inout Matrix<Element>) {
    let (n, k, leading) = (a.columns, a.rows, c.columns)
    withPointers(a, a, &c.storage) { a, _, c in
      Parallel.syrk(.yes, n: n, k: k, alpha: α, a: a, lda: n, beta: 1, c: c, ldc: leading)
    }
  }

  /// Factorises A + πγI and G + γ/π I, with π² the ratio of their mean eigenvalues; returns false where a pivot is
  /// not positive. Cost a third of the cubes of their orders.
  mutating func factorise(damping γ: Double) -> Bool {
    let means = (inputs.meanDiagonal, outputs.meanDiagonal)
    let π = means.0 > 0 && means.1 > 0 ? (means.0 / means.1).squareRoot() : 1
    guard let left = try? Cholesky(inputs.addingToDiagonal(π * γ)),
      let right = try? Cholesky(outputs.addingToDiagonal(γ / π))
    else { return false }
    inverses = (left, right)
    return true
  }

  mutating func transfer(_ state: inout StateTransfer) throws {
    try state.carry("inputs", &inputs)
    try state.carry("outputs", &outputs)
    try state.carry("updates", &updates)
    var factors = inverses.map { [$0.inputs.packedFactor, $0.outputs.packedFactor] }
    try state.carry("inverses", optional: &factors, blank: [inputs, outputs]) { try $0.carry("factor", &$1) }
    guard state.isRestoring else { return }
    do {
      inverses = try factors.map { try (Cholesky(packedFactor: $0[0]), Cholesky(packedFactor: $0[1])) }
    } catch let error as FactorisationError { throw StateError("a factor of K-FAC: \(error)") }
  }

  /// (A + πγI)⁻¹ V (G + γ/π I)⁻¹.
  func precondition(_ v: Matrix<Element>) -> Matrix<Element> {
    guard let inverses else { return v }
    var sides = inverses.inputs.solve(v).transposed
    inverses.outputs.solve(inPlace: &sides)
    return sides.transposed
  }
}

extension Matrix {
  /// tr A/n of a square matrix.
  fileprivate var meanDiagonal: Double {
    (0..<rows).reduce(0.0) { $0 + Double(self[$1, $1]) } / Double(max(rows, 1))
  }

  /// A + σI.
  fileprivate func addingToDiagonal(_ σ: Double) -> Matrix {
    var result = self
    for i in 0..<rows { result[i, i] += Element(σ) }
    return result
  }
}
