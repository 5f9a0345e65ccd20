import ConvexOptimization
import LinearAlgebra

/// The loss inside the interior-point method: predictions F, the dual variable θ (−∇ℓ(F) at the optimum) and,
/// per entry, the linearised relation E Δθ + ΔF = R.
///
/// * Twice differentiable losses: Δθ + ℓ″ΔF = −(θ + ∇ℓ(F)), so E = 1/ℓ″.
/// * Softmax: ℓ″ = s(diag p − ppᵀ); Δθ_j/(s p_j) + ΔF_j = ν + …, Σ_j Δθ_j = 0: E = 1/(s p) and one more
///   unknown ν per sample (`isCoupled`).
/// * A kink max(a(f − κ), b(f − κ)) is a pair of inequalities: f − κ = r − q with r, q ≥ 0 and multipliers
///   z_r + z_q = b − a, θ = −a − z_q; hence E = r/z_r + q/z_q. For its Moreau envelope with compliance γ (Huber,
///   squared hinge: their ℓ″ jumps, where Newton's method would cycle) f − κ = r − q − γθ, and E is larger by γ.
struct LossTerm {
  let loss: any Loss<Double>
  let isCoupled: Bool
  var predictions: Matrix<Double>
  var θ: Matrix<Double>
  /// E: inverse curvature, n × c.
  private(set) var inverseCurvature: Matrix<Double>
  /// R: n × c.
  private(set) var target: Matrix<Double>
  private var gradient: Matrix<Double>
  private var kinks: [KinkPair]

  /// One entry of a piecewise linear loss.
  fileprivate struct KinkPair {
    let index: Int
    let kink: Kink<Double>
    var r, q, z: Double  // z is z_q
    var Δr = 0.0
    var Δq = 0.0
    var Δz = 0.0
    /// The predictor's products ΔrΔz_r and ΔqΔz_q.
    var second = (r: 0.0, q: 0.0)
    var slope: Double { kink.right - kink.left }

    func length(_ limit: Double) -> Double {
      var length = limit
      for (value, change) in [(r, Δr), (q, Δq), (z, Δz), (slope - z, -Δz)] where change < 0 {
        length = min(length, -value / change)
      }
      return length
    }

    func complementarity(_ a: Double) -> Double {
      (r + a * Δr) * (slope - z - a * Δz) + (q + a * Δq) * (z + a * Δz)
    }
  }

  init(_ loss: any Loss<Double>, scale: Double) {
    self.loss = loss
    isCoupled = !loss.isSeparable
    let (n, c) = (loss.samples, loss.outputs)
    (predictions, θ, gradient) = (Matrix(n, c), Matrix(n, c), Matrix(n, c))
    (inverseCurvature, target) = (Matrix(n, c), Matrix(n, c))
    kinks = []
    loss.gradient(at: predictions, into: &gradient)
    for k in 0..<n {
      for j in 0..<c {
        θ[k, j] = -gradient[k, j]
        guard let kink = loss.kink(sample: k, output: j), kink.right > kink.left else { continue }
        if kink.compliance > 0 {
          let margin = 0.1 * min(kink.right - kink.left, 1 / kink.compliance)
          θ[k, j] = min(max(θ[k, j], margin - kink.right), -kink.left - margin)
        } else {
          θ[k, j] = -(kink.left + kink.right) / 2
        }
        let v = kink.compliance * θ[k, j] - kink.position
        let slack = scale + abs(v)
        let pair = KinkPair(
          index: k * c + j, kink: kink, r: slack + max(v, 0), q: slack + max(-v, 0),
          z: -kink.left - θ[k, j])
        kinks.append(pair)
      }
    }
  }

  /// Number of complementarity pairs.
  var degree: Int { 2 * kinks.count }

  /// Refreshes gradient and curvature at the current predictions. Returns the largest |θ + ∇ℓ(F)| relative to the largest
  /// |θ|, or f − κ − (r − q − γθ) relative to the largest |f| and |κ|.
  mutating func update() -> Double {
    loss.gradient(at: predictions, into: &gradient)
    if isCoupled {
      for k in 0..<loss.samples {
        for j in 0..<loss.outputs {
          let weight = loss.weights[k]
          let p = weight > 0 ? gradient[k, j] / weight + loss.targets[k, j] : 0
          inverseCurvature[k, j] = max(weight * p, 1e-14)
        }
      }
    } else {
      loss.secondDerivative(at: predictions, into: &inverseCurvature)
    }
    let floor = max(inverseCurvature.storage.reduce(0, max) * 1e-13, 1e-200)
    for i in 0..<inverseCurvature.count {
      inverseCurvature.storage[i] = 1 / max(inverseCurvature.storage[i], floor)
    }
    var (residual, size) = (0.0, 1e-300)
    for pair in kinks {
      let zr = pair.slope - pair.z
      inverseCurvature.storage[pair.index] = pair.r / zr + pair.q / pair.z + pair.kink.compliance
      gradient.storage[pair.index] = -θ.storage[pair.index]
      residual = max(residual, abs(distance(of: pair)))
      size = max(size, abs(predictions.storage[pair.index]), abs(pair.kink.position))
    }
    let largest = θ.storage.reduce(1e-300) { max($0, abs($1)) }
    let slope = (0..<θ.count).reduce(0) { max($0, abs(θ.storage[$1] + gradient.storage[$1])) }
    return max(slope / largest, residual / size)
  }

