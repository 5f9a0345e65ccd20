import LinearAlgebra

/// X = R Qᵀ + E with orthonormal columns Q: r × d for the rank r of X. A network on X is one on R to rounding, and the
/// parts of neurons outside of the rows' span only cost.
struct RankReduction {
  /// R = X Q: n × r.
  let rotated: Matrix<Double>
  /// Qᵀ: r × d.
  let basis: Matrix<Double>
  /// ‖e_i‖, and what the rounding of R and Q may add: how far x_iᵀw and r_iᵀQᵀw are apart for ‖w‖ = 1 at most.
  let remainders: [Double]

  /// Multiplications up to which a decomposition is worth its time; larger X are taken as they are.
  private static var mostWork: Double { 4e9 }

  /// Cost 6 n d min(n, d).
  init(_ x: Matrix<Double>) {
    let work = 6 * Double(x.count) * Double(min(x.rows, x.columns))
    guard work <= Self.mostWork, let svd = try? SVD(x) else {
      (rotated, basis) = (x, .identity(x.columns))
      remainders = [Double](repeating: 0, count: x.rows)
      return
    }
    basis = svd.vTransposed.firstRows(svd.rank())
    rotated = matrixProduct(x, .no, basis, .yes)
    var rest = x
    addProduct(rotated, basis, to: &rest, alpha: -1)
    let rounding = 16 * Double(x.columns + 4) * Double.ulpOfOne
    let (lengths, norms) = (rest.rowNorms, x.rowNorms)
    remainders = zip(lengths, norms).map { $0 + rounding * $1 }
  }

  /// r.
  var rank: Int { rotated.columns }

  /// Σ_i |c_i| ‖e_i‖: by how much a maximum of Σ c_i (r_iᵀv)₊ over the ball may miss that of Σ c_i (x_iᵀw)₊.
  func excess(_ c: [Double]) -> Double { zip(c, remainders).reduce(0) { $0 + abs($1.0) * $1.1 } }
}
