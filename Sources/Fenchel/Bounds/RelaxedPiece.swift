import ConvexOptimization
import LinearAlgebra

/// The neurons of one output, sign and cone of directions in the relaxation: W = V Vᵀ and w = V u with V: d × k, and for
/// every sample the interval of t_i = Σ_m |x_iᵀw_m|.
///
/// With z = x_iᵀw, q = x_iᵀW x_i, both scaled such that tr W = τ, and l ≤ x_iᵀv/‖v‖ ≤ u on the cone,
///
///     max(|z|, (2q − (u + l)z)/(u − l)) ≤ t_i ≤ min(√(τ q), ((u + l)z − 2luτ)/(u − l)),
///
/// where |z| is exact if l = 0 or u = 0. Edges are rounded with a width ε; without cuts the second upper bound is idle.
struct RelaxedPiece {
  let output: Int
  let sign: Double
  let cone: DirectionCone
  /// k.
  let width: Int
  /// For each sample where t lies, and how its ends move.
  private(set) var intervals: AbsoluteIntervals
  /// (X V)ᵀ: k × n.
  private var images: Matrix<Double>
  /// ‖u‖, ‖V‖.
  private var norms = (u: 0.0, v: 0.0)

  /// Where a cone leaves a sample less than this part of its length on one side, it counts as being on the other.
  private static var narrowness: Double { 1e-9 }

  init(output: Int, sign: Double, cone: DirectionCone, x: Matrix<Double>, width: Int) {
    (self.output, self.sign, self.cone, self.width) = (output, sign, cone, width)
    let lengths = x.rowNorms
    var samples = Matrix<Double>(4, x.rows)
    for (i, range) in cone.ranges(of: x).enumerated() {
      let (low, high) = (range.lowerBound, range.upperBound)
      let isAbove = low > -Self.narrowness * lengths[i]
      let width = high - low
      if width > 0, !isAbove, high > Self.narrowness * lengths[i] {
        (samples[0, i], samples[1, i], samples[2, i]) = (width, (high + low) / width, -2 * low * high / width)
      } else {
        (samples[0, i], samples[3, i]) = (1, isAbove ? 1 : -1)
      }
    }
    intervals = AbsoluteIntervals(samples: samples)
    images = Matrix(width, x.rows)
  }

  /// Length of the vector of V, by columns, and u.
  static func dimension(features d: Int, width k: Int) -> Int { k * (d + 1) }
  private var isCut: Bool { !cone.cuts.isEmpty }

  /// Takes up V and u at `v`.
  mutating func evaluate(_ x: Matrix<Double>, at v: UnsafePointer<Double>, rounding ε: Double) {
    let (n, d, k, isCut) = (x.rows, x.columns, width, isCut)
    let u = v + k * d
    norms = (max(Double.norm2(k, u), 1e-150), max(Double.norm2(k * d, v), 1e-150))
    images.withMutablePointer { g in
      x.withPointer { x in
        Double.gemm(
          .no, .yes, m: k, n: n, k: d, alpha: 1, a: v, lda: d, b: x, ldb: d, beta: 0, c: g, ldc: n)
      }
      intervals.update(images: g, columns: k, u: u, norms: norms, rounding: ε, isCut: isCut)
    }
  }

  /// ½Σ_i c_i (z_i + t_i), t_i its upper end where c_i > 0 and its lower one elsewhere.
  func value(of c: UnsafePointer<Double>) -> Double {
    intervals.withEnds { z, low, high in
      var sum = 0.0
      for i in 0..<intervals.count { sum += c[i] * (z[i] + (c[i] > 0 ? high[i] : low[i])) }
      return sum / 2
    }
  }

  /// The gradient of (λ/2)(‖V‖² + ‖u‖²) − ½Σ_i c_i (z_i + t_i) at V and u, which are those of the last evaluation. Its images
  /// are used up.
  mutating func gradient(
    of c: UnsafePointer<Double>, penalty λ: Double, _ x: Matrix<Double>, at v: UnsafePointer<Double>,
    into gradient: UnsafeMutablePointer<Double>
  ) {
    let (n, d, k) = (x.rows, x.columns, width)
    let u = v + k * d
    let stretch = withTemporary(Double.self, 2 * n) { dz in
      let m = dz + n
      let (growth, stretch) = intervals.slopes(of: c, norms: norms, dz: dz, m: m)
      images.withMutablePointer { g in
        Double.gemv(.no, m: k, n: n, alpha: 1, a: g, lda: n, x: dz, beta: 0, y: gradient + k * d)
        for l in 0..<k { gradient[k * d + l] += u[l] * (λ + growth / norms.u) }
        AbsoluteIntervals.combine(g, rows: k, n, m: m, u: u, v: dz)
        x.withPointer { x in
          Double.gemm(
            .no, .no, m: k, n: d, k: n, alpha: 1, a: g, lda: n, b: x, ldb: d, beta: 0, c: gradient, ldc: d)
        }
      }
      return stretch
    }
    Double.axpy(k * d, λ + stretch / norms.v, v, gradient)
  }

  /// The multipliers of the last evaluation, for the dual point θ.
  func multipliers(θ: Matrix<Double>) -> BoundMultipliers.Piece {
    var lines = [Double](repeating: 0, count: intervals.count)
    var parabolas = lines
    for i in lines.indices {
      let (c, sample) = (sign * θ[i, output], intervals[i])
      if sample.side != 0 {
        lines[i] = c > 0 ? 1 : sample.side
      } else if c > 0 {
        lines[i] = sample.rise > 0 ? sample.highSize / sample.rise : 0
        parabolas[i] = sample.root / norms.v
      } else {
        parabolas[i] = sample.lowForm * sample.width / 2
        lines[i] = sample.lowZ + parabolas[i] * sample.tilt
      }
    }
    return BoundMultipliers.Piece(
      output: output, sign: sign, cone: cone, lines: lines, parabolas: parabolas)
  }

  /// What the interval of each sample adds to the maximum, at most: ½c_i (t_i − |z_i|) where c_i > 0.
  func slack(θ: Matrix<Double>) -> [Double] {
    (0..<intervals.count).map { i in
      let sample = intervals[i]
      return max(0, sign * θ[i, output]) * max(0, sample.high - abs(sample.z)) / 2
    }
  }

  /// The largest ½Σ_i c_i (z_i + t_i) with ‖V‖² + ‖u‖² = 2, as far as an ascent from V and u comes, with the point that it
  /// comes to; the piece is left there.
  mutating func ascend(
    _ c: [Double], _ x: Matrix<Double>, from start: [Double], rounding ε: Double, evaluations: Int
  ) -> (value: Double, point: [Double]) {
    let method = LBFGS(memory: 20, maximumEvaluations: evaluations, decreaseTolerance: 1e-8)
    let run = method.minimise(from: start) { point, gradient in
      let square = point.withPointer { Double.dot(point.count, $0, $0) } / 2
      var ratio = 0.0
      point.withPointer { point in
        c.withPointer { c in
          gradient.withMutablePointer { gradient in
            evaluate(x, at: point, rounding: ε)
            ratio = value(of: c) / square
            self.gradient(of: c, penalty: ratio, x, at: point, into: gradient)
            Double.scale(start.count, 1 / square, gradient)
          }
        }
      }
      return -ratio
    }
    run.point.withPointer { evaluate(x, at: $0, rounding: ε) }
    return (-run.value, run.point)
  }
}
