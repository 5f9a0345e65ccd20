import LinearAlgebra

/// Ridge regression toward a known point, the step that methods without back-propagation are made of:
///
///     min_W ½‖X W − T‖² + (ε/2)‖W − C‖²,   W = C + (XᵀX + εI)⁻¹Xᵀ(T − X C)
///
/// for X: n × d and T of any width. With C = 0 and ε → 0 it is the pseudo-inverse X⁺T. The smaller of XᵀX and XXᵀ is
/// factorised.
package struct RidgeRegression<Element: Scalar>: Sendable {
  private let inputs: Matrix<Element>
  private let factor: Cholesky<Element>
  /// Whether the factor is of XXᵀ + εI.
  private let isWide: Bool

  /// Adds to ε what rounding may take from a singular Gram matrix, so that a pseudo-inverse needs no ε of its own.
  ///
  /// - Parameter gram: XᵀX where it is known.
  /// - Throws: `FactorisationError` where an entry of X is not finite.
  package init(_ x: Matrix<Element>, shift ε: Element, gram: Matrix<Element>? = nil) throws {
    inputs = x
    isWide = gram == nil && x.rows < x.columns
    factor = try factorised(gram ?? gramMatrix(x, isWide ? .no : .yes), shift: ε)
  }

  /// (XᵀX + εI)⁻¹Xᵀ R, the way from C for the residuals R = T − X C. Cost 2nd for every column of R and a solve.
  package func step(_ residual: Matrix<Element>) -> Matrix<Element> {
    guard isWide else { return factor.solve(matrixProduct(inputs, .yes, residual)) }
    return matrixProduct(inputs, .yes, factor.solve(residual))
  }

  /// (XᵀX + εI)⁻¹Xᵀ: d × n.
  var gain: Matrix<Element> {
    isWide ? matrixProduct(inputs, .yes, factor.inverse) : factor.solve(inputs.transposed)
  }
}

/// The factor of a Gram matrix plus εI. Where rounding leaves a pivot that is not positive, ε grows tenfold from the
/// rounding of the trace on, five times at most.
func factorised<Element: Scalar>(
  _ gram: Matrix<Element>, shift ε: Element
) throws(FactorisationError) -> Cholesky<Element> {
  let trace = (0..<gram.rows).reduce(Element(0)) { $0 + gram[$1, $1] }
  var added = max(Element.ulpOfOne * trace, Element.leastNormalMagnitude)
  while true {
    var shifted = gram
    for i in 0..<gram.rows { shifted[i, i] += ε + added }
    do {
      return try Cholesky(shifted)
    } catch {
      guard added < Element.ulpOfOne * trace * 1e4 else { throw error }
      added *= 10
    }
  }
}

/// The outputs A: n × p of a layer between what they are and what the next layer needs:
///
///     argmin_A ½‖A W + 1 bᵀ − T‖² + (ε/2)‖A − H‖² = H + (T − H W − 1 bᵀ)(WᵀW + εI)⁻¹Wᵀ
///
/// for augmented weights W. Two products of 2npq and a factor of the smaller of p and q.
package func ridgeOutputs<Element: Scalar>(
  fitting t: Matrix<Element>, through w: Matrix<Element>, hasBias: Bool, near h: Matrix<Element>,
  shift ε: Element
) throws -> Matrix<Element> {
  let gain = try RidgeRegression(w.firstRows(h.columns).transposed, shift: ε).gain
  var residual = Matrix<Element>(h.rows, w.columns)
  affine(h, w, hasBias: hasBias, into: &residual)
  residual.scale(by: -1)
  residual.add(1, t)
  var result = h
  addProduct(residual, .no, gain, .yes, to: &result)
  return result
}
