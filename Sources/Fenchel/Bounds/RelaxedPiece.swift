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
  private let samples: [Sample]
  /// (X V)ᵀ: k × n.
  private var images: Matrix<Double>
  /// For each sample where t lies, and how its ends move.
  private(set) var states: [State]
  /// ‖V‖, ‖u‖.
  private var (vectorNorm, weightNorm) = (0.0, 0.0)

  /// What the cone leaves of a sample.
  private struct Sample {
    /// u − l, (u + l)/(u − l), −2lu/(u − l).
    var (width, tilt, rise): (Double, Double, Double)
    /// ±1 where x_iᵀw has that sign all over the cone, otherwise 0.
    var side: Double
  }

  /// A sample of an evaluation.
  struct State {
    /// z, √(x_iᵀV Vᵀx_i), and the ends of t.
    var (z, root, low, high) = (0.0, 0.0, 0.0, 0.0)
    /// Derivatives of the lower end in z, √(τq) and q, of the upper one in z, √(τq) and τ.
    fileprivate var (lowZ, lowRoot, lowForm) = (0.0, 0.0, 0.0)
    fileprivate var (highZ, highRoot, highSize) = (0.0, 0.0, 0.0)

    init() {}
  }

  /// Where a cone leaves a sample less than this part of its length on one side, it counts as being on the other.
  private static var narrowness: Double { 1e-9 }

  init(output: Int, sign: Double, cone: DirectionCone, x: Matrix<Double>, width: Int) {
    (self.output, self.sign, self.cone, self.width) = (output, sign, cone, width)
    let norms = x.rowNorms
    samples = zip(cone.ranges(of: x), norms).map { range, norm in
      let (low, high) = (range.lowerBound, range.upperBound)
      let isAbove = low > -Self.narrowness * norm
      let width = high - low
      guard width > 0, !isAbove, high > Self.narrowness * norm else {
        return Sample(width: 1, tilt: 0, rise: 0, side: isAbove ? 1 : -1)
      }
      return Sample(width: width, tilt: (high + low) / width, rise: -2 * low * high / width, side: 0)
    }
    images = Matrix(width, x.rows)
    states = [State](repeating: State(), count: x.rows)
  }

  /// Length of the vector of V, by columns, and u.
  static func dimension(features d: Int, width k: Int) -> Int { k * (d + 1) }
  private var isCut: Bool { !cone.cuts.isEmpty }

  /// Takes up V and u at `v`.
  mutating func evaluate(_ x: Matrix<Double>, at v: UnsafePointer<Double>, rounding ε: Double) {
    let (n, d, k, isCut) = (x.rows, x.columns, width, isCut)
    let u = v + k * d
    (vectorNorm, weightNorm) = (max(Double.norm2(k * d, v), 1e-150), max(Double.norm2(k, u), 1e-150))
    let (ν, ratio, size) = (weightNorm, weightNorm / vectorNorm, weightNorm * vectorNorm)
    withTemporary(Double.self, 2 * n) { z in
      let q = z + n
      images.withMutablePointer { g in
        x.withPointer { x in
          Double.gemm(
            .no, .yes, m: k, n: n, k: d, alpha: 1, a: v, lda: d, b: x, ldb: d, beta: 0, c: g, ldc: n)
        }
        Double.gemv(.yes, m: k, n: n, alpha: 1, a: g, lda: n, x: u, beta: 0, y: z)
        q.update(repeating: 1e-300, count: n)
        for l in 0..<k {
          let row = g + l * n
          for i in 0..<n { q[i] += row[i] * row[i] }
        }
      }
      samples.withPointer { samples in
        states.withMutablePointer { states in
          for i in 0..<n {
            let root = q[i].squareRoot()
            let form = (root: root * ν, square: q[i] * ratio, size: size)
            states[i] = Self.state(samples[i], z[i], form, isCut: isCut, ε)
            states[i].root = root
          }
        }
      }
    }
  }

  /// - Parameter form: √(τq), q and τ.
  @inline(__always)
  private static func state(
    _ sample: Sample, _ z: Double, _ form: (root: Double, square: Double, size: Double), isCut: Bool,
    _ ε: Double
  ) -> State {
    var state = State()
    state.z = z
    guard sample.side == 0 else {
      (state.low, state.lowZ) = (sample.side * z, sample.side)
      (state.high, state.highZ) = (state.low, sample.side)
      return state
    }
    let edge = ε * form.root + 1e-300
    let rounded = (z * z + edge * edge).squareRoot()
    let (a, b) = (rounded - edge, 2 * form.square / sample.width - sample.tilt * z)
    let lowWidth = ((a - b) * (a - b) + edge * edge).squareRoot()
    let share = (1 + (a - b) / lowWidth) / 2
    state.low = (a + b + lowWidth - edge) / 2
    state.lowZ = share * z / rounded - (1 - share) * sample.tilt
    state.lowForm = 2 * (1 - share) / sample.width
    state.lowRoot = ε * (share * (edge / rounded - 1) + (edge / lowWidth - 1) / 2)
    guard isCut else {
      (state.high, state.highRoot) = (form.root, 1)
      return state
    }
    let chord = sample.tilt * z + sample.rise * form.size
    let gap = form.root - chord
    let highWidth = (gap * gap + edge * edge).squareRoot()
    let line = (1 + gap / highWidth) / 2
    state.high = (form.root + chord - highWidth + edge) / 2
    (state.highZ, state.highSize) = (line * sample.tilt, line * sample.rise)
    state.highRoot = 1 - line + ε * (1 - edge / highWidth) / 2
    return state
  }

  /// ½Σ_i c_i (z_i + t_i), t_i its upper end where c_i > 0 and its lower one elsewhere.
  func value(of c: UnsafePointer<Double>) -> Double {
    var sum = 0.0
    for (i, state) in states.enumerated() {
      sum += c[i] * (state.z + (c[i] > 0 ? state.high : state.low))
    }
    return sum / 2
  }

  /// The gradient of (λ/2)(‖V‖² + ‖u‖²) − ½Σ_i c_i (z_i + t_i) at V and u, which are those of the last evaluation. Its images
  /// are used up.
  mutating func gradient(
    of c: UnsafePointer<Double>, penalty λ: Double, _ x: Matrix<Double>, at v: UnsafePointer<Double>,
    into gradient: UnsafeMutablePointer<Double>
  ) {
    let (n, d, k) = (x.rows, x.columns, width)
    let u = v + k * d
    let (ν, size) = (weightNorm, vectorNorm)
    var (growth, stretch) = (0.0, 0.0)  // derivatives in ‖u‖ and ‖V‖ for fixed X V and X w
    withTemporary(Double.self, 2 * n) { dz in
      let m = dz + n
      images.withMutablePointer { g in
        for i in 0..<n {
          let (state, weight) = (states[i], -c[i] / 2)
          let isHigh = c[i] > 0
          let form = isHigh ? 0 : weight * state.lowForm
          let along = isHigh ? weight * state.highRoot : weight * state.lowRoot
          let extent = isHigh ? weight * state.highSize : 0
          dz[i] = weight * (1 + (isHigh ? state.highZ : state.lowZ))
          m[i] = ν * (state.root > 0 ? along / state.root : 0) + 2 * form * ν / size
          let square = state.root * state.root
          growth += along * state.root + form * square / size + extent * size
          stretch += extent * ν - form * square * ν / (size * size)
        }
        Double.gemv(.no, m: k, n: n, alpha: 1, a: g, lda: n, x: dz, beta: 0, y: gradient + k * d)
        for l in 0..<k {
          gradient[k * d + l] += u[l] * (λ + growth / ν)
          let (row, factor) = (g + l * n, u[l])
          for i in 0..<n { row[i] = row[i] * m[i] + factor * dz[i] }
        }
        x.withPointer { x in
          Double.gemm(
            .no, .no, m: k, n: d, k: n, alpha: 1, a: g, lda: n, b: x, ldb: d, beta: 0, c: gradient, ldc: d)
        }
      }
    }
    Double.axpy(k * d, λ + stretch / size, v, gradient)
  }

  /// The multipliers of the last evaluation, for the dual point θ.
  func multipliers(θ: Matrix<Double>) -> BoundMultipliers.Piece {
    var lines = [Double](repeating: 0, count: states.count)
    var parabolas = lines
    for (i, state) in states.enumerated() {
      let (c, sample) = (sign * θ[i, output], samples[i])
      if sample.side != 0 {
        lines[i] = c > 0 ? 1 : sample.side
      } else if c > 0 {
        lines[i] = sample.rise > 0 ? state.highSize / sample.rise : 0
        parabolas[i] = state.root / vectorNorm
      } else {
        parabolas[i] = state.lowForm * sample.width / 2
        lines[i] = state.lowZ + parabolas[i] * sample.tilt
      }
    }
    return BoundMultipliers.Piece(
      output: output, sign: sign, cone: cone, lines: lines, parabolas: parabolas)
  }

  /// What the interval of each sample adds to the maximum, at most: ½c_i (t_i − |z_i|) where c_i > 0.
  func slack(θ: Matrix<Double>) -> [Double] {
    states.indices.map { i in
      max(0, sign * θ[i, output]) * max(0, states[i].high - abs(states[i].z)) / 2
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
