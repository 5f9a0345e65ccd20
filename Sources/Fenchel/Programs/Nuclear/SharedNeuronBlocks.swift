import ConvexOptimization
import LinearAlgebra

/// The program in the second layers alone, for first layers u_k of length one: a group lasso over the rows of V,
///
///     min_V ℓ(H V) + λ Σ_k ‖v_k‖,   H = S (X Uᵀ)₊: n × K.
struct SecondLayerBlock: CompositeProblem {
  let loss: any Loss<Double>
  /// H.
  private let activations: Matrix<Double>
  private let λ: Double

  init(_ program: ConicNuclearProgram, activations: Matrix<Double>) {
    (loss, λ, self.activations) = (program.relu.loss, program.λ, activations)
  }

  var shape: (rows: Int, columns: Int) { (activations.columns, loss.outputs) }
  var memory: Bool { false }  // every prox stands for itself

  func apply(_ v: Matrix<Double>, into f: inout Matrix<Double>) {
    f = matrixProduct(activations, .no, v, .no)
  }

  func applyAdjoint(_ r: Matrix<Double>, into g: inout Matrix<Double>) {
    g = matrixProduct(activations, .yes, r, .no)
  }

  func prox(
    of z: Matrix<Double>, step τ: Double, into v: inout Matrix<Double>, _ memory: inout Bool
  ) -> Double {
    (try? GroupLasso(λ).prox(of: z, step: τ, into: &v)) ?? .nan
  }

  func dualGauge(_ g: Matrix<Double>) -> Double { (try? GroupLasso(λ).dualNorm(of: g)) ?? .nan }
}

/// The program in the first layers alone, for second layers v_k of length one, in the cones of their patterns:
///
///     min_U ℓ(S Σ_k D_k X u_k v_kᵀ) + λ Σ_k ‖u_k‖   subject to   u_k ∈ K_k.
struct FirstLayerBlock: CompositeProblem {
  let loss: any Loss<Double>
  private let program: TwoLayerProgram
  private let cones: PatternCones<Double>
  /// V: K × c.
  private let outputs: Matrix<Double>
  private let patterns: [Int]

  init(_ program: ConicNuclearProgram, cones: PatternCones<Double>, outputs: Matrix<Double>, patterns: [Int])
  {
    (loss, self.program, self.cones) = (program.relu.loss, program.relu, cones)
    (self.outputs, self.patterns) = (outputs, patterns)
  }

  var shape: (rows: Int, columns: Int) { (patterns.count, program.features) }
  var memory: [ConeProjection<Double>?] { patterns.map { _ in nil } }

  func apply(_ u: Matrix<Double>, into f: inout Matrix<Double>) {
    let z = masked(matrixProduct(program.x, .no, u, .yes))
    f = matrixProduct(program.pooling(z), .no, outputs, .no)
  }

  func applyAdjoint(_ r: Matrix<Double>, into g: inout Matrix<Double>) {
    let z = masked(matrixProduct(program.pooling.adjoint(r), .no, outputs, .yes))
    g = matrixProduct(z, .yes, program.x, .no)
  }

  /// Entry (k, m) where row k stands on the positive side of the pattern of neuron m, 0 elsewhere.
  private func masked(_ z: Matrix<Double>) -> Matrix<Double> {
    var result = z
    let (width, bits) = (patterns.count, program.patterns.bits)
    result.withMutablePointer { z in
      for k in 0..<program.x.rows {
        for (m, i) in patterns.enumerated() where !bits[k, i] { z[k * width + m] = 0 }
      }
    }
    return result
  }

  /// The projections, shortened by τλ.
  func prox(
    of z: Matrix<Double>, step τ: Double, into u: inout Matrix<Double>,
    _ memory: inout [ConeProjection<Double>?]
  ) -> Double {
    u = z
    let (d, threshold) = (z.columns, τ * program.λ)
    let norms = cones.project(&u, ontoConesOf: patterns.map { 2 * $0 }, threshold: threshold, from: &memory)
    var penalty = 0.0
    u.withMutablePointer { u in
      for (m, norm) in norms.enumerated() where norm > threshold {
        Double.scale(d, 1 - threshold / norm, u + m * d)
        penalty += program.λ * (norm - threshold)
      }
    }
    return penalty
  }

  /// That without cones, an upper bound: it says when to stop for lack of violations, no more.
  func dualGauge(_ g: Matrix<Double>) -> Double { (try? GroupLasso(program.λ).dualNorm(of: g)) ?? .nan }
}
