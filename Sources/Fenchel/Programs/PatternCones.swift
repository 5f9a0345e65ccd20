import ConvexOptimization
import LinearAlgebra

/// The cones K = {w : σ(2D − I) X w ≥ 0} of the activation patterns of X and the signs σ = ±1.
///
/// As the cones of a group lasso they confine coefficients w = σu, so that both signs of a pattern share the map
/// w ↦ DXw: group r = (2i + s)·c + j is pattern i, sign (−1)ˢ, output j.
struct PatternCones<Element: Scalar>: GroupCones {
  let rows: NonnegativeLeastSquares<Element>
  /// Which rows stand on the positive side, one row a pattern: P × n, 𝔻ᵀ where the rows are those of X.
  let gates: BitMatrix
  /// Which rows count at all, nil for all of them.
  private let used: BitMatrix?
  private let outputs: Int
  /// Of one projection: enough for exactness; where rows are many, as many as ten billion multiplications allow.
  private let maximumIterations: Int

  /// - Parameters:
  ///   - patterns: 𝔻: n × P, one row a sample.
  ///   - deadline: when projections end early.
  ///   - work: multiplications after which a projection ends early: its length holds as a bound all the same.
  init(
    _ x: Matrix<Element>, patterns: BitMatrix, outputs: Int, deadline: Deadline = .none,
    work: Int? = nil
  ) {
    self.init(
      rows: x, orientation: patterns.transposed, used: nil, outputs: outputs, deadline: deadline, work: work)
  }

  /// Cones {w : ±a_kᵀw ≥ 0 for the rows k that count} of any shared rows a: one row of bits a cone.
  init(
    rows a: Matrix<Element>, orientation: BitMatrix, used: BitMatrix?, outputs: Int,
    deadline: Deadline = .none, work: Int? = nil
  ) {
    rows = NonnegativeLeastSquares(a, deadline: deadline)
    (gates, self.used) = (orientation, used)
    self.outputs = outputs
    let (n, d) = (a.rows, a.columns)
    let own = min(20 * (n + d), max(4 * d, 10_000_000_000 / max(n * d, 1)))
    maximumIterations = min(own, work.map { $0 / max(n * d, 1) } ?? own)
  }

  private init(_ whole: PatternCones, outputs: Int) {
    (rows, gates, used) = (whole.rows, whole.gates, whole.used)
    maximumIterations = whole.maximumIterations
    self.outputs = outputs
  }

  var deadline: Deadline { rows.deadline }

  func restricted(toOutput j: Int) -> PatternCones { PatternCones(self, outputs: 1) }

  /// The projection of z onto the cone of a pattern and sign, exact to rounding, or as soon as it is found to be at
  /// most `threshold` long. Its norm is the maximum of zᵀw over w in the cone, ‖w‖ ≤ 1; the multipliers prove it.
  /// Cost 2nd for each of about d rounds, fewer from a projection nearby; `state` is an active set of `rows`.
  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func projection(
    of z: UnsafePointer<Element>, pattern: Int, sign: Element, from start: ConeProjection<Element>? = nil,
    threshold: Element = 0, in state: inout ActiveSet<Element>
  ) -> ConeProjection<Element> {
    orient(&state.signs, pattern: pattern, sign: sign)
    return rows.solve(
      z, start: start, threshold: threshold, maximumIterations: maximumIterations, in: &state)
  }

  /// The diagonal of σ(2D − I), 0 where a row does not count.
  @inline(__always)
  private func orient(_ signs: inout [Element], pattern: Int, sign: Element) {
    let n = rows.rows.rows
    gates.words.withPointer { bits in
      signs.withMutablePointer { signs in
        Element.maskedFill(signs, bits + pattern * gates.wordsPerRow, n, 2 * sign)
        for k in 0..<n { signs[k] -= sign }
        used?.words.withPointer { Element.maskedCopy(signs, signs, $0 + pattern * gates.wordsPerRow, n) }
      }
    }
  }

  @specialized(where Element == Double)
  @specialized(where Element == Float)
  func project(
    _ z: inout Matrix<Element>, ontoConesOf groups: [Int], threshold: Element,
    from projections: inout [ConeProjection<Element>?]
  ) -> [Element] {
    let size = 8
    let work = 10 * rows.rows.count * groups.count  // a projection takes a few products
    var norms = [Element](repeating: 0, count: groups.count)
    norms.withMutablePointer { norms in
      projections.withMutablePointer { projections in
        z.withMutablePointer { z in
          Parallel.forEach(tiles: Parallel.tiles(of: size, covering: groups.count), work: work) { tile in
            let range = Parallel.range(ofTile: tile, size: size, count: groups.count)
            project(range, z, groups, threshold, projections, norms)
          }
        }
      }
    }
    return norms
  }

  /// Rows of one tile, one after another in the room of one active set.
  @inline(__always)
  private func project(
    _ range: Range<Int>, _ z: UnsafeMutablePointer<Element>, _ groups: [Int], _ threshold: Element,
    _ projections: UnsafeMutablePointer<ConeProjection<Element>?>, _ norms: UnsafeMutablePointer<Element>
  ) {
    let d = rows.rows.columns
    var state = ActiveSet(of: rows)
    for r in range {
      let (i, s) = (groups[r] / outputs).quotientAndRemainder(dividingBy: 2)
      let found = projection(
        of: z + r * d, pattern: i, sign: s == 0 ? 1 : -1, from: projections[r], threshold: threshold,
        in: &state)
      found.write(to: z + r * d, threshold: threshold)
      (projections[r], norms[r]) = (found, found.norm)
    }
  }

  /// Whether row k bounds the cone of a pattern.
  func counts(_ k: Int, pattern: Int) -> Bool { used?[pattern, k] ?? true }

  func face(at projection: ConeProjection<Element>, ofGroup group: Int) -> Subspace<Element> {
    rows.kernel(ofRows: projection.support)
  }
}

extension NonnegativeLeastSquares.Solution {
  /// Writes the projection over the row that was projected, zeros where it is at most `threshold` long (`GroupCones`).
  @inline(__always)
  func write(to row: UnsafeMutablePointer<Element>, threshold: Element) {
    if norm > threshold {
      residual.withPointer { row.update(from: $0, count: residual.count) }
    } else {
      row.update(repeating: 0, count: residual.count)
    }
  }
}

extension PatternCones<Double> {
  /// w = u − v with u and v in the cone of a pattern, of least total norm; nil where there are none.
  func decomposition(of w: [Double], pattern: Int) -> ConeDecomposition? {
    var signs = [Double](repeating: 0, count: rows.rows.rows)
    orient(&signs, pattern: pattern, sign: 1)
    return ConeDecomposition(of: w, rows: rows, signs: signs)
  }
}
