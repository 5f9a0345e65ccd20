import ConvexOptimization
import LinearAlgebra

/// A block of a quadratic penalty on a whole layer, activation included: the layer's weights, or its inputs, as near to
/// outputs V as the activation lets them,
///
///     min_v ½‖V − φ(A v)‖² + (κ/2)‖v − c‖²,   A v = X̃ v (weights) or v W + 1 bᵀ (inputs)
///
/// by Gauss–Newton steps δ with (A*φ′²A + κI) δ = −∇ up to some conjugate gradients. The problem falls apart into units
/// (columns of weights) or samples (rows of inputs): each halves its own step until its own value falls, or stays where
/// it is. So no value rises.
struct MatchingBlock<Element: Scalar> {
  /// What v is.
  enum Side {
    /// X̃, and a factor of X̃ᵀX̃, the preconditioner.
    case weights(inputs: Matrix<Element>, metric: Cholesky<Element>)
    /// W̃ and whether its last row is a bias.
    case inputs(weights: Matrix<Element>, hasBias: Bool)
  }

  let side: Side
  let divergence: any ActivationDivergence<Element>
  /// V: n × p.
  let targets: Matrix<Element>
  /// κ.
  var proximity: Element = 0
  /// c; read where κ > 0.
  var center: Matrix<Element>?

  /// A v.
  func image(of v: Matrix<Element>) -> Matrix<Element> {
    switch side {
    case .weights(let x, _): return matrixProduct(x, v)
    case .inputs(let w, let hasBias):
      var u = Matrix<Element>(v.rows, w.columns)
      affine(v, w, hasBias: hasBias, into: &u)
      return u
    }
  }

  /// A δ without the constant part.
  func linearImage(of δ: Matrix<Element>) -> Matrix<Element> {
    switch side {
    case .weights(let x, _): matrixProduct(x, δ)
    case .inputs(let w, _): matrixProduct(δ, w.firstRows(δ.columns))
    }
  }

  /// A* G.
  func pullBack(_ g: Matrix<Element>, columns: Int) -> Matrix<Element> {
    switch side {
    case .weights(let x, _): matrixProduct(x, .yes, g)
    case .inputs(let w, _): matrixProduct(g, .no, w.firstRows(columns), .yes)
    }
  }

  private var actsOnColumns: Bool {
    if case .weights = side { true } else { false }
  }

  /// ½‖V − φ(U)‖² + (κ/2)‖v − c‖² of every unit or sample, for U = A v.
  func values(of v: Matrix<Element>, image u: Matrix<Element>) -> [Element] {
    var residual = u
    divergence.map(&residual)
    residual.add(-1, targets)
    var values = squares(of: residual, byColumns: actsOnColumns)
    if let center, proximity > 0 {
      var step = v
      step.add(-1, center)
      for (k, square) in squares(of: step, byColumns: actsOnColumns).enumerated() {
        values[k] += proximity * square
      }
    }
    return values.map { $0 / 2 }
  }

  /// Some Gauss–Newton steps from v.
  func minimise(from start: Matrix<Element>, steps: Int, iterations: Int) -> Matrix<Element> {
    var v = start
    var u = image(of: v)
    var values = values(of: v, image: u)
    for _ in 0..<steps {
      let δ = direction(at: v, image: u, iterations: iterations)
      guard descend(&v, &u, &values, along: δ) else { break }
    }
    return v
  }

  /// The Gauss–Newton direction.
  private func direction(
    at v: Matrix<Element>, image u: Matrix<Element>, iterations: Int
  ) -> Matrix<Element> {
    var residual = u
    divergence.map(&residual)
    let slopes = divergence.slopes(at: residual)
    residual.scale(by: -1)
    residual.add(1, targets)
    multiply(&residual, by: slopes)
    var downhill = pullBack(residual, columns: v.columns)
    if let center, proximity > 0 {
      downhill.add(proximity, center)
      downhill.add(-proximity, v)
    }
    let curvature = MatchingCurvature(block: self, slopes: slopes, rows: v.rows)
    let solver = ConjugateGradient(tolerance: 1e-2, maximumIterations: iterations)
    guard case .weights(_, let metric) = side else { return solver.solve(curvature, downhill).solution }
    return solver.solve(curvature, downhill, preconditioner: UnitMetric(metric, slopes: slopes)).solution
  }

