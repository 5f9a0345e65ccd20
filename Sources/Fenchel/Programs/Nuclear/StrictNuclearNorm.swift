import LinearAlgebra

/// Upper bounds on the nuclear norm and its dual that hold whatever a singular value decomposition rounds.
enum StrictNuclearNorm {
  /// ‖A‖_* ≤ Σ_r σ_r ‖u_r‖ ‖v_r‖ + √k ‖A − Σ_r σ_r u_r v_rᵀ‖_F for any σ, u, v; k = min(m, n). +∞ where there are none.
  static func upperBound(of a: Matrix<Double>) -> Double {
    guard a.storage.contains(where: { $0 != 0 }) else { return 0 }
    guard let svd = try? SVD(a) else { return .infinity }
    var (sum, rest) = (CompensatedSum(), a)
    for (r, σ) in svd.values.enumerated() {
      let (u, v) = (svd.u.column(r), svd.vTransposed.row(r))
      sum += σ * StrictArithmetic.norm(u) * StrictArithmetic.norm(v)
      for i in 0..<a.rows { for j in 0..<a.columns { rest[i, j] -= σ * u[i] * v[j] } }
    }
    // Each entry of the rest is off by a few roundings of terms below σ₁.
    let k = Double(svd.values.count)
    let rounding = k * Double.ulpOfOne * (svd.values.first ?? 0) * Double(a.count).squareRoot()
    return sum.value + k.squareRoot() * (StrictArithmetic.norm(rest.storage) + rounding)
  }

  /// σ_max(A) ≤ the root of a bound on the largest eigenvalue of A Aᵀ or AᵀA, whichever is smaller.
  static func largestSingularValue(of a: Matrix<Double>) -> Double {
    let narrow = a.rows <= a.columns ? a : a.transposed
    guard narrow.storage.allSatisfy(\.isFinite) else { return .infinity }
    let largest = narrow.storage.reduce(0) { max($0, abs($1)) }
    guard largest > 0 else { return 0 }
    let scale = StrictArithmetic.inversePower(largest)  // keeps the squares inside the range
    var scaled = narrow
    scaled.scale(by: scale)
    let gram = StrictArithmetic.product(scaled, transposed: scaled)
    let bound = SphereMaximum(linear: [Double](repeating: 0, count: gram.rows), quadratic: gram)
      .sharpUpperBound
    let rounding = 2 * Double.ulpOfOne * (0..<gram.rows).reduce(0) { $0 + gram[$1, $1] }
    return (bound + rounding).squareRoot() * (1 + 2 * Double.ulpOfOne) / scale
  }
}
