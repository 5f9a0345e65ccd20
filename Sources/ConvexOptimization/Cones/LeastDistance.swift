import LinearAlgebra

/// The point of least norm of a polyhedron, min ‖z‖ s.t. A z ≥ b, for one A: n × d with rows of length 1 or 0
/// and many b.
///
/// For a unit of length c > 0 let (p, τ) be the projection of (0, 1) onto the cone {(z, τ) : A z ≥ τ b/c}.
/// Then z = c p/τ, and (p, τ) = 0 where the polyhedron is empty. The projection has length 1/√(1 + ‖z‖²/c²),
/// so that c near ‖z‖ loses no digits. Polyhedra further from 0 than 10¹² times the last unit count as empty.
///
/// Least distance programming (Lawson & Hanson 1974, ch. 23 §4) by `NonnegativeLeastSquares`. Cost of a solve
/// 2nd for each of about d rounds, fewer from a solution nearby; 8n(d + 1) bytes are held.
struct LeastDistance {
  /// (A, −b/c) of the last solve.
  private var rows: Matrix<Double>

  struct Solution {
    var z: [Double]
    /// ‖z‖.
    var norm: Double
    /// The rows with μ_j > 0.
    var support: [Int]
    /// Their μ_j ≥ 0: z = Σ_j μ_j a_j, and a_jᵀz = b_j for these j.
    var multipliers: [Double]
  }

  /// Keeps the rows σ_j a_j/‖a_j‖ of a matrix A. Cost nd.
  init(_ a: NonnegativeLeastSquares<Double>, signs σ: [Double]) {
    let d = a.rows.columns
    rows = Matrix(a.rows.rows, d + 1)
    a.rows.withPointer { a0 in
      rows.withMutablePointer { rows in
        for (j, norm) in a.norms.enumerated() where norm > 0 {
          (rows + j * (d + 1)).update(from: a0 + j * d, count: d)
          Double.scale(d, σ[j] / norm, rows + j * (d + 1))
        }
      }
    }
  }

  var dimension: Int { rows.columns - 1 }

  /// A w. Cost 2nd.
  func product(_ w: [Double]) -> [Double] {
    let (n, d) = (rows.rows, dimension)
    var result = [Double](repeating: 0, count: n)
    withPointers(rows, Matrix(column: w), &result) { rows, w, result in
      Double.gemv(.no, m: n, n: d, alpha: 1, a: rows, lda: d + 1, x: w, beta: 0, y: result)
    }
    return result
  }

  /// The part of w that is orthogonal to some rows of A. Cost 4k²d for k rows.
  func remainder(of w: [Double], offRows support: [Int]) -> [Double] {
    var active = ActiveRows(projecting: w)
    rows.withPointer { rows in
      for j in support { _ = active.append(rows + j * (dimension + 1), tolerance: 8192 * .ulpOfOne) }
    }
    active.refresh()
    return active.residual
  }

  /// The point of least norm for b, from the solution for a b nearby where there is one; nil where there is
  /// none.
  mutating func solve(_ b: [Double], from start: Solution? = nil) -> Solution? {
    let largest = b.reduce(0, max)
    guard largest > 0 else {
      return Solution(z: [Double](repeating: 0, count: dimension), norm: 0, support: [], multipliers: [])
    }
    var unit = max(largest, start?.norm ?? 0)
    var (solution, isNear) = (start, false)
    while !isNear {
      solution = solve(b, unit: unit, from: solution)
      guard let solution else { return nil }
      isNear = solution.norm <= 16 * unit
      unit = max(largest, solution.norm)
    }
    return solution
  }

  private mutating func solve(_ b: [Double], unit c: Double, from start: Solution?) -> Solution? {
    for j in 0..<rows.rows { rows[j, dimension] = -b[j] / c }
    let problem = NonnegativeLeastSquares(rows)
    var q = [Double](repeating: 0, count: dimension + 1)
    q[dimension] = 1
    let projection = problem.solve(q, start: start.map { Self.lifted($0, unit: c) }, threshold: 1e-12)
    guard projection.outcome != .belowThreshold else { return nil }
    // The rows that hold the projection give it to full accuracy, whatever their multipliers are.
    var active = ActiveRows(projecting: q)
    var support: [Int] = []
    for j in projection.support {
      let unitRow = rows.row(j).map { $0 / problem.norms[j] }
      if unitRow.withPointer({ active.append($0, tolerance: 8192 * .ulpOfOne) }) { support.append(j) }
    }
    active.refresh()
    var α: [Double] = []
    active.multipliers(into: &α)
    let scale = c / active.residual[dimension]
    guard scale > 0, scale.isFinite else { return nil }
    let z = active.residual.dropLast().map { $0 * scale }
    return Solution(
      z: z, norm: StrictArithmetic.norm(z), support: support,
      multipliers: zip(support, α).map { max(0, $1 / problem.norms[$0] * scale) })
  }

  /// A solution as a projection of (0, 1).
  private static func lifted(_ start: Solution, unit c: Double) -> NonnegativeLeastSquares<Double>.Solution {
    let length = start.norm / c
    let τ = 1 / (1 + length * length)
    return NonnegativeLeastSquares.Solution(
      support: start.support, multipliers: start.multipliers.map { $0 * τ / c }, residual: [], norm: 0,
      violation: .infinity, outcome: .stoppedAtLimit, iterations: 0)
  }
}
