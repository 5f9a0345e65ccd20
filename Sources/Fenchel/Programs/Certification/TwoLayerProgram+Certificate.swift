import ConvexOptimization
import LinearAlgebra

extension TwoLayerProgram: Certifiable {
  /// The certificate at a point: ℓ(F) + λ Σ‖u_g‖ above, the best multiple of θ that satisfies every dual
  /// constraint of the program below, both in plain Double arithmetic (`StrictLoss`, `StrictPrimal`,
  /// `StrictDual`). Cost n d (m + P c), and a non-negative least squares problem for each violated cone.
  public func certificate(at point: TwoLayerPoint) -> Certificate {
    certificate(at: point, work: Self.certificateWork)
  }

  public func certificate(at point: TwoLayerPoint, inSeconds seconds: Double) -> Certificate {
    certificate(at: point, work: Self.certificateWork(inSeconds: seconds))
  }

  private func certificate(at point: TwoLayerPoint, work: Int) -> Certificate {
    Certificate(
      primal: strictObjective(at: point),
      dual: dualBound(θ: point.θ, known: point.multipliers, work: work).value,
      scope: patterns.isExact ? .exact : .restricted)
  }

  /// ℓ(F) + λ Σ_g ‖u_g‖ in plain Double arithmetic.
  public func strictObjective(at point: TwoLayerPoint) -> Double {
    let primal = StrictPrimal(x: x, pooling: pooling)
    let f = primal.predictions(
      point, patterns: patterns.bits, isConstrained: isConstrained, outputs: outputs)
    return strictLoss.value(at: f) + λ * primal.penalty(point.coefficients)
  }

  /// Multiplications that the search for multipliers may take in a certificate: about a minute. Programs beyond it have
  /// weaker bounds, valid all the same, unless their solver knows the multipliers.
  public static var certificateWork: Int { 1_000_000_000_000 }

  /// The same of a certificate that is to take about so many seconds.
  static func certificateWork(inSeconds seconds: Double) -> Int {
    Int(Double(certificateWork) * min(1, seconds / 60))
  }

  /// A lower bound on the program's optimum from any θ, and how it came about.
  public struct DualBound: Sendable {
    /// The bound: −ℓ*(−tθ), the best over 0 ≤ t ≤ λ/norm.
    public var value: Double
    /// M: the largest dual norm over all groups, an upper bound on it where cones are.
    public var norm: Double
    /// The multiple t of θ.
    public var scale: Double
  }

  /// The bound that θ gives. With cones, `known` are multipliers that may show θ to be feasible, and `work` is what may
  /// be spent on the search for others, in multiplications; nil for as much as it takes.
  public func dualBound(
    θ: Matrix<Double>, known: [TwoLayerGroup: SparseVector] = [:],
    work: Int? = TwoLayerProgram.certificateWork
  ) -> DualBound {
    isConstrained
      ? dualBoundAndPrices(θ: θ, known: known, work: work).bound
      : dualBound(along: strictLoss.feasibleDirection(θ), threshold: 0, [])
  }

  /// θ with the largest dual norm over all groups for each output.
  func measuredDual(_ θ: Matrix<Double>) -> MeasuredDual {
    let norm = dualBound(θ: θ).norm
    return MeasuredDual(
      θ: strictLoss.feasibleDirection(θ), lengths: [Double](repeating: norm, count: outputs))
  }

  /// The bound that θ gives, and the prices of the groups whose plain norm exceeds λ. With cones these get their
  /// multipliers α from non-negative least squares; the norm that counts is then evaluated afresh from these.
  func dualBoundAndPrices(
    θ: Matrix<Double>, known: [TwoLayerGroup: SparseVector] = [:],
    work: Int? = TwoLayerProgram.certificateWork
  ) -> (bound: DualBound, prices: [GroupPricing.Price]) {
    let θ = strictLoss.feasibleDirection(θ)
    // Known multipliers are as good as new ones where they miss λ by rounding.
    let threshold = known.isEmpty ? λ : λ * (1 + 1e-11)
    let prices = GroupPricing(self, work: work).prices(θ: θ, above: threshold, known: known)
    return (dualBound(along: θ, threshold: threshold, prices), prices)
  }

  /// The best bound of the multiples of θ, given prices of the groups above a threshold.
  private func dualBound(
    along θ: Matrix<Double>, threshold: Double, _ prices: [GroupPricing.Price]
  ) -> DualBound {
    let norm = strictDualNorm(θ: θ, threshold: threshold, isConstrained ? prices : [])
    let limit = θ.largestScale(norm: norm, λ: λ, features: features)
    let (scale, value) = strictLoss.bestScale(θ, upTo: limit)
    return DualBound(value: value, norm: norm, scale: scale)
  }

