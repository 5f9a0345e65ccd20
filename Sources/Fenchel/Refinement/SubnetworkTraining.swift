import ConvexOptimization
import LinearAlgebra

/// Ordinary local training of parallel sub-networks by L-BFGS on their weights, each feeding one output:
///
///     min ℓ(F) + (λ/2) Σ_k (‖u_k‖² + a_k²),   F_o = Σ_{k: output o} a_k (Σ_j s_kj (X u_kj)₊)₊,
///
/// whose minima over scales are those of the three-layer program's objective. The start of its refinement, and the rival
/// that this must never fall behind. Deterministic. Cost of an evaluation: 4 n d m K.
public struct SubnetworkTraining {
  let x: Matrix<Double>
  let loss: any Loss<Double>
  let λ: Double
  public var cancellation: Cancellation?

  public init(x: Matrix<Double>, loss: any Loss<Double>, λ: Double) {
    (self.x, self.loss, self.λ) = (x, loss, λ)
  }

  /// What a run found: ℓ(F) + (λ/2) Σ (‖u‖² + a²) of the sub-networks √(a/‖u‖)-scaled, that is ℓ(F) + λ Σ‖u_k‖.
  public struct Outcome: Sendable {
    public var subnetworks: SubnetworkSet
    public var objective: Double
    public var evaluations: Int
    public var seconds: Double
  }

  /// Random sub-networks of m neurons, `perOutput` for every output, with outputs' and inner signs in turn.
  public func randomSubnetworks(width m: Int, perOutput: Int, seed: UInt64) -> SubnetworkSet {
    let (d, c) = (x.columns, loss.outputs)
    let count = perOutput * c
    var vectors: Matrix<Double> = Philox(seed: seed, stream: Self.stream).normalMatrix(count, m * d)
    func size(_ a: Matrix<Double>, rows: Int) -> Double {
      (a.storage.reduce(0) { $0 + $1 * $1 } / Double(max(rows, 1))).squareRoot()
    }
    let (rowSize, targetSize) = (size(x, rows: x.rows), size(loss.targets, rows: loss.targets.count))
    let scale = rowSize > 0 ? targetSize / (rowSize * Double(perOutput).squareRoot()) : 1
    vectors.scale(by: scale / Double(m * d).squareRoot())
    let turns = (0..<count).map { $0 / c }
    let inner = SubnetworkPatterns.inTurn(perOutput, width: m)
    return SubnetworkSet(
      vectors: vectors, inner: inner.selectingRows(turns),
      signs: turns.map { $0 / m % 2 == 0 ? 1 : -1 }, outputs: (0..<count).map { $0 % c })
  }

  private static let stream: UInt64 = 0x7061_7261_6c6c
  private static let method = LBFGS(memory: 20, gradientTolerance: 1e-9, decreaseTolerance: 1e-12)

  /// Bytes that training so many sub-networks of m neurons takes, about, beside X.
  public func bytes(subnetworks count: Int, width m: Int) -> Int {
    let length = count * (m * x.columns + 1)
    return Self.method.bytes(dimension: length) + SubnetworkPass.bytes(x, subnetworks: count, width: m)
      + 8 * (3 * length + 2 * x.rows * loss.outputs)
  }

  /// Trains from given sub-networks, for at most so many evaluations and seconds.
  public func run(from start: SubnetworkSet, evaluations: Int, seconds: Double? = nil) -> Outcome {
    let clock = ContinuousClock()
    let began = clock.now
    let (length, count) = (start.vectors.columns, start.count)
    var pass = SubnetworkPass(x: x, inner: start.inner)
    var method = Self.method
    (method.maximumIterations, method.maximumEvaluations) = (evaluations, evaluations)
    method.cancellation = cancellation
    let result = method.minimise(
      from: Self.weights(of: start),
      shouldContinue: { _ in seconds.map { began.duration(to: clock.now).seconds < $0 } ?? true },
      { value(at: $0, outputs: start.outputs, &pass, into: &$1) })
    var found = start
    for k in 0..<count {
      let u = result.point[k * length..<(k + 1) * length]
      let a = result.point[count * length + k]
      for (i, entry) in u.enumerated() { found.vectors[k, i] = entry * abs(a) }
      found.signs[k] = a < 0 ? -1 : 1
    }
    return Outcome(
      subnetworks: found, objective: result.value, evaluations: result.evaluations,
      seconds: began.duration(to: clock.now).seconds)
  }

  /// u/√‖u‖ of all sub-networks, then a = σ√‖u‖.
  private static func weights(of start: SubnetworkSet) -> [Double] {
    let roots = start.norms.map { $0.squareRoot() }
    var vectors = start.vectors
    vectors.scaleRows(by: roots.map { $0 > 0 ? 1 / $0 : 0 })
    return vectors.storage + zip(start.signs, roots).map(*)
  }

  private func value(
    at weights: [Double], outputs: [Int], _ pass: inout SubnetworkPass, into gradient: inout [Double]
  ) -> Double {
    let (n, c, count) = (x.rows, loss.outputs, outputs.count)
    let split = weights.count - count
    let a = Array(weights[split...])
    weights.withPointer { pass.forward($0) }
    var predictions = Matrix<Double>(c, n)
    predictions.withMutablePointer { f in
      pass.values.withPointer { z in
        for k in 0..<count { Double.axpy(n, a[k], z + k * n, f + outputs[k] * n) }
      }
    }
    var slopes = Matrix<Double>(n, c)
    let lossValue = loss.gradient(at: predictions.transposed, into: &slopes)
    let rows = slopes.transposed
    for i in weights.indices { gradient[i] = λ * weights[i] }
    gradient.withMutablePointer { pass.addGradients(of: rows, outputs: outputs, scales: a, to: $0) }
    for (k, product) in pass.products(with: rows, outputs: outputs).enumerated() {
      gradient[split + k] += product
    }
    return lossValue + λ / 2 * weights.withPointer { Double.dot(weights.count, $0, $0) }
  }
}
