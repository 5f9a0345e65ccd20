import ConvexOptimization
import LinearAlgebra

extension ThreeLayerProgram: Certifiable {
  /// The certificate at a point: ℓ(F) + λ Σ‖u_g‖ of its network above, the best multiple of θ that satisfies every dual
  /// constraint of the program below, both in plain Double arithmetic. Cost n d m (|G| + B c), and a non-negative least
  /// squares problem for each violated cone.
  public func certificate(at point: ThreeLayerPoint) -> Certificate { certificate(at: point, work: nil) }

  public func certificate(at point: ThreeLayerPoint, inSeconds seconds: Double) -> Certificate {
    certificate(at: point, work: TwoLayerProgram.certificateWork(inSeconds: seconds))
  }

  private func certificate(at point: ThreeLayerPoint, work: Int?) -> Certificate {
    Certificate(
      primal: strictObjective(at: point), dual: dualBound(θ: point.θ, known: point.multipliers, work: work),
      scope: patterns.isExact ? .exact : .restricted)
  }

  /// ℓ(F) + λ Σ_g ‖u_g‖, where group g is the sub-network σ (Σ_j s_j (xᵀu_j)₊)₊, whatever its pattern says: on its cone the
  /// two agree.
  public func strictObjective(at point: ThreeLayerPoint) -> Double {
    var penalty = CompensatedSum()
    for g in point.groups.indices { penalty += StrictDual.norm(point.coefficients.row(g)) }
    return strictLoss.value(at: strictPredictions(point)) + λ * penalty.value
  }

  func strictPredictions(_ point: ThreeLayerPoint) -> Matrix<Double> {
    let (d, m, c, signs) = (features, width, outputs, patterns.signs)
    return withPointers(x, point.coefficients) { x, u in
      compensatedRows(samples, outputs: c) { rows, sums in
        for (g, group) in point.groups.enumerated() {
          for (offset, k) in rows.enumerated() {
            var z = CompensatedSum()
            for j in 0..<m {
              z += signs[group.pattern, j] * max(StrictArithmetic.dot(d, x + k * d, u + (g * m + j) * d), 0)
            }
            sums[offset * c + group.output] += group.sign * max(z.value, 0)
          }
        }
      }
    }
  }

  /// A group's dual norm at θ, as bounded by multipliers of its cone.
  struct Price {
    var group: TwoLayerGroup
    var norm: Double
    var multipliers: SparseVector
  }

  /// The groups whose plain norm ‖A_rᵀθ‖ exceeds a threshold, with their norms on the cones: fast arithmetic, for choosing
  /// multipliers. Cost 2ndmBc, and a projection for each; these end early with the deadline or after `work` multiplications in
  /// all, and their norms hold as bounds.
  func prices(
    _ θ: Matrix<Double>, above threshold: Double, known: [TwoLayerGroup: SparseVector] = [:],
    deadline: Deadline = .none, work: Int? = nil
  ) -> [Price] {
    let (map, cones) = (map, cones(deadline: deadline, work: work.map { $0 / max(groups, 1) }))
    var found: [Price] = []
    for start in stride(from: 0, to: groups, by: 1024) {
      let all = Array(start..<min(start + 1024, groups))
      var images = Matrix<Double>(all.count, map.width)
      map.applyAdjoint(θ, to: all, into: &images)
      let chosen = zip(all.indices, images.rowNorms).filter { $1 > threshold }.map(\.0)
      var points = images.selectingRows(chosen)
      var projections: [ConeProjection<Double>?] = chosen.map { place in
        known[group(all[place])].map { ConeProjection(support: $0.indices, multipliers: $0.values) }
      }
      let norms = cones.project(
        &points, ontoConesOf: chosen.map { all[$0] }, threshold: threshold, from: &projections)
      for (q, place) in chosen.enumerated() {
        let multipliers = projections[q].map { SparseVector(indices: $0.support, values: $0.multipliers) }
        found.append(
          Price(group: group(all[place]), norm: norms[q], multipliers: multipliers ?? SparseVector()))
      }
    }
    return found
  }

  /// The lower bound on the program's optimum that θ gives; `known` are multipliers that may show θ to be feasible, and `work` is
  /// what may be spent on the search for others, in multiplications; nil for as much as it takes.
  public func dualBound(
    θ: Matrix<Double>, known: [TwoLayerGroup: SparseVector] = [:], work: Int? = nil
  ) -> Double {
    let θ = strictLoss.feasibleDirection(θ)
    let prices = prices(θ, above: known.isEmpty ? λ : λ * (1 + 1e-11), known: known, work: work)
    let norm = strictDualNorm(
      θ, Dictionary(prices.map { ($0.group, $0.multipliers) }, uniquingKeysWith: { first, _ in first }))
    let limit = θ.largestScale(norm: norm, λ: λ, features: x.columns)
    return strictLoss.bestScale(θ, upTo: limit).value
  }