  /// The largest norm of the dual constraint over all patterns, signs and outputs. With cones, prices hold multipliers
  /// for the groups whose plain norm is above a threshold.
  ///
  /// Large programs have the norms of most patterns from fast products, with the bound on their rounding added; those
  /// that come within it of the largest are computed again in plain arithmetic.
  private func strictDualNorm(
    θ: Matrix<Double>, threshold: Double, _ prices: [GroupPricing.Price]
  ) -> Double {
    let strict = StrictDual(x: x, patterns: patterns.bits, θ: pooling.adjoint(θ))
    var norms = [Double](repeating: 0, count: patterns.count)
    var chosen = Array(0..<patterns.count)
    if Double(patterns.count) * Double(x.count * outputs) > 1e8 {
      norms = normBounds(strict, θ, threshold: threshold, prices)
      chosen = StrictDual.nearLargest(norms)
    }
    let witnesses = Dictionary(
      prices.map { ($0.group, $0.multipliers) }, uniquingKeysWith: { first, _ in first })
    norms.withMutablePointer { norms in
      Parallel.forEach(tiles: chosen.count, work: chosen.count * x.count * outputs) { tile in
        let i = chosen[tile]
        norms[i] = 0
        let images = strict.images(pattern: i)
        for j in 0..<outputs {
          let q = images.row(j)
          let plain = StrictDual.norm(q)
          for sign in signs {
            let group = TwoLayerGroup(pattern: i, sign: sign, output: j)
            let norm =
              witnesses[group].map { strict.norm(q, sign: sign, pattern: i, multipliers: $0) } ?? plain
            norms[i] = max(norms[i], min(plain, norm))
          }
        }
      }
    }
    return norms.reduce(0, max)
  }

  /// For every pattern an upper bound on its norms, from fast products and what they may have rounded.
  private func normBounds(
    _ strict: StrictDual, _ θ: Matrix<Double>, threshold: Double, _ prices: [GroupPricing.Price]
  ) -> [Double] {
    let rounding = strict.roundingOfProducts()
    guard isConstrained else {
      let plain = GroupPricing(self).plainNorms(θ: θ)
      return (0..<patterns.count).map { zip(plain.row($0), rounding).reduce(0) { max($0, $1.0 + $1.1) } }
    }
    let rowNorms = x.rowNorms
    var bounds = [Double](
      repeating: threshold + (rounding.max() ?? 0), count: patterns.count)  // of the groups without a price
    for price in prices {
      let bound =
        price.norm + rounding[price.group.output]
        + StrictDual.roundingOfWitness(price.multipliers, rowNorms: rowNorms, width: features)
      bounds[price.group.pattern] = max(bounds[price.group.pattern], bound)
    }
    return bounds
  }

  /// The same formulas again, for certificates.
  var strictLoss: StrictLoss {
    StrictLoss(kind: kind, parameters: parameters, targets: loss.targets, weights: loss.weights)
  }
}

extension Matrix<Double> {
  /// The largest t for which tθ satisfies every dual constraint, their largest norm at θ being at most `norm`: λ/norm, less where
  /// products of θ with so many features may have vanished below the least number; 0 where the norm is no number.
  func largestScale(norm: Double, λ: Double, features: Int) -> Double {
    guard norm.isFinite, norm >= 0 else { return 0 }
    let vanished = 4 * Double(count) * Double(features) * .leastNonzeroMagnitude
    return Swift.min(λ / (norm + vanished) * (1 - 4 * Double.ulpOfOne), 1e300)
  }
}

extension StrictLoss {
  /// θ with what can never be feasible taken out: for samples of weight 0 everything, and for softmax what keeps the
  /// probabilities y_k − θ_k/s_k from the simplex, as rounding does where they are next to 0.
  func feasibleDirection(_ θ: Matrix<Double>) -> Matrix<Double> {
    var result = θ
    for k in 0..<θ.rows {
      let weight = weights[k]
      if weight == 0 {
        for j in 0..<θ.columns { result[k, j] = 0 }
      } else if kind == .softmax {
        let p = (0..<θ.columns).map { max(0, targets[k, $0] - θ[k, $0] / weight) }
        let total = p.reduce(0, +)
        for j in 0..<θ.columns {
          result[k, j] = total > 0 ? weight * (targets[k, j] - p[j] / total) : 0
        }
      }
    }
    return result
  }

  /// The t in [0, limit] that maximises the concave function −ℓ*(−tθ), by golden section, with the value there: the best of all
  /// that are met. Any t gives a valid bound; t = 0 is always feasible.
  func bestScale(_ θ: Matrix<Double>, upTo limit: Double) -> (scale: Double, value: Double) {
    var best = (scale: 0.0, value: -Double.infinity)
    func value(_ t: Double) -> Double {
      let value = dualObjective(θ, scaledBy: t) + 0  // no minus zero
      if value > best.value { best = (t, value) }
      return value
    }
    for t in [0, min(1, limit), limit] { _ = value(t) }
    let golden = (5.0.squareRoot() - 1) / 2
    var (low, high) = (0.0, min(limit, 4))
    var (left, right) = (high - golden * high, golden * high)
    var (leftValue, rightValue) = (value(left), value(right))
    for _ in 0..<64 {
      if leftValue >= rightValue, leftValue > -.infinity {
        high = right
        (right, rightValue) = (left, leftValue)
        left = high - golden * (high - low)
        leftValue = value(left)
      } else if leftValue == -.infinity {
        // The domain is an interval that contains 0: move towards it.
        high = left
        left = high - golden * (high - low)
        right = low + golden * (high - low)
        (leftValue, rightValue) = (value(left), value(right))
      } else {
        low = left
        (left, leftValue) = (right, rightValue)
        right = low + golden * (high - low)
        rightValue = value(right)
      }
    }
    return best
  }
}
