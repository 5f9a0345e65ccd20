import ConvexOptimization
import LinearAlgebra

/// Pairs of a pattern of sub-networks and weights η of its neurons, the groups of the program in which ‖W_k‖_F ≤ 1:
///
///     Σ_j ‖w_j‖ = min_η (Σ_j ‖w_j‖²/η_j)^{1/2} over the simplex,
///
/// so that its penalty is that of columns of norm one over all pairs, in the coordinates v_j = w_j/√η_j.
struct SubnetworkAtoms {
  let patterns: SubnetworkPatterns
  let rows: SubnetworkPatterns.ConeRows
  /// The pattern of each pair.
  private(set) var places: [Int] = []
  /// √η of each.
  private(set) var roots: [[Double]] = []

  /// One pair a pattern, of equal weights.
  init(_ patterns: SubnetworkPatterns) {
    (self.patterns, rows) = (patterns, SubnetworkPatterns.ConeRows(patterns))
    for b in 0..<patterns.count {
      append(b, η: [Double](repeating: 1 / Double(patterns.width), count: patterns.width))
    }
  }

  var count: Int { places.count }

  mutating func append(_ pattern: Int, η: [Double]) {
    places.append(pattern)
    roots.append(η.map { max($0, 0).squareRoot() })
  }

  /// v ↦ F without the signs σ.
  func map(_ x: Matrix<Double>, outputs: Int) -> SubnetworkOperator {
    SubnetworkOperator(
      data: x, patterns: patterns, outputs: outputs, places: places,
      scales: Matrix(rows: roots))
  }
}

/// The cones of pairs in the coordinates v, each with rows of its own: n (m + 1) of them at most.
struct AtomCones: GroupCones {
  private let cones: [PatternCones<Double>]
  private let outputs: Int
  let deadline: Deadline

  /// Nil where the deadline comes first.
  init?(_ atoms: SubnetworkAtoms, _ x: Matrix<Double>, outputs: Int, deadline: Deadline) {
    var cones = [PatternCones<Double>?](repeating: nil, count: atoms.count)
    cones.withMutablePointer { cones in
      Parallel.forEach(tiles: atoms.count, work: atoms.count * x.count) { a in
        guard !deadline.hasPassed else { return }
        cones[a] = atoms.rows.cone(
          of: atoms.places[a], x, scales: atoms.roots[a], outputs: outputs, deadline: deadline)
      }
    }
    self.cones = cones.compactMap { $0 }
    guard self.cones.count == atoms.count else { return nil }
    (self.outputs, self.deadline) = (outputs, deadline)
  }

  /// Bytes of the cones of one pair for each of P patterns, at most: n samples, d features, m neurons.
  static func bytes(samples n: Int, features d: Int, width m: Int, patterns: Int) -> Int {
    let entries = Double(n * (m + 1)) * Double(d * m) * Double(patterns)
    return Int(min(8 * entries, 1e17))
  }

  private init(_ cones: [PatternCones<Double>], _ deadline: Deadline) {
    (self.cones, outputs, self.deadline) = (cones, 1, deadline)
  }

  func restricted(toOutput j: Int) -> AtomCones {
    AtomCones(cones.map { $0.restricted(toOutput: j) }, deadline)
  }

  func project(
    _ z: inout Matrix<Double>, ontoConesOf groups: [Int], threshold: Double,
    from projections: inout [ConeProjection<Double>?]
  ) -> [Double] {
    var norms = [Double](repeating: 0, count: groups.count)
    let d = z.columns
    z.withMutablePointer { z in
      norms.withMutablePointer { norms in
        projections.withMutablePointer { projections in
          Parallel.forEach(tiles: groups.count, work: 10 * groups.count * d * d) { q in
            let (atom, place) = groups[q].quotientAndRemainder(dividingBy: 2 * outputs)
            let cone = cones[atom]
            var state = ActiveSet(of: cone.rows)
            let found = cone.projection(
              of: z + q * d, pattern: 0, sign: place < outputs ? 1 : -1, from: projections[q],
              threshold: threshold, in: &state)
            found.write(to: z + q * d, threshold: threshold)
            (projections[q], norms[q]) = (found, found.norm)
          }
        }
      }
    }
    return norms
  }

  func face(at projection: ConeProjection<Double>, ofGroup group: Int) -> Subspace<Double> {
    cones[group / (2 * outputs)].rows.kernel(ofRows: projection.support)
  }
}