  /// The lower bound that the multiples tθ, t ≤ `scale`, give, shown by multipliers α ≥ 0 of some groups and by no others. Cost
  /// 2ndmBc, and md for each multiplier.
  public func dualBound(
    θ: Matrix<Double>, shownBy multipliers: [TwoLayerGroup: SparseVector], scale: Double = .infinity
  ) -> Double {
    let θ = strictLoss.feasibleDirection(θ)
    let norm = strictDualNorm(θ, multipliers)
    let limit = θ.largestScale(norm: norm, λ: λ, features: x.columns)
    return strictLoss.bestScale(θ, upTo: min(limit, scale)).value
  }

  /// The largest ‖σA_bᵀθ_o + Rᵀα‖ over all groups, with the multipliers α ≥ 0 of some: a bound on the dual norm of θ.
  private func strictDualNorm(_ θ: Matrix<Double>, _ multipliers: [TwoLayerGroup: SparseVector]) -> Double {
    let (rows, images) = (SubnetworkPatterns.ConeRows(patterns), strictImages(θ))
    var norms = [Double](repeating: 0, count: patterns.count)
    norms.withMutablePointer { norms in
      Parallel.forEach(tiles: patterns.count, work: groups * features * width) { b in
        for o in 0..<outputs {
          let q = images[b * outputs + o]
          let plain = StrictDual.norm(q)
          for sign in [1.0, -1.0] {
            let α = multipliers[TwoLayerGroup(pattern: b, sign: sign, output: o)]
            let norm = α.map { StrictDual.norm(shifted(q.map { sign * $0 }, by: $0, b, rows)) } ?? plain
            norms[b] = max(norms[b], min(plain, norm))
          }
        }
      }
    }
    return norms.reduce(0, max)
  }

  /// A_bᵀθ_o for every pattern b and output o, one array each: pattern b, output o is at place b·c + o.
  func strictImages(_ θ: Matrix<Double>) -> [[Double]] {
    let (m, d) = (width, features)
    let strict = StrictDual(x: x, patterns: patterns.passing.transposed, θ: θ)
    var found = [[Double]](repeating: [], count: patterns.count * outputs)
    found.withMutablePointer { found in
      Parallel.forEach(tiles: patterns.count, work: groups * x.count * m) { b in
        let images = (0..<m).map { strict.images(pattern: b * m + $0) }
        for o in 0..<outputs {
          found[b * outputs + o] = (0..<m).flatMap { j in
            (0..<d).map { patterns.signs[b, j] * images[j][o, $0] }
          }
        }
      }
    }
    return found
  }

  /// q + Rᵀα for the rows R of the cone of pattern b that α ≥ 0 names.
  func shifted(
    _ q: [Double], by α: SparseVector, _ b: Int, _ rows: SubnetworkPatterns.ConeRows
  ) -> [Double] {
    let (n, d) = (samples, features)
    var sums = [CompensatedSum](repeating: CompensatedSum(), count: q.count)
    for (i, entry) in q.enumerated() { sums[i] += entry }
    for (row, α) in zip(α.indices, α.values) {
      guard α > 0, row < rows.used.columns, rows.used[b, row] else { continue }
      let (t, k) = row.quotientAndRemainder(dividingBy: n)
      for (j, factor) in rows.combinations[t].enumerated() where factor != 0 {
        let scale = (rows.orientation[b, row] ? factor : -factor) * α
        for i in 0..<d { sums[j * d + i] += scale * x[k, i] }
      }
    }
    return sums.map(\.value)
  }

  /// The same formulas of the loss again, for certificates.
  var strictLoss: StrictLoss {
    StrictLoss(kind: kind, parameters: parameters, targets: loss.targets, weights: loss.weights)
  }

  /// The point with each u_g that lies outside its cone moved to the nearest one inside.
  func feasible(_ point: ThreeLayerPoint) -> ThreeLayerPoint {
    guard !patterns.isExact, !point.groups.isEmpty else { return point }
    let cones = cones()
    var result = point
    for (g, group) in point.groups.enumerated() {
      let u = cones.feasible(point.coefficients.row(g), pattern: group.pattern)
      for i in u.indices { result.coefficients[g, i] = u[i] }
    }
    return result
  }
}
