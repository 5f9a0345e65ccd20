import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Proximal steps in a metric of coordinates.
struct CoordinateMetricTests {
  /// w of `prox`, and the norm that it says w has.
  private func prox<T: Scalar>(
    _ metric: CoordinateMetric<T>, _ z: [T], step τ: T, λ: T
  ) -> (w: [T], norm: T) {
    var w = [T](repeating: .nan, count: z.count)
    let norm = w.withUnsafeMutableBufferPointer { w in
      z.withUnsafeBufferPointer { z -> T in
        guard let z = z.baseAddress, let w = w.baseAddress else { return .nan }
        return metric.prox(z, step: τ, λ: λ, into: w)
      }
    }
    return (w, norm)
  }

  private func laws<T: Scalar>(of _: T.Type, tolerance: T) {
    for seed in 0..<300 as Range<UInt64> {
      let random = Philox(seed: seed, stream: 0x6d65)
      let d = 1 + random.integer(below: 9, at: 0)
      func numbers(_ stream: UInt64) -> [T] {
        (Philox(seed: seed, stream: stream).uniformMatrix(1, d) as Matrix<T>).storage
      }
      let weights = numbers(1).map { T.pow(10, 5 * $0) }
      let z = numbers(2)
      let (τ, λ) = (T.pow(10, 2 * numbers(3)[0]), T.pow(10, 2 * numbers(4)[0]))
      let (w, norm) = prox(CoordinateMetric(weights: weights), z, step: τ, λ: λ)
      let q = zip(weights, z).map { $0 / τ * $1 }
      let size = q.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(abs(norm - w.reduce(0) { $0 + $1 * $1 }.squareRoot()) <= tolerance * norm, "seed \(seed)")
      guard norm > 0 else {
        #expect(size <= λ * (1 + tolerance), "seed \(seed)")
        continue
      }
      // h (w − z)/τ + λ w/‖w‖ = 0
      for k in 0..<d {
        let rest = weights[k] / τ * w[k] - q[k] + λ * w[k] / norm
        #expect(abs(rest) <= tolerance * size, "seed \(seed), \(k)")
      }
    }
  }

  @Test("The optimality conditions of the prox, in both precisions")
  func conditions() {
    laws(of: Double.self, tolerance: 1e-12)
    laws(of: Float.self, tolerance: 2e-5)
  }

  @Test("Equal weights give the prox of the norm; a row that is too short gives 0")
  func plain() {
    let metric = CoordinateMetric<Double>(weights: [2, 2])
    let (w, norm) = prox(metric, [3, 4], step: 2, λ: 1)
    #expect(abs(norm - 4) < 1e-14 && abs(w[0] - 2.4) < 1e-14 && abs(w[1] - 3.2) < 1e-14)
    #expect(prox(metric, [0.6, 0.8], step: 2, λ: 1).w == [0, 0])
  }
}
