import ConvexOptimization
import LinearAlgebra

/// The block of a layer's weights in a lifted model:
///
///     min_W f(X̃ W) + ρ‖W‖² + γ‖W̃ − W̃₀‖²,   X̃ = (X, 1), W̃ = (W; bᵀ)
///
/// with the fit f of the layer's outputs. The bias is free of ρ and held by γ like the weights (Gu, Askari & El Ghaoui
/// 2019, eqs. 13 and 19). Its majorant is f's curvature bound times X̃ᵀX̃: exact for squared losses and penalties, so
/// that one step solves these ridge regressions.
package struct WeightBlock<Element: Scalar>: MajorisedProblem {
  package let fit: LayerFit<Element>
  /// X̃: n × (d + 1), or n × d without bias; of a convolution its patches.
  let inputs: LayerInputs<Element>
  let hasBias: Bool
  let ρ: Element
  let γ: Element
  /// W̃₀, read where γ > 0.
  let center: Matrix<Element>
  /// X̃ᵀX̃ where it is known already.
  let gram: Matrix<Element>?

  package init(
    fit: LayerFit<Element>, inputs: LayerInputs<Element>, hasBias: Bool, ridge ρ: Element,
    proximity γ: Element = 0, center: Matrix<Element>, gram: Matrix<Element>? = nil
  ) {
    (self.fit, self.inputs, self.hasBias) = (fit, inputs, hasBias)
    (self.ρ, self.γ, self.center, self.gram) = (ρ, γ, center, gram)
  }

  /// The block of a dense layer with its inputs as a matrix.
  package init(
    fit: LayerFit<Element>, inputs: Matrix<Element>, hasBias: Bool, ridge ρ: Element,
    proximity γ: Element = 0, center: Matrix<Element>
  ) {
    self.init(
      fit: fit, inputs: .matrix(inputs), hasBias: hasBias, ridge: ρ, proximity: γ, center: center)
  }

  /// L X̃ᵀSX̃ + 2ρI + 2γI, ρ not on the bias, with a trifle on its diagonal against rounding. Cost n(d + 1)² where the
  /// Gram matrix is not known, and d³/3.
  package func majorant() throws -> Cholesky<Element> {
    guard let s = fit.sampleWeights else { return try majorant(gram: gram ?? inputs.gram) }
    let largest = s.max() ?? 1
    return try majorant(gram: inputs.gram(weightedBy: s.map { $0 / largest }))
  }

  /// The same with another matrix for X̃ᵀSX̃.
  func majorant(gram: Matrix<Element>) throws -> Cholesky<Element> {
    var m = gram
    m.scale(by: fit.smoothness)
    let d = m.rows
    let largest = (0..<d).reduce(Element(0)) { max($0, m[$1, $1]) }
    for i in 0..<d {
      let ridge = hasBias && i == d - 1 ? 0 : ρ
      m[i, i] += 2 * (ridge + γ) + 8 * Element.ulpOfOne * largest
    }
    return try Cholesky(m)
  }

  package func image(of w: Matrix<Element>) -> Matrix<Element> { inputs.product(w) }

  package func pullBack(_ gradient: Matrix<Element>) -> Matrix<Element> { inputs.pullBack(gradient) }

  package func remainder(_ w: Matrix<Element>) -> Element {
    var value = ρ * squaredWeights(w, hasBias: hasBias)
    if γ > 0 {
      var step = w
      step.add(-1, center)
      value += γ * step.inner(step)
    }
    return value
  }

  /// Y − M⁻¹(G + 2ρY + 2γ(Y − W₀)).
  package func minimiser(
    of metric: Cholesky<Element>, at y: Matrix<Element>, slope: Matrix<Element>
  ) -> Matrix<Element> {
    var step = slope
    addRidgeGradient(at: y, to: &step)
    metric.solve(inPlace: &step)
    var next = y
    next.add(-1, step)
    return next
  }

  /// G ← G + 2ρW + 2γ(W − W₀), ρ not on the bias; without the term of W₀ where asked.
  func addRidgeGradient(at w: Matrix<Element>, hasCenter: Bool = true, to g: inout Matrix<Element>) {
    g.add(2 * (ρ + γ), w)
    if γ > 0, hasCenter { g.add(-2 * γ, center) }
    guard hasBias else { return }
    let last = (w.rows - 1) * w.columns
    for j in 0..<w.columns { g.storage[last + j] -= 2 * ρ * w.storage[last + j] }
  }
}

/// ‖W‖² without the row of the bias.
func squaredWeights<Element: Scalar>(_ w: Matrix<Element>, hasBias: Bool) -> Element {
  let count = w.count - (hasBias ? w.columns : 0)
  return w.withPointer { Element.dot(count, $0, $0) }
}

extension Matrix {
  /// (X, 1): a last column of ones; X itself where there is no bias. Cost: the entries, copied.
  func augmented(hasBias: Bool) -> Matrix {
    guard hasBias else { return self }
    let (n, d) = (rows, columns)
    var result = Matrix(n, d + 1, fill: 1)
    withPointer { x in
      result.withMutablePointer { target in
        for k in 0..<n { (target + k * (d + 1)).update(from: x + k * d, count: d) }
      }
    }
    return result
  }
}
