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
  /// multipliers. Cost ndmBc, and a projection for each; these end early with the deadline or after `work` multiplications in
  /// all, and their norms hold as bounds. Work too little for a step of each leaves the plain norms.
  func prices(
    _ θ: Matrix<Double>, above threshold: Double, known: [TwoLayerGroup: SparseVector] = [:],
    deadline: Deadline = .none, work: Int? = nil
  ) -> [Price] {
    let (map, share) = (map, work.map { $0 / max(groups, 1) })
    let step = SubnetworkPatterns.coneEntries(samples: samples, features: features, width: width)
    let cones = known.isEmpty && share ?? step < step ? nil : cones(deadline: deadline, work: share)
    var found: [Price] = []
    for start in stride(from: 0, to: patterns.count, by: max(1, 512 / outputs)) {
      // Both signs of a pattern have one image.
      let positive = (start..<min(start + max(1, 512 / outputs), patterns.count)).flatMap { b in
        (0..<outputs).map { 2 * b * outputs + $0 }
      }
      var images = Matrix<Double>(positive.count, map.width)
      map.applyAdjoint(θ, to: positive, into: &images)
      let sizes = images.rowNorms
      let rows = sizes.indices.filter { sizes[$0] > threshold }.flatMap { [$0, $0] }
      let chosen = rows.enumerated().map { positive[$1] + ($0 % 2) * outputs }
      var (points, norms) = (images.selectingRows(rows), rows.map { sizes[$0] })
      var projections: [ConeProjection<Double>?] = chosen.map { r in
        known[group(r)].map { ConeProjection(support: $0.indices, multipliers: $0.values) }
      }
      if let cones {
        norms = cones.project(&points, ontoConesOf: chosen, threshold: threshold, from: &projections)
      }
      for (q, r) in chosen.enumerated() {
        let multipliers = projections[q].map { SparseVector(indices: $0.support, values: $0.multipliers) }
        found.append(Price(group: group(r), norm: norms[q], multipliers: multipliers ?? SparseVector()))
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
    let threshold = known.isEmpty ? λ : λ * (1 + 1e-11)
    let prices = prices(θ, above: threshold, known: known, work: work)
    let norm = strictDualNorm(θ, threshold: threshold, prices)
    let limit = θ.largestScale(norm: norm, λ: λ, features: x.columns)
    return strictLoss.bestScale(θ, upTo: limit).value
  }

  /// The lower bound that the multiples tθ, t ≤ `scale`, give, shown by multipliers α ≥ 0 of some groups and by no others. Cost
  /// 2ndmBc, and md for each multiplier.
  public func dualBound(
    θ: Matrix<Double>, shownBy multipliers: [TwoLayerGroup: SparseVector], scale: Double = .infinity
  ) -> Double {
    let θ = strictLoss.feasibleDirection(θ)
    var norms = [Double](repeating: 0, count: patterns.count)
    fill(&norms, of: Array(norms.indices), θ, multipliers)
    let norm = norms.reduce(0, max)
    let limit = θ.largestScale(norm: norm, λ: λ, features: x.columns)
    return strictLoss.bestScale(θ, upTo: min(limit, scale)).value
  }

  /// The largest ‖σA_bᵀθ_o + Rᵀα‖ over all groups, an upper bound on the dual norm of θ, with the multipliers α ≥ 0 of the
  /// groups whose plain norm is above a threshold.
  ///
  /// Large programs have those of most patterns from fast products, with the bound on their rounding added, as programs of two
  /// layers have.
  private func strictDualNorm(_ θ: Matrix<Double>, threshold: Double, _ prices: [Price]) -> Double {
    let multipliers = Dictionary(
      prices.lazy.filter { !$0.multipliers.indices.isEmpty }.map { ($0.group, $0.multipliers) },
      uniquingKeysWith: { first, _ in first })
    var norms = [Double](repeating: 0, count: patterns.count)
    var chosen = Array(norms.indices)
    if Double(groups) * Double(x.count * width) > 1e8 {
      norms = normBounds(θ, threshold: threshold, prices)
      chosen = StrictDual.nearLargest(norms)
    }
    fill(&norms, of: chosen, θ, multipliers)
    return norms.reduce(0, max)
  }

  /// For every pattern an upper bound on its norms, from fast products and what they may have rounded.
  private func normBounds(_ θ: Matrix<Double>, threshold: Double, _ prices: [Price]) -> [Double] {
    let strict = StrictDual(x: x, patterns: BitMatrix(samples, 0), θ: θ)
    // Images and rows of cones are at most √m times as long as those of one neuron, and norms are of m times as many entries.
    let root = Double(width).squareRoot()
    let rounding = strict.roundingOfProducts().map { $0 * Double(width) * root }
    let rowNorms = x.rowNorms.map { $0 * root }
    var bounds = [Double](repeating: threshold + (rounding.max() ?? 0), count: patterns.count)
    for price in prices {
      let rows = SparseVector(
        indices: price.multipliers.indices.map { $0 % samples }, values: price.multipliers.values)
      let bound =
        price.norm + rounding[price.group.output]
        + StrictDual.roundingOfWitness(rows, rowNorms: rowNorms, width: width * features)
      bounds[price.group.pattern] = max(bounds[price.group.pattern], bound)
    }
    return bounds
  }

  /// ‖σA_bᵀθ_o + Rᵀα‖, the largest over signs and outputs, of some patterns b, in plain arithmetic.
  private func fill(
    _ norms: inout [Double], of chosen: [Int], _ θ: Matrix<Double>,
    _ multipliers: [TwoLayerGroup: SparseVector]
  ) {
    let images = strictImages(θ, of: chosen)
    let rows = multipliers.isEmpty ? nil : SubnetworkPatterns.ConeRows(patterns)
    norms.withMutablePointer { norms in
      Parallel.forEach(tiles: chosen.count, work: 2 * chosen.count * outputs * features * width) { place in
        let b = chosen[place]
        norms[b] = 0
        for o in 0..<outputs {
          let q = images[place * outputs + o]
          let plain = StrictDual.norm(q)
          for sign in [1.0, -1.0] {
            var norm = plain
            if let rows, let α = multipliers[TwoLayerGroup(pattern: b, sign: sign, output: o)] {
              norm = StrictDual.norm(shifted(q.map { sign * $0 }, by: α, b, rows))
            }
            norms[b] = max(norms[b], min(plain, norm))
          }
        }
      }
    }
  }

  /// A_bᵀθ_o for every output o of some patterns, nil for all of them: that of the pattern at place i is at place i·c + o.
  func strictImages(_ θ: Matrix<Double>, of chosen: [Int]? = nil) -> [[Double]] {
    let (m, d, chosen) = (width, features, chosen ?? Array(0..<patterns.count))
    let passing = patterns.passing.selectingRows(chosen.flatMap { $0 * m..<($0 + 1) * m })
    let strict = StrictDual(x: x, patterns: passing.transposed, θ: θ)
    var found = [[Double]](repeating: [], count: chosen.count * outputs)
    found.withMutablePointer { found in
      Parallel.forEach(tiles: chosen.count, work: 2 * chosen.count * outputs * x.count * m) { place in
        let images = (0..<m).map { strict.images(pattern: place * m + $0) }
        for o in 0..<outputs {
          found[place * outputs + o] = (0..<m).flatMap { j in
            (0..<d).map { patterns.signs[chosen[place], j] * images[j][o, $0] }
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
