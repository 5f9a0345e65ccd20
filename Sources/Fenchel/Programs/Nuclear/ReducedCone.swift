import ConvexOptimization
import LinearAlgebra

/// Whether ‖Gᵀu‖ ≤ √κ ‖u‖ on the cone K of a pattern, asked in as few dimensions as G has singular values near or above √κ.
///
/// For any E: d × r with Q = κI + EEᵀ − GGᵀ positive definite and any B with ‖Eᵀu‖ ≤ B √(uᵀQu) on K,
///
///     ‖Gᵀu‖² = κ‖u‖² + ‖Eᵀu‖² − uᵀQu ≤ (κ + (B² − 1)₊ λ_max(Q)) ‖u‖²    on K,
///
/// and B = 1 is reached where √κ is. With the singular vectors p_j of G whose σ_j² exceed (1 − δ)κ, E has the columns
/// p_j √(σ_j² − κ + δκ): then δκ are the smallest eigenvalues of Q. The least B is the maximum over unit vectors e ∈ ℝʳ of
///
///     b(e) = max_{u ∈ K} eᵀEᵀu/√(uᵀQu) = min_{μ ≥ 0} ‖L⁻¹(E e + Aᵀμ)‖,   Q = LLᵀ, K = {u : A u ≥ 0},
///
/// a convex function of e, positively homogeneous: any μ ≥ 0 gives an upper bound.
struct ReducedCone {
  private let strict: StrictDual
  private let pattern: Int
  /// Eᵀ: r × d, the largest first.
  private let directions: Matrix<Double>
  private let factor: PlainCholesky
  private let cholesky: Cholesky<Double>
  /// Rows L⁻¹x_k.
  private let rows: NonnegativeLeastSquares<Double>
  private let κ: Double
  /// ‖x_k‖.
  private let rowNorms: [Double]
  /// What rounding may add to b, as a factor.
  private let rounding: Double

  /// δ.
  private static var room: Double { 0.1 }
  /// A bound on λ_max(Q)/κ, which is 1 but for rounding.
  private static var largest: Double { 1 + 1e-6 }

  /// r.
  var dimension: Int { directions.rows }

  /// r: how many σ_j² exceed (1 − δ)κ.
  static func dimension(_ images: Matrix<Double>, level: Double) -> Int {
    ((try? SVD(images))?.values ?? []).filter { $0 * $0 > (1 - room) * level * level }.count
  }

  /// Nil where the factorisations fail, or the time is over; then solves end early, and bounds are looser.
  ///
  /// - Parameters:
  ///   - images: Gᵀ: c × d.
  init?(_ strict: StrictDual, pattern: Int, images: Matrix<Double>, level: Double, deadline: Deadline) {
    let (κ, d) = (level * level, images.columns)
    guard κ > 0, κ.isFinite, !deadline.hasPassed, let svd = try? SVD(images) else { return nil }
    let chosen = svd.values.indices.filter { svd.values[$0] * svd.values[$0] > (1 - Self.room) * κ }
    var e = Matrix<Double>(chosen.count, d)
    for (row, j) in chosen.enumerated() {
      let size = (svd.values[j] * svd.values[j] - (1 - Self.room) * κ).squareRoot()
      for a in 0..<d { e[row, a] = size * svd.vTransposed[j, a] }
    }
    let (columns, transposed) = (e.transposed, images.transposed)
    var q = StrictArithmetic.product(transposed, transposed: transposed)
    let own = StrictArithmetic.product(columns, transposed: columns)
    for index in 0..<q.count { q.storage[index] = own.storage[index] - q.storage[index] }
    for a in 0..<d { q[a, a] += κ }
    var shifted = q
    for a in 0..<d { shifted[a, a] -= Self.room * κ / 2 }
    var rest = q
    for index in 0..<rest.count { rest.storage[index] = -rest.storage[index] }
    for a in 0..<d { rest[a, a] += κ * Self.largest }
    // They show that no eigenvalue of Q is below δκ/2 or above κ(1 + 1e-6).
    guard let factor = PlainCholesky(q), !deadline.hasPassed, PlainCholesky(shifted) != nil,
      !deadline.hasPassed, PlainCholesky(rest) != nil,
      let cholesky = try? Cholesky(q)
    else { return nil }
    var columnsOfRows = strict.x.transposed
    cholesky.solveTriangular(.no, inPlace: &columnsOfRows)
    rows = NonnegativeLeastSquares(columnsOfRows.transposed, deadline: deadline)
    (self.strict, self.pattern, self.κ, directions) = (strict, pattern, κ, e)
    (self.factor, self.cholesky, rowNorms) = (factor, cholesky, strict.x.rowNorms)
    // Rounding of a factorisation and solve of order d whose condition number is at most about 20, and of entries of GGᵀ.
    let spread = (svd.values.first ?? 0) * (svd.values.first ?? 0) / κ
    rounding = 1 + 64 * Double.ulpOfOne * Double(d) * (Double(d) + spread)
  }

