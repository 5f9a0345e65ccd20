import ConvexOptimization
import LinearAlgebra

/// The cones K = {w : σ(2D − I) X w ≥ 0} of the activation patterns of X and the signs σ = ±1.
///
/// As the cones of a group lasso they confine coefficients w = σu, so that both signs of a pattern share the map
/// w ↦ DXw: group r = (2i + s)·c + j is pattern i, sign (−1)ˢ, output j.
struct PatternCones<Element: Scalar>: GroupCones {
  let rows: NonnegativeLeastSquares<Element>
  /// 𝔻ᵀ: P × n, one row a pattern.
  let gates: BitMatrix
  private let outputs: Int

  /// - Parameter patterns: 𝔻: n × P, one row a sample.
  init(_ x: Matrix<Element>, patterns: BitMatrix, outputs: Int) {
    rows = NonnegativeLeastSquares(x)
    gates = patterns.transposed
    self.outputs = outputs
  }

  private init(_ rows: NonnegativeLeastSquares<Element>, _ gates: BitMatrix, outputs: Int) {
    (self.rows, self.gates, self.outputs) = (rows, gates, outputs)
  }

  func restricted(toOutput j: Int) -> PatternCones { PatternCones(rows, gates, outputs: 1) }

  /// The projection of z onto the cone of a pattern and sign, exact to rounding, or as soon as it is found to be at
  /// most `threshold` long. Its norm is the maximum of zᵀw over w in the cone, ‖w‖ ≤ 1; the multipliers prove it.
  /// Cost 2nd for each of about d rounds, fewer from a projection nearby.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func projection(
    of z: [Element], pattern: Int, sign: Element, from start: ConeProjection<Element>? = nil,
    threshold: Element = 0
  ) -> ConeProjection<Element> {
    let (n, d) = (rows.rows.rows, rows.rows.columns)
    let signs = orientation(pattern: pattern, sign: sign)
    // Enough for exactness; where rows are many, as many as ten billion multiplications allow: the bound holds.
    let iterations = min(20 * (n + d), max(4 * d, 10_000_000_000 / max(n * d, 1)))
    return rows.solve(z, signs: signs, start: start, threshold: threshold, maximumIterations: iterations)
  }

  /// The diagonal of σ(2D − I).
  @inline(__always)
  private func orientation(pattern: Int, sign: Element) -> [Element] {
    let n = rows.rows.rows
    var signs = [Element](repeating: -sign, count: n)
    gates.words.withPointer { bits in
      signs.withMutablePointer { signs in
        withTemporary(Element.self, n) { twice in
          Element.maskedFill(twice, bits + pattern * gates.wordsPerRow, n, 2 * sign)
          Element.axpy(n, 1, twice, signs)
        }
      }
    }
    return signs
  }

  func projection(
    of z: [Element], ontoConeOf group: Int, from start: ConeProjection<Element>?, threshold: Element
  ) -> ConeProjection<Element> {
    let row = group / outputs
    return projection(
      of: z, pattern: row / 2, sign: row.isMultiple(of: 2) ? 1 : -1, from: start, threshold: threshold)
  }

  func face(at projection: ConeProjection<Element>) -> Subspace<Element> {
    rows.kernel(ofRows: projection.support)
  }
}

extension PatternCones<Double> {
  /// w = u − v with u and v in the cone of a pattern, of least total norm; nil where there are none.
  func decomposition(of w: [Double], pattern: Int) -> ConeDecomposition? {
    ConeDecomposition(of: w, rows: rows, signs: orientation(pattern: pattern, sign: 1))
  }
}
