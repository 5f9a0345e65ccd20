import ConvexOptimization
import LinearAlgebra

/// The norms of the coefficients of each activation pattern under batch normalisation after the ReLU,
///
///     ‖u‖_i² = uᵀG_i u,   G_i = Xᵀ D_i diag(s) X + ε² I,
///
/// which are N(u) = √(Σ_k s_k (x_kᵀu)₊² + ε²‖u‖²) on the cone of the pattern, with maps T_i: d × d, T_iᵀ G_i T_i = I to
/// rounding, so that u = T_i y has ‖u‖_i = ‖y‖. Without ε they are V_i S_i⁻¹ of the compact singular value decomposition
/// D_i X = U_i S_i V_iᵀ (s = 1), with which D_i X T_i = U_i.
struct PatternNorms: Sendable {
  let x: Matrix<Double>
  /// s.
  let weights: [Double]
  let ε: Double
  /// The rows of 𝔻ᵀ that have a norm: all of them, where no deadline came first.
  let patterns: [Int]
  /// T_i.
  let factors: [Matrix<Double>]
  /// Upper bounds on 1/√(least eigenvalue of T_iᵀG_iT_i), just above 1.
  private let slacks: [Double]

  /// ε² against the mean of the columns' squared norms.
  static var relativeSquare: Double { 1e-10 }

  /// Cost 4nd² + 10d³ for each pattern.
  ///
  /// - Parameters:
  ///   - gates: 𝔻ᵀ: P × n, one row a pattern.
  ///   - deadline: when patterns that no thread has begun are left out, but for the first.
  /// - Throws: `BatchNormalisationError.noDecomposition` where numbers leave the range of Double.
  init(
    _ x: Matrix<Double>, weights: [Double], gates: BitMatrix, deadline: Deadline = .none
  ) throws(BatchNormalisationError) {
    let squares = zip(x.rowNorms, weights).map { $0 * $0 * $1 }
    let mean = StrictArithmetic.sum(squares) / Double(max(x.columns, 1))
    let ε = mean > 0 ? (Self.relativeSquare * mean).squareRoot() : 1
    var found = [(pattern: Int, factor: Matrix<Double>, slack: Double)?](repeating: nil, count: gates.rows)
    var isOpen = [Bool](repeating: false, count: gates.rows)
    let work = gates.rows * x.count * x.columns
    found.withMutablePointer { found in
      isOpen.withMutablePointer { isOpen in
        Parallel.forEach(tiles: gates.rows, work: work) { i in
          isOpen[i] = i > 0 && deadline.hasPassed
          guard !isOpen[i], let own = Self.factor(Self.active(x, weights, gates, i), ε: ε) else { return }
          found[i] = (i, own.factor, own.slack)
        }
      }
    }
    let all = found.compactMap { $0 }
    guard all.count == isOpen.count(where: { !$0 }) else { throw .noDecomposition }
    (self.x, self.weights, self.ε) = (x, weights, ε)
    (patterns, factors, slacks) = (all.map(\.pattern), all.map(\.factor), all.map(\.slack))
  }

  /// The rows √s_k x_k that a pattern has.
  private static func active(
    _ x: Matrix<Double>, _ weights: [Double], _ gates: BitMatrix, _ i: Int
  ) -> Matrix<Double> {
    let rows = (0..<x.rows).filter { gates[i, $0] && weights[$0] > 0 }
    var active = x.selectingRows(rows)
    active.scaleRows(by: rows.map { weights[$0].squareRoot() })
    return active
  }

  /// T for G = AᵀA + ε²I, and by how much its columns may be longer than orthonormal ones; nil where there is none in Double.
  /// The eigenvalues are taken from A V, whose small ones G itself has lost.
  private static func factor(_ a: Matrix<Double>, ε: Double) -> (factor: Matrix<Double>, slack: Double)? {
    let (n, d) = (a.rows, a.columns)
    var gram = matrixProduct(a, .yes, a, .no)
    for j in 0..<d { gram[j, j] += ε * ε }
    guard let eigen = try? SymmetricEigen(gram) else { return nil }
    var t = eigen.vectors
    let images = matrixProduct(a, .no, t, .no).transposed.rowNorms
    for j in 0..<d {
      let scale = 1 / (images[j] * images[j] + ε * ε).squareRoot()
      for i in 0..<d { t[i, j] *= scale }
    }
    let b = matrixProduct(a, .no, t, .no)
    var error = matrixProduct(b, .yes, b, .no)
    addProduct(t.transposed, t, to: &error, alpha: ε * ε)
    for j in 0..<d { error[j, j] -= 1 }
    let u = Double.ulpOfOne / 2
    let size = b.frobeniusNorm * b.frobeniusNorm + ε * ε * t.frobeniusNorm * t.frobeniusNorm
    let δ = error.frobeniusNorm + 4 * Double(n + d + 8) * u * (size + Double(d))
    guard δ < 0.5 else { return nil }
    return (t, 1 / (1 - δ).squareRoot() * (1 + 4 * u))
  }

  /// N(u), the size of the normaliser of a neuron of weights u: by compensated sums in Double.
  func norm(_ u: [Double]) -> Double {
    let d = x.columns
    var sum = CompensatedSum()
    withPointers(x, Matrix(column: u)) { x, u in
      for k in 0..<weights.count where weights[k] > 0 {
        let z = max(0, StrictArithmetic.dot(d, x + k * d, u))
        sum += weights[k] * z * z
      }
    }
    let length = ε * StrictDual.norm(u)
    sum += length * length
    return sum.value.squareRoot()
  }

  /// An upper bound on max {gᵀu : ‖u‖_i ≤ 1}.
  func dualNorm(_ g: [Double], pattern i: Int) -> Double {
    let t = factors[i]
    return StrictDual.norm((0..<t.columns).map { StrictArithmetic.dot(t.column($0), g) }) * slacks[i]
  }

  /// T_iᵀ g.
  func adjoint(_ g: [Double], pattern i: Int) -> [Double] {
    matrixProduct(factors[i], .yes, Matrix(column: g), .no).storage
  }
}