  /// A direction e of length one, with an upper bound on b(e) and the multipliers μ that prove it.
  struct Vertex {
    var direction: [Double]
    var bound: Double
    var solution: ConeProjection<Double>
  }

  /// Room for solves, one after another.
  func makeRoom() -> ActiveSet<Double> {
    var state = ActiveSet(of: rows)
    for k in 0..<strict.x.rows { state.signs[k] = strict.patterns[k, pattern] ? 1 : -1 }
    return state
  }

  /// Cost: a projection, from one nearby.
  func vertex(_ e: [Double], from start: Vertex?, in state: inout ActiveSet<Double>) -> Vertex {
    let q = ConeAscent.combination(directions, e)
    var turned = Matrix(column: q)
    cholesky.solveTriangular(.no, inPlace: &turned)
    let found = turned.withPointer {
      rows.solve(
        $0, start: start?.solution, threshold: 0,
        maximumIterations: 20 * (rows.rows.rows + rows.rows.columns), in: &state)
    }
    let multipliers = SparseVector(indices: found.support, values: found.multipliers)
    let p = strict.combination(q, sign: 1, pattern: pattern, multipliers: multipliers)
    // What p lacks, in the metric of Q, whose eigenvalues are above δκ/2: its terms may cancel.
    let lost =
      StrictDual.roundingOfWitness(multipliers, rowNorms: rowNorms, width: strict.x.columns)
      + Double(q.count) * Double.ulpOfOne * StrictArithmetic.norm(q)
    let bound =
      (StrictArithmetic.norm(factor.halfSolve(p)) + lost / (Self.room * κ / 2).squareRoot()) * rounding
    return Vertex(direction: e, bound: bound.isNaN ? .infinity : bound, solution: found)
  }

  /// The vector of the cone where b(e) is attained, as far as the projection is exact.
  func point(_ vertex: Vertex) -> [Double] {
    var u = Matrix(column: vertex.solution.residual)
    cholesky.solveTriangular(.yes, inPlace: &u)
    return u.storage
  }

  /// Σ_k max(b(e_k), b(−e_k))² over some orthonormal e_k, one row each: at least the maximum of b² over their span.
  func squaredWidth(_ axes: Matrix<Double>) -> Double {
    var state = makeRoom()
    return (0..<axes.rows).reduce(0) { sum, k in
      let (e, opposite) = (axes.row(k), axes.row(k).map { -$0 })
      let largest = max(vertex(e, from: nil, in: &state).bound, vertex(opposite, from: nil, in: &state).bound)
      // What the axes may miss of being orthonormal.
      return sum + largest * largest * (1 + 1e-12)
    }
  }

  /// An orthonormal basis of ℝʳ whose first vector points to a local maximum of b, which some turns reach from a vertex: cones
  /// that are narrow have little width across it.
  func axes(along start: Vertex) -> Matrix<Double> {
    var vertex = start
    var state = makeRoom()
    for _ in 0..<20 {
      let u = point(vertex)
      let e = (0..<dimension).map { k in zip(directions.row(k), u).reduce(0) { $0 + $1.0 * $1.1 } }
      let norm = StrictArithmetic.norm(e)
      guard norm > 0, norm.isFinite else { break }
      let next = self.vertex(e.map { $0 / norm }, from: vertex, in: &state)
      let gain = next.bound - vertex.bound
      vertex = next
      if gain < 1e-9 { break }
    }
    // The reflection that takes the first axis to it.
    var v = vertex.direction
    v[0] += v[0] < 0 ? -1 : 1
    let square = StrictArithmetic.dot(v, v)
    var axes = Matrix<Double>.identity(dimension)
    for k in 0..<dimension { for j in 0..<dimension { axes[k, j] -= 2 * v[k] * v[j] / square } }
    return axes
  }

  /// The bound on ‖Gᵀu‖ that B gives.
  func bound(_ b: Double) -> Double {
    guard b > 1 else { return κ.squareRoot() * (1 + 2 * Double.ulpOfOne) }
    return (κ + (b * b - 1) * κ * Self.largest).squareRoot() * (1 + 4 * Double.ulpOfOne)
  }

  /// Excess of B over 1 that counts as none.
  var tolerance: Double { max(1e-7, 4 * (rounding - 1)) }
}
