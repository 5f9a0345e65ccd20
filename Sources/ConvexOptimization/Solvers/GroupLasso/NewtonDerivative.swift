import LinearAlgebra

/// What a Newton step at a stage is made of: the active groups, the derivative M of the prox and the factor of
/// the Hessian.
struct NewtonDerivative<Element: Scalar> {
  let map: any GroupOperator<Element>
  let groups: [Int]
  let σ: Element
  /// τ = σλ/‖z‖ for each active group.
  let τ: [Element]
  /// ẑ = z/‖z‖, one row a group.
  let directions: Matrix<Element>
  /// With cones the span of the face that holds z, Π its projector: M = (1 − τ) Π + τ ẑẑᵀ. Empty without cones.
  let faces: [Subspace<Element>]
  let factor: HessianFactor<Element>

  init(_ problem: RestrictedProblem<Element>, _ stage: NewtonStage<Element>, σ: Element) {
    let active = stage.norms.indices.filter { stage.norms[$0] > 0 }
    let threshold = σ * problem.λ
    let sizes = active.map { stage.norms[$0] + threshold }
    map = problem.whole.map
    groups = active.map { problem.groups[$0] }
    self.σ = σ
    τ = sizes.map { threshold / $0 }
    var directions = stage.u.selectingRows(active)
    directions.scaleRows(by: active.map { 1 / stage.norms[$0] })
    self.directions = directions
    faces = Self.faces(problem.whole.cones, groups, active.compactMap { stage.projections[$0] })
    factor = problem.loss.hessianFactor(at: stage.predictions)
  }

  private static func faces(
    _ cones: (any GroupCones<Element>)?, _ groups: [Int], _ projections: [ConeProjection<Element>]
  ) -> [Subspace<Element>] {
    guard let cones else { return [] }
    var result = [Subspace<Element>?](repeating: nil, count: projections.count)
    result.withMutablePointer { result in
      Parallel.forEach(tiles: projections.count) {
        result[$0] = cones.face(at: projections[$0], ofGroup: groups[$0])
      }
    }
    return result.compactMap { $0 }
  }

  /// Q V = σ A M Aᵀ V.
  func applyQ(_ v: Matrix<Element>) -> Matrix<Element> {
    var g = Matrix<Element>(groups.count, map.width)
    map.applyAdjoint(v, to: groups, into: &g)
    let d = map.width
    directions.withPointer { directions in
      g.withMutablePointer { g in
        for r in groups.indices {
          let (row, direction) = (g + r * d, directions + r * d)
          if !faces.isEmpty { faces[r].project(row) }
          let along = Element.dot(d, row, direction)
          Element.scale(d, σ * (1 - τ[r]), row)
          Element.axpy(d, σ * τ[r] * along, direction, row)
        }
      }
    }
    var result = v
    map.apply(g, of: groups, into: &result)
    return result
  }

  /// C_r for every group, with C_rᵀC_r = σM: √σ (√(1−τ) I + (1 − √(1−τ)) ẑẑᵀ) in an orthonormal basis of the face.
  func squareRoots() -> [Matrix<Element>] {
    var result = [Matrix<Element>](repeating: Matrix(0, map.width), count: groups.count)
    result.withMutablePointer { result in
      Parallel.forEach(tiles: groups.count) { result[$0] = squareRoot($0) }
    }
    return result
  }

  /// Free coefficients of the groups of output j: the rows of their C_r.
  func freedom(ofOutput j: Int) -> Int {
    let d = map.width
    return groups.indices.reduce(0) { sum, r in
      guard map.output(of: groups[r]) == j else { return sum }
      guard !faces.isEmpty else { return sum + d }
      return sum + (faces[r].isComplement ? d - faces[r].basis.rows : faces[r].basis.rows)
    }
  }

  private func squareRoot(_ r: Int) -> Matrix<Element> {
    var c = faces.isEmpty ? Matrix<Element>.identity(map.width) : faces[r].spanningRows
    let (k, d) = (c.rows, c.columns)
    let (large, small) = (σ.squareRoot(), (σ * (1 - τ[r])).squareRoot())
    directions.withPointer { ẑ in
      c.withMutablePointer { c in
        for i in 0..<k {
          let along = Element.dot(d, c + i * d, ẑ + r * d)
          Element.scale(d, small, c + i * d)
          Element.axpy(d, (large - small) * along, ẑ + r * d, c + i * d)
        }
      }
    }
    return c
  }

  /// The lower triangle of the part of Q of output j.
  func fillGram(_ q: inout Matrix<Element>, output j: Int) {
    let rows = groups.indices.filter { map.output(of: groups[$0]) == j }
    let scales = rows.map { σ * (1 - τ[$0]) }
    var vectors = directions.selectingRows(rows)
    vectors.scaleRows(by: rows.map { (σ * τ[$0]).squareRoot() })
    let along = GroupUpdate(groups: rows.map { groups[$0] }, vectors: vectors, sign: 1)
    let isFree = rows.map { faces.isEmpty || faces[$0].isComplement }
    let free = rows.indices.filter { isFree[$0] }
    map.gram(
      of: free.map { groups[rows[$0]] }, scales: free.map { scales[$0] },
      updates: [along] + [true, false].map { updates(rows, scales, isComplement: $0) }, into: &q)
  }

  /// The terms of the faces that are given by their complement, or of those that are not.
  private func updates(_ rows: [Int], _ scales: [Element], isComplement: Bool) -> GroupUpdate<Element> {
    var (members, vectors) = ([Int](), [Element]())
    for (row, scale) in zip(rows, scales)
    where !faces.isEmpty && faces[row].isComplement == isComplement {
      var b = faces[row].basis
      b.scale(by: scale.squareRoot())
      members += [Int](repeating: groups[row], count: b.rows)
      vectors += b.storage
    }
    return GroupUpdate(
      groups: members, vectors: Matrix(members.count, map.width, storage: vectors),
      sign: isComplement ? -1 : 1)
  }
}
