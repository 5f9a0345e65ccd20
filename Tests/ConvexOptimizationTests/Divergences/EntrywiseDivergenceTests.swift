import ConvexOptimization
import FenchelTestSupport
import LinearAlgebra
import Testing

/// Every activation that acts entry by entry, by the generic checks and at its ends.
struct EntrywiseDivergenceTests {
  private func all<T: Scalar>(_: T.Type) throws -> [any EntrywiseDivergence<T>] {
    [
      IntervalDivergence<T>.relu, IntervalDivergence<T>.hardTanh, IntervalDivergence<T>.hardSigmoid,
      IntervalDivergence<T>.identity, try LeakyReLUDivergence<T>(alpha: 0.1), SigmoidDivergence<T>(),
      TanhDivergence<T>(), SoftplusDivergence<T>(), SignDivergence<T>(), SineDivergence<T>(),
      try SoftThresholdDivergence<T>(0.5),
    ]
  }

  @Test("The laws of a divergence, in both precisions")
  func laws() throws {
    for (seed, divergence) in try all(Double.self).enumerated() {
      checkDivergence(divergence, rows: 7, columns: 3, seed: UInt64(seed))
      checkDivergence(divergence, rows: 1, columns: 1, scale: 20, seed: UInt64(seed))
    }
    for (seed, divergence) in try all(Float.self).enumerated() {
      checkDivergence(divergence, rows: 5, columns: 4, seed: UInt64(seed))
    }
  }

  @Test("Φ and Φ* are the integrals of φ⁻¹ and φ")
  func integrals() throws {
    for divergence in try all(Double.self) where divergence.name != "sign" {
      checkIntegrals(divergence, tolerance: divergence.name == "soft-threshold" ? 1e-3 : 1e-5)
    }
  }

  @Test("Far from 0 nothing overflows, and outside of the domain Φ and B are infinite")
  func ends() throws {
    for divergence in try all(Double.self) {
      for u in [-1e4, 1e4] {
        let v = divergence.activation(u)
        #expect(divergence.conjugate(u).isFinite && divergence.potential(v).isFinite, "\(divergence.name)")
        #expect(divergence.divergence(v, u) <= 1e-7, "\(divergence.name) at \(u)")
        let p = divergence.minimiser(near: u, step: 0.5)
        #expect(divergence.potential(p).isFinite, "\(divergence.name): prox at \(u) is \(p)")
      }
    }
    let outside: [(any EntrywiseDivergence<Double>, Double)] = [
      (IntervalDivergence.relu, -1e-9), (IntervalDivergence.hardTanh, 1.1), (SigmoidDivergence(), -0.1),
      (SigmoidDivergence(), 1.1), (TanhDivergence(), -1.1), (SoftplusDivergence(), -0.1),
      (SignDivergence(), 1.1),
      (SineDivergence(), -1.1),
    ]
    for (divergence, v) in outside {
      #expect(divergence.potential(v) == .infinity && divergence.divergence(v, 0.3) == .infinity)
    }
  }

  @Test("Parameters outside of their range are refused")
  func parameters() {
    for α in [0, 1, -1, .nan, .infinity] {
      #expect(throws: ParameterError.self) { try LeakyReLUDivergence<Double>(alpha: α) }
    }
    for λ in [-1, .nan, .infinity] {
      #expect(throws: ParameterError.self) { try SoftThresholdDivergence<Double>(λ) }
    }
  }

  @Test("The same bits for any number of threads")
  func sameBits() throws {
    var random = SplitMix64(seed: 9)
    let (u, v): (Matrix<Double>, Matrix<Double>) = (random.matrix(300, 200), random.matrix(300, 200))
    let threads = Parallel.threads
    defer { Parallel.threads = threads }
    let outcomes = [1, 2, 3].map { count in
      Parallel.threads = count
      var outputs = v
      let conjugate = SoftplusDivergence<Double>().activate(u, into: &outputs)
      return ([conjugate, SoftplusDivergence<Double>().divergence(outputs, v)], outputs)
    }
    for outcome in outcomes { #expect(outcome == outcomes[0]) }
  }
}
