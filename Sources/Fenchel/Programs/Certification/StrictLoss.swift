import ConvexOptimization
import LinearAlgebra

#if canImport(Glibc)
  import Glibc
#endif

/// The losses once more, entry by entry in plain Double arithmetic: what certificates are computed with.
///
/// Nothing here is shared with the solvers' losses, so that an error in one of the two shows as a gap that does
/// not close, or as a dual above a primal, instead of a false proof.
struct StrictLoss {
  let kind: LossKind
  let parameters: LossParameters
  let targets: Matrix<Double>
  let weights: [Double]

  /// Σ_k s_k ℓ_k(F_k).
  func value(at f: Matrix<Double>) -> Double {
    var sum = CompensatedSum()
    add(at: f, to: &sum)
    return sum.value
  }

  /// Adds Σ_k s_k ℓ_k(F_k), term by term.
  func add(at f: Matrix<Double>, to sum: inout CompensatedSum) {
    for k in 0..<f.rows where weights[k] > 0 {
      if kind == .softmax {
        sum += weights[k] * softmaxValue(f, k)
      } else {
        for j in 0..<f.columns { sum += weights[k] * value(f[k, j], targets[k, j]) }
      }
    }
  }

  /// −Σ_k s_k ℓ_k*(−θ_k/s_k): the dual objective, −∞ where −θ leaves the domain of ℓ*.
  func dualObjective(_ θ: Matrix<Double>, scaledBy t: Double) -> Double {
    var sum = CompensatedSum()
    for k in 0..<θ.rows {
      let weight = weights[k]
      if weight == 0 {
        if (0..<θ.columns).contains(where: { t * θ[k, $0] != 0 }) { return -.infinity }
        continue
      }
      if kind == .softmax {
        sum += weight * softmaxConjugate(θ, k, t / weight)
      } else {
        for j in 0..<θ.columns { sum += weight * conjugate(-t * θ[k, j] / weight, targets[k, j]) }
      }
    }
    return sum.value.isNaN ? -.infinity : -sum.value
  }

  private func value(_ f: Double, _ y: Double) -> Double {
    let r = f - y
    switch kind {
    case .squared: return r * r / 2
    case .logistic:
      let m = -y * f
      return max(m, 0) + log1p(exp(-abs(m)))
    case .hinge: return max(0, 1 - y * f)
    case .squaredHinge:
      let slack = max(0, 1 - y * f)
      return slack * slack / 2
    case .huber:
      let δ = parameters.δ
      return abs(r) <= δ ? r * r / 2 : δ * (abs(r) - δ / 2)
    case .absolute: return abs(r)
    case .quantile: return max(parameters.τ * -r, (1 - parameters.τ) * r)
    case .poisson: return exp(f) - y * f
    case .softmax: return .nan
    }
  }

  /// Where the loss of one entry is least, −∞ or ∞ where it falls for ever; of softmax where all other scores are fixed.
  func minimiser(_ y: Double) -> Double {
    switch kind {
    case .squared, .huber, .absolute, .quantile: y
    case .logistic, .hinge, .squaredHinge, .softmax: y > 0 ? .infinity : -.infinity
    case .poisson: y > 0 ? log(y) : -.infinity
    }
  }

  /// ℓ*(a) for one entry.
  private func conjugate(_ a: Double, _ y: Double) -> Double {
    switch kind {
    case .squared: return a * a / 2 + a * y
    case .logistic: return entropy(-a * y)
    case .hinge: return (0...1).contains(-a * y) ? a * y : .infinity
    case .squaredHinge: return -a * y >= 0 ? a * a / 2 + a * y : .infinity
    case .huber: return abs(a) <= parameters.δ ? a * a / 2 + a * y : .infinity
    case .absolute: return abs(a) <= 1 ? a * y : .infinity
    case .quantile: return (-parameters.τ...1 - parameters.τ).contains(a) ? a * y : .infinity
    case .poisson:
      let rate = a + y
      if rate < 0 { return .infinity }
      return rate == 0 ? 0 : rate * log(rate) - rate
    case .softmax: return .nan
    }
  }

  /// t log t + (1 − t) log(1 − t) on [0, 1].
  private func entropy(_ t: Double) -> Double {
    guard (0...1).contains(t) else { return .infinity }
    return (t > 0 ? t * log(t) : 0) + (t < 1 ? (1 - t) * log1p(-t) : 0)
  }

  private func softmaxValue(_ f: Matrix<Double>, _ k: Int) -> Double {
    var largest = -Double.infinity
    for j in 0..<f.columns { largest = max(largest, f[k, j]) }
    var sum = 0.0
    var linear = 0.0
    for j in 0..<f.columns {
      sum += exp(f[k, j] - largest)
      linear += targets[k, j] * (f[k, j] - largest)
    }
    return log(sum) - linear
  }

  /// Σ p log p for p = y − tθ in the simplex, to rounding.
  private func softmaxConjugate(_ θ: Matrix<Double>, _ k: Int, _ t: Double) -> Double {
    var total = 0.0
    var sum = 0.0
    for j in 0..<θ.columns {
      let p = targets[k, j] - t * θ[k, j]
      if p < -1e-15 { return .infinity }
      total += p
      if p > 0 { sum += p * log(p) }
    }
    return abs(total - 1) <= 1e-12 ? sum : .infinity
  }
}