  /// Adds to v and u their steps, each unit's or sample's halved until its value does not rise. Returns whether any
  /// moved.
  private func descend(
    _ v: inout Matrix<Element>, _ u: inout Matrix<Element>, _ values: inout [Element],
    along δ: Matrix<Element>
  ) -> Bool {
    let (image, attempts) = (linearImage(of: δ), 8)
    var lengths = [Element](repeating: 1, count: values.count)
    var (trial, trialImage, reached) = (v, u, values)
    for attempt in 0...attempts {
      (trial, trialImage) = (v, u)
      add(lengths, δ, to: &trial)
      add(lengths, image, to: &trialImage)
      reached = self.values(of: trial, image: trialImage)
      let rising = reached.indices.filter { !(reached[$0] <= values[$0]) && lengths[$0] > 0 }
      if rising.isEmpty { break }
      for k in rising { lengths[k] = attempt + 1 < attempts ? lengths[k] / 2 : 0 }
    }
    (v, u, values) = (trial, trialImage, reached)
    return lengths.contains { $0 > 0 }
  }

  /// T ← T + the steps, each unit's column or sample's row by its own length.
  private func add(_ lengths: [Element], _ step: Matrix<Element>, to t: inout Matrix<Element>) {
    let (rows, columns, isByColumn) = (t.rows, t.columns, actsOnColumns)
    withPointers(step, Matrix(column: lengths), &t.storage) { step, lengths, t in
      Parallel.forEach(tiles: Parallel.tiles(of: 256, covering: rows), work: rows * columns) { tile in
        let range = Parallel.range(ofTile: tile, size: 256, count: rows)
        if isByColumn {
          addColumns(range, columns, lengths, step, t)
        } else {
          for k in range { Element.axpy(columns, lengths[k], step + k * columns, t + k * columns) }
        }
      }
    }
  }
}

@specialized(where Element == Double)
@specialized(where Element == Float)
private func addColumns<Element: Scalar>(
  _ rows: Range<Int>, _ columns: Int, _ lengths: UnsafePointer<Element>, _ step: UnsafePointer<Element>,
  _ t: UnsafeMutablePointer<Element>
) {
  for k in rows {
    let (step, t) = (step + k * columns, t + k * columns)
    for j in 0..<columns { t[j] += lengths[j] * step[j] }
  }
}

/// Σ r² of every column, or of every row.
private func squares<Element: Scalar>(of r: Matrix<Element>, byColumns: Bool) -> [Element] {
  var squared = r
  multiply(&squared, by: r)
  return byColumns
    ? matrixProduct(Matrix(1, r.rows, fill: 1), squared).storage
    : matrixProduct(squared, Matrix(r.columns, 1, fill: 1)).storage
}

/// A ← A ∘ B.
private func multiply<Element: Scalar>(_ a: inout Matrix<Element>, by b: Matrix<Element>) {
  let (count, size) = (a.count, 1 << 15)
  withPointers(b, b, &a.storage) { b, _, a in
    Parallel.forEach(tiles: Parallel.tiles(of: size, covering: count), work: count) { tile in
      let entries = Parallel.range(ofTile: tile, size: size, count: count)
      Element.multiply(entries.count, b + entries.lowerBound, a + entries.lowerBound)
    }
  }
}

/// A*φ′²A + κI of a block, at some slopes φ′.
private struct MatchingCurvature<Element: Scalar>: LinearOperator {
  let block: MatchingBlock<Element>
  let slopes: Matrix<Element>
  let rows: Int
  var columns: Int { rows }

  func apply(_ δ: Matrix<Element>, into y: inout Matrix<Element>) {
    var image = block.linearImage(of: δ)
    multiply(&image, by: slopes)
    multiply(&image, by: slopes)
    y = block.pullBack(image, columns: δ.columns)
    y.add(block.proximity, δ)
  }

  func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) { apply(y, into: &x) }
}

/// The inverse of a metric, for each unit divided by its share of curvature.
private struct UnitMetric<Element: Scalar>: LinearOperator {
  let metric: Cholesky<Element>
  /// 1/a_j, a_j the mean of φ′² of unit j.
  let factors: Matrix<Element>
  var rows: Int { metric.order }
  var columns: Int { rows }

  init(_ metric: Cholesky<Element>, slopes: Matrix<Element>) {
    self.metric = metric
    let shares = squares(of: slopes, byColumns: true).map { $0 / Element(max(slopes.rows, 1)) }
    let factors = shares.map { 1 / max($0, 0.02) }
    self.factors = Matrix(metric.order, slopes.columns, storage: (0..<metric.order).flatMap { _ in factors })
  }

  func apply(_ r: Matrix<Element>, into y: inout Matrix<Element>) {
    y = metric.solve(r)
    multiply(&y, by: factors)
  }

  func applyAdjoint(_ y: Matrix<Element>, into x: inout Matrix<Element>) { apply(y, into: &x) }
}
