import LinearAlgebra

/// The inputs of a layer as its weights meet them: A(X), which is linear in W̃. Of dense layers it is the matrix X̃ = (X, 1), of
/// averages their own; convolutions make their patches when they are asked for a product.
package enum LayerInputs<Element: Scalar>: Sendable {
  case matrix(Matrix<Element>)
  case images(Matrix<Element>, Convolution, hasBias: Bool)

  package init(_ x: Matrix<Element>, through map: LayerMap, hasBias: Bool) {
    switch map {
    case .dense: self = .matrix(x.augmented(hasBias: hasBias))
    case .averages(let pooling): self = .matrix(pooling.averages(x).augmented(hasBias: hasBias))
    case .convolution(let convolution): self = .images(x, convolution, hasBias: hasBias)
    }
  }

  /// n.
  var samples: Int {
    switch self {
    case .matrix(let x), .images(let x, _, _): x.rows
    }
  }

  /// The matrix, where it is one.
  var matrix: Matrix<Element>? {
    guard case .matrix(let x) = self else { return nil }
    return x
  }

  /// A(X) W̃.
  func product(_ w: Matrix<Element>) -> Matrix<Element> {
    switch self {
    case .matrix(let x): return matrixProduct(x, w)
    case .images(let x, let convolution, let hasBias):
      var u = Matrix<Element>(x.rows, convolution.output.count)
      convolution.apply(x, w, hasBias: hasBias, into: &u)
      return u
    }
  }

  /// A(X)ᵀ Δ.
  func pullBack(_ delta: Matrix<Element>) -> Matrix<Element> {
    switch self {
    case .matrix(let x): return matrixProduct(x, .yes, delta)
    case .images(let x, let convolution, let hasBias):
      var g = Matrix<Element>(convolution.patchLength + (hasBias ? 1 : 0), convolution.filters)
      convolution.collectGradient(x, delta, hasBias: hasBias, into: &g)
      return g
    }
  }

  /// A(X)ᵀ A(X).
  var gram: Matrix<Element> {
    switch self {
    case .matrix(let x): gramMatrix(x, .yes)
    case .images(let x, let convolution, let hasBias): convolution.gramMatrix(x, hasBias: hasBias)
    }
  }

  /// The same, for patches from an eighth of the images, which have enough of them.
  var gramEstimate: Matrix<Element> {
    guard case .images(let x, let convolution, let hasBias) = self else { return gram }
    let count = max(min(x.rows, 16), x.rows / 8)
    var gram = convolution.gramMatrix(x.firstRows(count), hasBias: hasBias)
    gram.scale(by: Element(x.rows) / Element(max(count, 1)))
    return gram
  }

  /// A(X)ᵀ S A(X) for weights of the samples that are at most 1, or a bound on it.
  func gram(weightedBy s: [Element]) -> Matrix<Element> {
    guard case .matrix(var x) = self else { return gram }
    x.scaleRows(by: s.map { $0.squareRoot() })
    return gramMatrix(x, .yes)
  }
}
