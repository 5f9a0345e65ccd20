import LinearAlgebra

/// How the augmented weights W̃ = (W; bᵀ) of a layer act on what the layer before gives: U = A(X) W̃ with A linear in X, but for
/// its column of ones. Methods that train layer by layer know layers by this alone.
public enum LayerMap: Sendable, Equatable {
  /// U = X W + 1 bᵀ.
  case dense
  /// U = Pool(X) W + 1 bᵀ.
  case averages(AveragePooling)
  /// U = W ∗ Pool(X) + b, images in and out.
  case convolution(Convolution)

  /// Rows of W, nil for as many as there are inputs.
  var weightRows: Int? {
    switch self {
    case .dense: nil
    case .averages(let pooling): pooling.output.count
    case .convolution(let convolution): convolution.patchLength
    }
  }

  /// d_l for the d_l of a dense layer.
  func inputs(_ rows: Int) -> Int {
    switch self {
    case .dense: rows
    case .averages(let pooling): pooling.input.count
    case .convolution(let convolution): convolution.input.count
    }
  }

  /// d_{l+1} for columns of W.
  func outputs(_ columns: Int) -> Int {
    guard case .convolution(let convolution) = self else { return columns }
    return convolution.output.count
  }

  /// Entries of a row of U that share a column of W.
  var positions: Int {
    guard case .convolution(let convolution) = self else { return 1 }
    return convolution.positions
  }

  /// U ← A(X) W̃, or U ← U + A(X) W̃ without the column of ones.
  func apply<Element: Scalar>(
    _ x: Matrix<Element>, _ w: Matrix<Element>, hasBias: Bool, adding: Bool = false,
    into u: inout Matrix<Element>
  ) {
    switch self {
    case .dense where adding: addDenseProduct(x, w, to: &u)
    case .dense: affine(x, w, hasBias: hasBias, into: &u)
    case .averages(let pooling):
      LayerMap.dense.apply(pooling.averages(x), w, hasBias: hasBias, adding: adding, into: &u)
    case .convolution(let convolution):
      convolution.apply(x, w, hasBias: hasBias && !adding, adding: adding, into: &u)
    }
  }

  /// X ← α A*(Δ Wᵀ), or that added to X: the adjoint in X.
  func pullBack<Element: Scalar>(
    _ delta: Matrix<Element>, _ w: Matrix<Element>, scaledBy α: Element = 1, adding: Bool = false,
    into x: inout Matrix<Element>
  ) {
    switch self {
    case .dense:
      let (n, p, width) = (delta.rows, delta.columns, x.columns)
      withPointers(delta, w, &x.storage) { delta, w, x in
        Parallel.gemm(
          .no, .yes, m: n, n: width, k: p, alpha: α, a: delta, lda: p, b: w, ldb: p, beta: adding ? 1 : 0,
          c: x, ldc: width)
      }
    case .averages(let pooling):
      var y = Matrix<Element>(delta.rows, pooling.output.count)
      LayerMap.dense.pullBack(delta, w, into: &y)
      if !adding { x = Matrix(x.rows, x.columns) }
      pooling.spread(y, scaledBy: α, to: &x)
    case .convolution(let convolution):
      convolution.pullBack(delta, w, scaledBy: α, adding: adding, into: &x)
    }
  }

  /// G ← α A(X)ᵀΔ: the slope in W̃ for the slope Δ in U.
  func collectGradient<Element: Scalar>(
    _ x: Matrix<Element>, _ delta: Matrix<Element>, hasBias: Bool, scale α: Element = 1,
    into g: inout Matrix<Element>
  ) {
    switch self {
    case .dense: Fenchel.collectGradient(x, delta, hasBias: hasBias, scale: α, into: &g)
    case .averages(let pooling):
      Fenchel.collectGradient(pooling.averages(x), delta, hasBias: hasBias, scale: α, into: &g)
    case .convolution(let convolution):
      convolution.collectGradient(x, delta, hasBias: hasBias, scaledBy: α, into: &g)
    }
  }

  /// T ← T + D W without the bias.
  private func addDenseProduct<Element: Scalar>(
    _ d: Matrix<Element>, _ w: Matrix<Element>, to t: inout Matrix<Element>
  ) {
    let (n, k, p) = (d.rows, d.columns, w.columns)
    withPointers(d, w, &t.storage) { d, w, t in
      Parallel.gemm(.no, .no, m: n, n: p, k: k, alpha: 1, a: d, lda: k, b: w, ldb: p, beta: 1, c: t, ldc: p)
    }
  }
}