  /// f − κ − (r − q − γθ), 0 where a pair describes the prediction.
  private func distance(of pair: KinkPair) -> Double {
    let elastic = pair.kink.compliance * θ.storage[pair.index]
    return predictions.storage[pair.index] - pair.kink.position + elastic - (pair.r - pair.q)
  }

  /// R for complementarity targets σμ less the second-order terms.
  mutating func updateTarget(centring σμ: Double) {
    for i in 0..<θ.count {
      target.storage[i] = -(θ.storage[i] + gradient.storage[i]) * inverseCurvature.storage[i]
    }
    for index in kinks.indices {
      let pair = kinks[index]
      let zr = pair.slope - pair.z
      let (cr, cq) = pair.targets(σμ)
      target.storage[pair.index] = cr / zr - cq / pair.z - distance(of: pair)
    }
  }

  /// The steps of the kinks' own variables, from Δθ.
  mutating func completeStep(Δθ: Matrix<Double>, centring σμ: Double) {
    for index in kinks.indices {
      let pair = kinks[index]
      let (cr, cq) = pair.targets(σμ)
      let change = Δθ.storage[pair.index]
      kinks[index].Δr = (cr - pair.r * change) / (pair.slope - pair.z)
      kinks[index].Δq = (cq + pair.q * change) / pair.z
      kinks[index].Δz = -change
    }
  }

  /// Keeps the second-order terms of the present direction for the corrector.
  mutating func keepSecondOrder() {
    for index in kinks.indices {
      let pair = kinks[index]
      kinks[index].second = (-pair.Δr * pair.Δz, pair.Δq * pair.Δz)
    }
  }

  mutating func clearSecondOrder() {
    for index in kinks.indices { kinks[index].second = (0, 0) }
  }

  /// Largest step that keeps the kinks' variables positive.
  func maximalStep() -> Double { kinks.reduce(.infinity) { min($0, $1.length($0)) } }

  /// The largest |ΔF| = |R − E Δθ| of a step, for coupled outputs up to what moves all of them alike.
  func largestChange(Δθ: Matrix<Double>) -> Double {
    (0..<θ.count).reduce(0) {
      max($0, abs(target.storage[$1] - inverseCurvature.storage[$1] * Δθ.storage[$1]))
    }
  }

  /// Sum of the complementarity products after a step of length a.
  func complementarity(afterStep a: Double = 0) -> Double {
    kinks.reduce(0) { $0 + $1.complementarity(a) }
  }

  mutating func advance(by a: Double, Δθ: Matrix<Double>) {
    for i in 0..<θ.count { θ.storage[i] += a * Δθ.storage[i] }
    for index in kinks.indices {
      kinks[index].r += a * kinks[index].Δr
      kinks[index].q += a * kinks[index].Δq
      kinks[index].z += a * kinks[index].Δz
    }
  }

  /// A dual point inside the domain of ℓ*: −∇ℓ(F), or θ itself where ℓ has kinks.
  func dualPoint() -> Matrix<Double> {
    var point = gradient
    for i in 0..<point.count { point.storage[i] = -gradient.storage[i] }
    for pair in kinks { point.storage[pair.index] = θ.storage[pair.index] }
    return point
  }
}

extension LossTerm.KinkPair {
  /// Right-hand sides of the two linearised complementarity equations.
  fileprivate func targets(_ σμ: Double) -> (Double, Double) {
    (σμ - (slope - z) * r - second.r, σμ - z * q - second.q)
  }
}

extension LossTerm {
  /// L R, with L the curvature of the loss: R/E, whatever couples the outputs.
  func weightedTarget() -> Matrix<Double> {
    var result = target
    for i in 0..<result.count { result.storage[i] /= inverseCurvature.storage[i] }
    return result
  }

  /// Δθ = L(R − ΔF), with L = diag(1/E), or s(diag p − ppᵀ) for coupled outputs.
  func dualStep(ΔF: Matrix<Double>, weightedTarget: Matrix<Double>) -> Matrix<Double> {
    var Δθ = weightedTarget
    for k in 0..<Δθ.rows {
      let weight = loss.weights[k]
      var mean = 0.0
      if isCoupled, weight > 0 {
        for j in 0..<Δθ.columns { mean += ΔF[k, j] / inverseCurvature[k, j] / weight }
      }
      for j in 0..<Δθ.columns { Δθ[k, j] -= (ΔF[k, j] - mean) / inverseCurvature[k, j] }
    }
    return Δθ
  }
}
