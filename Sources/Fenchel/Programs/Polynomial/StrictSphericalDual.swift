import LinearAlgebra

/// The dual constraint of a polynomial program in plain Double arithmetic: θ (n × c) is feasible when for every output
///
///     max_{‖u‖ = 1} |Σ_k θ_kj σ(x_kᵀu)| = max_{‖u‖ = 1} |uᵀ Q_j u + q_jᵀu + s_j| ≤ λ,
///
/// Q = a Xᵀdiag(θ)X, q = b Xᵀθ, s = c Σθ. The sums are taken in blocks of 256 rows, each a product in whatever order, which are
/// added up with their errors; what the blocks may have rounded is added to the maximum, which `SphereMaximum` bounds.
struct StrictSphericalDual {
  let x: Matrix<Double>
  let activation: Polynomial
  let θ: Matrix<Double>

  private static let block = 256

  /// The largest norm over all outputs, an upper bound that rounding cannot break. Cost n d² c and d³ c.
  ///
  /// - Parameters:
  ///   - coordinates: of the rows of X in their space, where that is smaller: the multipliers are found there.
  func norm(coordinates: Matrix<Double>? = nil) -> Double {
    let guide = coordinates.map { StrictSphericalDual(x: $0, activation: activation, θ: θ) }
    return largest { j in
      let guides = guide?.maxima(output: j)
      return zip(maxima(output: j), guides?.map(\.problem.multipliers) ?? [nil, nil])
        .reduce(0) { max($0, $1.0.problem.sharpUpperBound(at: $1.1) + $1.0.constant) }
        * (1 + 2 * Double.ulpOfOne) + rounding(output: j)
    }
  }

  /// The same as Double finds it, without proof.
  func estimate() -> Double {
    largest { maxima(output: $0).reduce(0) { max($0, $1.problem.estimate + $1.constant) } }
  }

  /// The largest value over all outputs, in parallel.
  private func largest(_ value: (Int) -> Double) -> Double {
    var norms = [Double](repeating: 0, count: θ.columns)
    norms.withMutablePointer { norms in
      Parallel.forEach(tiles: θ.columns) { norms[$0] = value($0) }
    }
    return norms.reduce(0, max)
  }

  /// Problems whose larger maximum is the norm of an output: of the form and of its negative.
  private func maxima(output j: Int) -> [(problem: SphereMaximum, constant: Double)] {
    let (quadratic, linear, constant) = form(output: j)
    var (negative, opposite) = (quadratic, linear)
    negative.scale(by: -1)
    opposite = opposite.map { -$0 }
    return [
      (SphereMaximum(linear: linear, quadratic: quadratic), constant),
      (SphereMaximum(linear: opposite, quadratic: negative), -constant),
    ]
  }

  /// A bound on what Q, q and s may be off by, as functions on the sphere: γ (|a| Σ|θ|‖x‖² + |b| Σ|θ|‖x‖ + |c| Σ|θ|).
  func rounding(output j: Int) -> Double {
    let γ = Double(2 * Self.block + 16) * Double.ulpOfOne / 2
    var size = 0.0
    for (k, norm) in x.rowNorms.enumerated() {
      size += abs(θ[k, j]) * ((abs(activation.a) * norm + abs(activation.b)) * norm + abs(activation.c))
    }
    return 2 * γ * size
  }

  /// Q, q and s of an output.
  private func form(output j: Int) -> (quadratic: Matrix<Double>, linear: [Double], constant: Double) {
    let (n, d) = (x.rows, x.columns)
    var sums = [CompensatedSum](repeating: CompensatedSum(), count: d * d + d)
    var partial = [Double](repeating: 0, count: d * d + d)
    for start in stride(from: 0, to: n, by: Self.block) {
      let count = min(Self.block, n - start)
      var weighted = x.selectingRows(Array(start..<start + count))
      weighted.scaleRows(by: (start..<start + count).map { θ[$0, j] })
      for i in 0..<d { partial[d * d + i] = (0..<count).reduce(0) { $0 + weighted[$1, i] } }
      partial.withMutablePointer { partial in
        withPointers(x, weighted) { x, weighted in
          Parallel.gemm(
            .yes, .no, m: d, n: d, k: count, alpha: 1, a: weighted, lda: d, b: x + start * d, ldb: d, beta: 0,
            c: partial, ldc: d)
        }
      }
      for i in 0..<d { for l in 0...i { sums[i * d + l] += partial[i * d + l] } }
      for i in d * d..<d * d + d { sums[i] += partial[i] }
    }
    var quadratic = Matrix<Double>(d, d)
    for i in 0..<d {
      for l in 0...i {
        quadratic[i, l] = activation.a * sums[i * d + l].value
        quadratic[l, i] = quadratic[i, l]
      }
    }
    let linear = (0..<d).map { activation.b * sums[d * d + $0].value }
    return (quadratic, linear, activation.c * StrictArithmetic.sum(θ.column(j)))
  }
}
