import ConvexOptimization
import LinearAlgebra

/// A gated operator in other coordinates of its groups, u = T_i y for the groups of pattern i: y ↦ Σ_r A_r T_{i(r)} y_r.
struct NormedOperator<Element: Scalar>: GroupOperator {
  private let base: GatedOperator<Element>
  /// T_i: d × d.
  private let factors: [Matrix<Element>]
  /// Rows of the base's gates that share a factor: one for each sign.
  private let signs: Int

  init(_ base: GatedOperator<Element>, factors: [Matrix<Element>], signs: Int) {
    (self.base, self.factors, self.signs) = (base, factors, signs)
  }

  var samples: Int { base.samples }
  var outputs: Int { base.outputs }
  var width: Int { base.width }
  var groups: Int { base.groups }
  func output(of group: Int) -> Int { base.output(of: group) }
  func restricted(toOutput j: Int) -> NormedOperator {
    NormedOperator(base.restricted(toOutput: j), factors: factors, signs: signs)
  }

  private func factor(of group: Int) -> Matrix<Element> { factors[base.pattern(of: group) / signs] }

  /// T_i y, or T_iᵀ g, for each row.
  private func mapped(_ rows: Matrix<Element>, _ groups: [Int], _ transpose: Transpose) -> Matrix<Element> {
    let d = width
    var result = rows
    withPointers(rows, rows, &result.storage) { rows, _, result in
      Parallel.forEach(tiles: groups.count, work: groups.count * d * d) { q in
        factor(of: groups[q]).withPointer { t in
          Element.gemv(
            transpose, m: d, n: d, alpha: 1, a: t, lda: d, x: rows + q * d, beta: 0, y: result + q * d)
        }
      }
    }
    return result
  }

  func apply(_ w: Matrix<Element>, of groups: [Int], into f: inout Matrix<Element>) {
    base.apply(mapped(w, groups, .no), of: groups, into: &f)
  }

  func applyAdjoint(_ r: Matrix<Element>, to groups: [Int], into g: inout Matrix<Element>) {
    base.applyAdjoint(r, to: groups, into: &g)
    g = mapped(g, groups, .yes)
  }

  func gram(
    of groups: [Int], scales α: [Element], updates: [GroupUpdate<Element>], into q: inout Matrix<Element>
  ) {
    let d = width
    var columns: [Element] = []
    for (group, scale) in zip(groups, α) {
      var t = factor(of: group).transposed
      t.scale(by: scale.squareRoot())
      columns += t.storage
    }
    let own = GroupUpdate(
      groups: groups.flatMap { [Int](repeating: $0, count: d) },
      vectors: Matrix(groups.count * d, d, storage: columns), sign: 1)
    let others = updates.map {
      GroupUpdate(groups: $0.groups, vectors: mapped($0.vectors, $0.groups, .no), sign: $0.sign)
    }
    base.gram(of: [], scales: [], updates: [own] + others, into: &q)
  }

  func normalMatrix(
    of groups: [Int], vectors v: Matrix<Element>, weights h: [Element], into t: inout Matrix<Element>
  ) {
    base.normalMatrix(of: groups, vectors: mapped(v, groups, .no), weights: h, into: &t)
  }
}

/// The cones {y : σ(2D − I) X T_i y ≥ 0} of a `NormedOperator`'s groups. X T_i is made anew for each pattern: nd² beside the
/// cost of its projections.
struct NormedCones<Element: Scalar>: GroupCones {
  private let x: Matrix<Element>
  /// 𝔻ᵀ: P × n, one row a pattern.
  private let gates: BitMatrix
  private let factors: [Matrix<Element>]
  private let outputs: Int
  let deadline: Deadline

  init(
    _ x: Matrix<Element>, gates: BitMatrix, factors: [Matrix<Element>], outputs: Int,
    deadline: Deadline = .none
  ) {
    (self.x, self.gates, self.factors, self.outputs, self.deadline) = (x, gates, factors, outputs, deadline)
  }

  func restricted(toOutput j: Int) -> NormedCones {
    NormedCones(x, gates: gates, factors: factors, outputs: 1, deadline: deadline)
  }

  private func pattern(of group: Int) -> Int { group / outputs / 2 }

  /// The cones of one pattern, all of whose groups have pattern 0 here.
  func cones(pattern i: Int) -> PatternCones<Element> {
    PatternCones(
      matrixProduct(x, .no, factors[i], .no), patterns: gates.selectingRows([i]).transposed, outputs: outputs,
      deadline: deadline)
  }

  func project(
    _ z: inout Matrix<Element>, ontoConesOf groups: [Int], threshold: Element,
    from projections: inout [ConeProjection<Element>?]
  ) -> [Element] {
    let members = Dictionary(grouping: groups.indices) { pattern(of: groups[$0]) }
      .sorted { $0.key < $1.key }
    typealias Part = (z: Matrix<Element>, projections: [ConeProjection<Element>?], norms: [Element])
    var parts = [Part](repeating: (Matrix(0, 0), [], []), count: members.count)
    let (source, earlier) = (z, projections)
    parts.withMutablePointer { parts in
      Parallel.forEach(tiles: members.count) { tile in
        let (i, rows) = members[tile]
        var part: Part = (source.selectingRows(rows), rows.map { earlier[$0] }, [])
        let own = rows.map { groups[$0] - 2 * i * outputs }
        part.norms = cones(pattern: i).project(
          &part.z, ontoConesOf: own, threshold: threshold, from: &part.projections)
        parts[tile] = part
      }
    }
    var norms = [Element](repeating: 0, count: groups.count)
    for ((_, rows), part) in zip(members, parts) {
      for (place, row) in rows.enumerated() {
        (norms[row], projections[row]) = (part.norms[place], part.projections[place])
        for j in 0..<z.columns { z[row, j] = part.z[place, j] }
      }
    }
    return norms
  }

  func face(at projection: ConeProjection<Element>, ofGroup group: Int) -> Subspace<Element> {
    let active = matrixProduct(
      x.selectingRows(projection.support), .no, factors[pattern(of: group)], .no)
    return NonnegativeLeastSquares(active).kernel(ofRows: Array(0..<active.rows))
  }
}
